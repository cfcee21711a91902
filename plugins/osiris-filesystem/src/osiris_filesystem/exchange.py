"""Swapping two names of one folder in one step, where the kernel can (Linux ``renameat2``, RENAME_EXCHANGE)."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

_RENAME_EXCHANGE: Final = 2
_UNSUPPORTED: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def exchange(folder: int, one: str, other: str) -> bool:
    """Swap what stands under two names; False when this system or file system cannot. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "renameat2", None)
    if call is None:
        return False
    result = call(folder, os.fsencode(one), folder, os.fsencode(other), _RENAME_EXCHANGE)
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), one)
