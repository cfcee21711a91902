"""What every run of the tests begins and ends with, and what it takes of the families of like cases (marker ``extra``).

A matrix of kill points times destinations is worth having whole and too slow to run at every turn. By default every
eighth of its cases runs, chosen by name, so always the same; ``--extras all`` (``make test-all``) runs all of them.
``--part K/N`` takes as much of all tests, and the golden path: what passes on one Python is looked at on another.

What a fault has left behind is a cell of the fault matrix: its test notes it (fixture ``cell``), and the run ends with
how many there were, by destination and mode.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import zlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

# Here and in no other conftest: a fixture that two folders import is two fixtures, and each would start its server.
pytest_plugins = ("tests.servers.mariadb", "tests.servers.postgres")

_SERVERS = frozenset({"mariadb", "postgres_server"})
_SMALL_DISK = 32 << 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    parser.addoption("--extras", default="1/8", metavar="all|K/N", help="which of the cases marked 'extra' to run")
    parser.addoption("--part", default="all", metavar="all|K/N", help="which of all tests to run")


def pytest_configure(config: pytest.Config) -> None:
    """No test by examples has a time limit, which a busy machine would break, and those that say no number take a
    quarter of the usual one, but with ``--extras all``. And let Ctrl-C reach what the tests start: a shell lets its
    background jobs, and all below them, ignore it.
    """
    examples = 100 if config.getoption("--extras") == "all" else 25
    settings.register_profile("osiris", settings(), deadline=None, max_examples=examples)
    settings.load_profile("osiris")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before markers are asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a database server, and leave out the cases that are not wanted."""
    for item in items:
        if not _golden(item) and _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("server")
    extras, part = _chooser(config, "--extras"), _chooser(config, "--part")
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        fits = (part(item) or _golden(item)) and (extras(item) or not item.get_closest_marker("extra"))
        (kept if fits else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def _golden(item: pytest.Item) -> bool:
    return "golden" in item.path.parts


def _chooser(config: pytest.Config, option: str) -> Callable[[pytest.Item], bool]:
    """Whether a test is in the part that ``option`` asks for."""
    wanted = config.getoption(option)
    if wanted == "all":
        return lambda _: True
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", wanted)
    if match is None or int(match[1]) > int(match[2]):
        raise pytest.UsageError(f"{option} {wanted}: not 'all' and not 'K/N'")
    part, parts = int(match[1]) - 1, int(match[2])
    # By the case's name and not its file's: a test that is moved stays in its part.
    return lambda item: zlib.crc32(item.name.encode()) % parts == part


class Cell(NamedTuple):
    """What a fault left of a destination that was written in a mode: its rows ``before`` or ``after`` the load."""

    destination: str
    mode: str
    fault: str
    outcome: str


@pytest.fixture
def cell(record_property: Callable[[str, object], None]) -> Callable[[str, str, str, str], None]:
    """Notes a cell. A property of the test carries them all, as only properties reach the process that prints."""
    cells: list[tuple[str, ...]] = []
    record_property("cells", cells)
    return lambda *parts: cells.append(tuple(Cell(*parts)))


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], Path]]:
    """Puts a disk of 32 MB on a folder, and in it a file that takes all but one: removing that makes room again."""
    mounted: list[Path] = []

    def mount(folder: Path) -> Path:
        program = shutil.which("mount")
        if program is None:
            pytest.skip("no small disk can be mounted here: there is no mount")
        options = f"size={_SMALL_DISK},mode=0777"
        command = [program, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours alone
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        filler = folder / "filler"
        filler.write_bytes(bytes(_SMALL_DISK - (1 << 20)))
        return filler

    yield mount
    for folder in mounted:
        # What a server still holds open must not keep it there.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - as above


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the fault matrix."""
    found: dict[str, dict[str, Counter[str]]] = {}
    passed = failed = 0
    for kind in ("passed", "failed"):
        for report in terminalreporter.getreports(kind):
            cells = dict(report.user_properties).get("cells") if report.when == "call" else None
            # A test fails in the cell that comes after those it has noted, which hold.
            failed += kind == "failed" and cells is not None
            for one in (Cell(*cell) for cell in cells or ()):
                passed += 1
                found.setdefault(one.destination, {}).setdefault(one.mode, Counter())[one.outcome] += 1
    if not passed + failed:
        return
    terminalreporter.write_line("")
    terminalreporter.write_line(f"fault matrix: {passed + failed} cells, {passed} passed")
    for destination, modes in sorted(found.items()):
        told = (
            f"{mode} {', '.join(f'{count} {outcome}' for outcome, count in sorted(outcomes.items(), reverse=True))}"
            for mode, outcomes in sorted(modes.items())
        )
        terminalreporter.write_line(f"  {destination}: {'; '.join(told)}")
