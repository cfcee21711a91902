"""What every run of the tests begins with, and what it takes of the large families of like cases (marker ``extra``).

A matrix of kill points times destinations is worth having whole and too slow to run at every turn. By default every
fourth of its cases runs, chosen by name, so always the same; ``--extras all`` (``make test-all``) runs all of them.
"""

from __future__ import annotations

import re
import signal
import zlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option."""
    parser.addoption("--extras", default="1/4", metavar="all|K/N", help="which of the cases marked 'extra' to run")


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell lets its background jobs, and all below them, ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not wanted."""
    wanted = config.getoption("--extras")
    if wanted == "all":
        return
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", wanted)
    if match is None or int(match[1]) > int(match[2]):
        raise pytest.UsageError(f"--extras {wanted}: not 'all' and not 'K/N'")
    part, parts = int(match[1]) - 1, int(match[2])
    # By the case's name and not its file's: a test that is moved stays in its part.
    left = [
        item for item in items if item.get_closest_marker("extra") and zlib.crc32(item.name.encode()) % parts != part
    ]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
