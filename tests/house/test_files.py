"""What may stand in no file, and what every file must be."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from itertools import pairwise
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

# Each pattern has a class of one letter in it, so that this file does not hold what it looks for.
HOSTS = re.compile(r"py[p]i\.org|python[h]osted|registry\.[n]pmjs|deb\.[d]ebian|py[p]i\.python")
MACHINE = re.compile(r"/[r]oot/\.|/[w]ork/|/[h]ome/(?!user\b|me\b)[a-z]|/[U]sers/[A-Za-z]|C:\\{1,2}[U]sers")
LEFTOVERS = re.compile(r"\b(FIX[M]E|XX[X])\b")
MAX_MODULE = 500
MAX_BYTES = 4 << 20


def _hits(texts, pattern, *, skip=()):
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path, text in texts.items()
        if path.relative_to(ROOT).as_posix() not in skip
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_package_index_is_named(texts):
    assert _hits(texts, HOSTS) == []


def test_no_path_of_a_machine_is_named(texts):
    assert _hits(texts, MACHINE) == []


def test_nothing_is_left_marked_as_unfinished(texts):
    assert (
        _hits({path: text for path, text in texts.items() if path.suffix in {".py", ".toml", ".yaml"}}, LEFTOVERS) == []
    )


def test_text_files_end_with_one_newline_and_use_lf(texts):
    bad = [
        str(path.relative_to(ROOT))
        for path, text in texts.items()
        if text and path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".txt"} and "tests" not in path.parts
        if "\r" in text or not text.endswith("\n") or text.endswith("\n\n")
    ]
    assert bad == []


def test_no_module_is_too_long(texts):
    long = {
        str(path.relative_to(ROOT)): text.count("\n")
        for path, text in texts.items()
        if path.suffix == ".py" and "tests" not in path.parts and text.count("\n") > MAX_MODULE
    }
    assert long == {}


def test_no_module_is_a_drawer(tracked):
    assert [p for p in tracked if p.suffix == ".py" and p.stem in {"utils", "util", "helpers", "misc", "common"}] == []


def test_no_file_is_large(tracked):
    large = {str(path.relative_to(ROOT)): size for path in tracked if (size := path.stat().st_size) > MAX_BYTES}
    assert {name: size for name, size in large.items() if not name.startswith("examples/flights/data/")} == {}


def _pins(lock: Path) -> dict[str, list[str]]:
    pins: dict[str, list[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith(" "):
            requirement = Requirement(line.rstrip("\\ "))
            version = str(requirement.specifier).removeprefix("==")
            pins.setdefault(canonicalize_name(requirement.name), []).append(version)
    return pins


def _declared(project: Path) -> list[str]:
    table = tomllib.loads(project.read_text(encoding="utf-8"))
    extras = table["project"].get("optional-dependencies", {}).values()
    groups = table.get("dependency-groups", {}).values()
    return [*table["project"]["dependencies"], *(r for part in (*extras, *groups) for r in part)]


def test_every_declared_requirement_is_satisfied_by_its_pin():
    pins = _pins(ROOT / "requirements" / "dev.txt")
    wrong = []
    for project in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")):
        for text in _declared(project):
            requirement = Requirement(text)
            found = pins.get(canonicalize_name(requirement.name), [])
            ours = requirement.name.startswith("osiris-")
            if not ours and not any(requirement.specifier.contains(version) for version in found):
                wrong.append(f"{project.parent.name}: {text} against {found}")
    assert wrong == [], "run `make lock`"


def test_each_lock_contains_the_smaller_one():
    locks = [_pins(ROOT / "requirements" / f"{name}.txt") for name in ("core", "runtime", "test", "dev")]
    for smaller, larger in pairwise(locks):
        assert {name: larger.get(name) for name in smaller} == smaller


def test_a_pin_names_the_extras_that_are_asked_for():
    """To pip before 23.3, `coverage==7` is no pin of `coverage[toml]`: it would take the newest, which has no hash."""
    pinned = {}
    for line in (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith(" "):
            requirement = Requirement(line.rstrip("\\ "))
            pinned.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
    asked = [
        (distribution.name, requirement)
        for distribution in importlib.metadata.distributions()
        if canonicalize_name(distribution.name) in pinned
        for requirement in map(Requirement, distribution.requires or ())
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
    ]
    assert asked, "some package asks for an extra of another"
    assert [str(r) for _, r in asked if not r.extras <= pinned[canonicalize_name(r.name)]] == [], "run `make lock`"


def test_every_pin_has_hashes_and_no_address():
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "//" not in text
        assert "@" not in text
        blocks = re.split(r"\n(?=\S)", text.strip())
        assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_distributions_agree():
    core = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shared = ("requires-python", "license", "license-files", "authors")
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        plugin = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        assert {key: plugin[key] for key in shared} == {key: core[key] for key in shared}
        assert plugin["name"] == path.parent.name
        needed = next(Requirement(text) for text in plugin["dependencies"] if text.startswith("osiris-core"))
        assert needed.specifier.contains(core["version"])
        entries = plugin.get("entry-points", {}).get("osiris.plugins.v1", {})
        if plugin["name"] != "osiris-sql":  # a library of the other plugins'
            assert plugin["name"] == f"osiris-{next(iter(entries))}"
        assert len(entries) == (plugin["name"] != "osiris-sql")
        assert (path.parent / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
        for name in ("README.md", "CHANGELOG.md"):
            assert (path.parent / name).stat().st_size > 0, name
