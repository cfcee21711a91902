"""What a process can take away from itself: memory, core dumps, and files it has no business with.

Landlock (Linux 5.13 and later, unprivileged) restricts every file access of the process and whatever it starts, for
good. The network stays open: a pipeline's connections need it. System call numbers and structs:
``include/uapi/linux/landlock.h``; https://docs.kernel.org/userspace-api/landlock.html.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Final

from osiris_core.run.events import IsolationApplied

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION_FLAG: Final = 1
_RULE_PATH_BENEATH: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_TRUNCATE: Final = 1 << 14
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_RIGHTS_BY_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38

_HEADROOM: Final = 8 << 30
"""Address space beyond the memory a run may plan with: stacks and arenas of threads are reserved, not used."""

SYSTEM: Final = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/opt", "/run", "/nix")
"""What programs, name resolution and certificates need; read only."""

SOURCES: Final = ("/dev/random", "/dev/urandom")
"""Devices that are only read. The rest of ``/dev`` is left out: ``/dev/shm`` holds the memory that others share."""

DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def apply(*, parent: int, memory: int, readable: Iterable[Path], writable: Iterable[Path]) -> IsolationApplied:
    """Restrict this process, which must have one thread only, and end it with the process ``parent``.

    What was done, to be recorded in the run.
    """
    limits = _limit(memory)
    reason = _tie_to(parent) or _landlock([*map(str, readable), *SYSTEM, *SOURCES], [*map(str, writable), *DEVICES])
    return IsolationApplied(landlock=reason is None, limits=limits, reason=reason)


def _limit(memory: int) -> dict[str, int]:
    wanted = {
        "address_space": (resource.RLIMIT_AS, memory * 2 + _HEADROOM),
        "core": (resource.RLIMIT_CORE, 0),
        "open_files": (resource.RLIMIT_NOFILE, 4096),
    }
    for kind, value in wanted.values():
        _, hard = resource.getrlimit(kind)
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (lowered, lowered))
    return {name: resource.getrlimit(kind)[0] for name, (kind, _) in wanted.items()}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _tie_to(parent: int) -> str | None:
    """End with the parent, and keep memory from other processes of this user."""
    if sys.platform != "linux":
        return "only Linux has it"
    libc = _libc()
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.getppid() != parent:  # it is gone already
        os._exit(1)
    return None


def _landlock(readable: list[str], writable: list[str]) -> str | None:
    """Allow reading below ``readable``, everything below ``writable``, nothing else; why not, when it is not on."""
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    if version < 1:
        return f"the kernel does not offer Landlock ({os.strerror(ctypes.get_errno())})"
    every = _RIGHTS_BY_VERSION[min(version, 3)]
    attr = _RulesetAttr(handled_access_fs=every)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attr), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if ruleset < 0:
        return f"Landlock refused the rules ({os.strerror(ctypes.get_errno())})"
    try:
        for path in readable:
            _allow(libc, ruleset, path, _READ & every)
        for path in writable:
            _allow(libc, ruleset, path, every)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)):
            return f"Landlock could not be turned on ({os.strerror(ctypes.get_errno())})"
    finally:
        os.close(ruleset)
    return None


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Add one rule; a path that does not exist needs none."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & _OF_FILES  # noqa: PTH112 - may be a device
        rule = _PathBeneath(allowed_access=allowed, parent_fd=place)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(place)
