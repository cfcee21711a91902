"""A compile that is killed, or that meets others at work: the build folder is whole or absent."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from osiris_core.compile.build import build_files, read_manifest, write_build
from osiris_core.errors import RunFailed

KILLED = """
import os, pathlib, signal, sys
name, number = sys.argv.pop(1), int(sys.argv.pop(1))
genuine = getattr(pathlib.Path, name)
calls = 0

def deadly(self, *arguments, **options):
    global calls
    if ".staging-" in str(self):
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
    return genuine(self, *arguments, **options)

setattr(pathlib.Path, name, deadly)
from osiris_core.cli import main
main()
"""


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_at(shop, call, number):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, call, str(number), "compile", str(shop.file)],
        cwd=shop.folder,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr.decode()


@pytest.mark.parametrize(
    ("call", "number"),
    [("mkdir", 1), ("write_bytes", 1), ("write_bytes", 3), ("write_bytes", 6), ("rename", 1), ("replace", 1)],
)
def test_killed_in_the_middle(shop, call, number):
    """Whatever instant it is killed at, what has a final name is complete, and the next compile leaves no trace."""
    earlier = shop.compile()
    write_build(earlier, shop.folder / "build")
    shop.edit("default: 0.5", "default: 0.7")
    kill_at(shop, call, number)
    home = shop.folder / "build" / "orders"
    later = shop.compile()
    assert read_manifest(home) == earlier  # LATEST is replaced last
    for folder in home.iterdir():
        if folder.is_dir() and not folder.name.startswith(".staging-"):
            expected = build_files(earlier if folder.name == earlier.hash[:12] else later)
            assert tree(folder) == expected
    shop.osiris("compile", shop.file)
    assert read_manifest(home) == later
    assert sorted(path.name for path in home.iterdir()) == sorted(["LATEST", earlier.hash[:12], later.hash[:12]])


def test_many_at_once(shop):
    """Also when what stands there was changed by hand and has to be replaced: nobody removes another's work."""
    manifest = shop.compile()
    for edited in range(20):
        folder = shop.folder / f"build{edited}"
        if edited % 2:
            write_build(manifest, folder).write_text("by hand")
        with ThreadPoolExecutor(8) as pool:
            paths = set(pool.map(lambda _, folder=folder: write_build(manifest, folder), range(16)))
        assert len(paths) == 1
        assert tree(folder / "orders" / manifest.hash[:12]) == build_files(manifest)
        assert len(list((folder / "orders").iterdir())) == 2


def test_a_full_disk_leaves_nothing(shop, monkeypatch):
    import errno
    from pathlib import Path

    manifest = shop.compile()
    write_build(manifest, shop.folder / "build")
    before = tree(shop.folder / "build")
    genuine = Path.write_bytes

    def full(self, content):
        if self.name == "store.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return genuine(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    later = shop.edit("default: 0.5", "default: 0.7").compile()
    with pytest.raises(RunFailed, match="the build cannot be written: No space left on device"):
        write_build(later, shop.folder / "build")
    assert tree(shop.folder / "build") == before
