"""Reads the small text files a person writes for a project: regular files, UTF-8, at most 1 MiB."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from osiris_core.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

LIMIT: Final = 1 << 20


def read_text(path: Path, *, shown: str, code: str) -> str | None:
    """The text of ``path`` without a byte-order mark, or None when there is no such file.

    Anything else than a small regular file in UTF-8 is an :class:`InvalidInput` with ``code``; nothing of the content
    is in its message.
    """
    try:
        # O_NONBLOCK: a named pipe must not hold the command before its kind is known
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidInput(code, f"cannot be read: {error.strerror}", where=shown) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInput(code, "is not a regular file", where=shown)
    with os.fdopen(descriptor, "rb") as stream:
        try:
            data = stream.read(LIMIT + 1)
        except OSError as error:
            raise InvalidInput(code, f"cannot be read: {error.strerror}", where=shown) from error
    if len(data) > LIMIT:
        raise InvalidInput(code, f"is larger than {LIMIT} bytes", where=shown)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(code, "is not UTF-8 text", where=f"{shown}:{line}") from None


def has_content(text: str) -> bool:
    """Whether a YAML text holds more than white space and comments."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())
