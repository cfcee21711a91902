"""Tests of the repository itself: what must hold of its files, whatever Python reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).is_relative_to(ROOT / "tests" / "house"):
            item.add_marker(pytest.mark.house)


@pytest.fixture(scope="session")
def tracked() -> tuple[Path, ...]:
    """Every file of the repository that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(sorted(file for file in files if file.is_file()))


@pytest.fixture(scope="session")
def texts(tracked) -> dict[Path, str]:
    """The text files among them."""
    found = {}
    for path in tracked:
        try:
            found[path] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found
