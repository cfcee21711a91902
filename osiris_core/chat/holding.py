"""A conversation is open in one process at a time: each writes all that it remembers, so that of two one would lose.

A lock rather than a comparison when something is kept: who comes second hears it before anything is said or paid for.
The system lets go of it when its holder dies. It is a file, there as long as the conversation is open.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Hold:
    """The lock at ``path``, taken. BlockingIOError when somebody has it, OSError when there can be none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        while True:
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_there():
                    break
            except BaseException:
                os.close(self._file)
                raise
            os.close(self._file)  # its holder let go of it, and removed it, just before we had it

    def _is_there(self) -> bool:
        """Whether others would find this very file."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file), self._path.lstat())
        return False

    def release(self) -> None:
        """Let go; to be called once."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._file)
