"""How the files of a record are read: regular files only, of bounded size, and JSON only where it is a mapping of
bounded depth. A record is data from a disk, and anybody may have written it.
"""

from __future__ import annotations

import json
import math
import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from pathlib import Path

MAX_DOCUMENT: Final = 64 << 20
"""Bytes of the largest document (``status.json``) that is read."""

_MAX_DEPTH: Final = 100


def open_file(path: Path, *, follow: bool = True) -> BinaryIO:
    """``path`` opened for reading. Raises OSError, also for what is no regular file (a pipe would never answer).

    Without ``follow`` a symbolic link is refused, too.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path.name} is no regular file")
    return os.fdopen(descriptor, "rb")


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON mapping from a file, or None when there is none or it is damaged."""
    try:
        with open_file(path) as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError:
        return None
    return mapping_of(data) if len(data) <= MAX_DOCUMENT else None


def mapping_of(data: bytes) -> dict[str, Any] | None:
    """The JSON mapping that ``data`` is, or None when it is none, or is nested too deeply to be worked with.

    JSON has no NaN and no infinities: where they stand, it is none.
    """
    try:
        value = _DECODER.decode(data.decode(json.detect_encoding(data), "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    # Counting is quick, and enough for nearly all there is.
    return value if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH or _is_shallow(value) else None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _is_shallow(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False
