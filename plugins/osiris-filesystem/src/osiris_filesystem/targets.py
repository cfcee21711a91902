"""A place to write: its folder held open and locked, and what dead loads left there removed.

Everything staged stands beside the target, in the same file system, under names that begin with ``.osiris-``. The lock
is a file beside the target too; it exists while somebody writes and is gone afterwards, and the system releases it
when its holder dies: whoever holds it knows that all else staged for the target was left by the dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import zlib
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.roots import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from osiris_filesystem.roots import Root

_PREFIX: Final = ".osiris-"
_TRIES: Final = 100
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@attrs.define(kw_only=True)
class Target:
    """The target of one load. ``folder`` is a descriptor of the folder that the target stands in."""

    path: str
    name: str
    folder: int
    load_id: str
    _root: Root
    _lock: int
    _made: Sequence[tuple[str, ...]] = ()
    _open: bool = True

    @classmethod
    def lock(cls, root: Root, path: str, *, load_id: str, create_dirs: bool) -> Target:
        """The target at ``path``, locked; raises DriverError. Leftovers of dead loads are gone afterwards."""
        parts = target_parts(root, path)
        made = _missing(root, parts[:-1]) if create_dirs else ()
        try:
            folder = root.open_folder(parts[:-1], create=create_dirs)
        except OSError as error:
            raise write_failure(error, path) from error
        except DriverError as error:
            _remove_folders(root, made)
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL:
                raise write_failure(error.__cause__, path) from error
            raise
        try:
            lock = _lock(folder, _lock_name(parts[-1]), path)
        except BaseException:
            os.close(folder)
            _remove_folders(root, made)
            raise
        target = cls(
            path="/".join(parts), name=parts[-1], folder=folder, load_id=load_id, root=root, lock=lock, made=made
        )
        try:
            target.remove_staged()
        except OSError as error:
            target.release()
            raise write_failure(error, path) from error
        return target

    @property
    def open(self) -> bool:
        """Whether the lock is still held."""
        return self._open

    @property
    def kept(self) -> str:
        """The name under which the old folder stands while it is replaced where two cannot be swapped."""
        return f"{_PREFIX}{_tag(self.name)}.old"

    def staged_name(self, suffix: str) -> str:
        """The name of something staged for this load."""
        return f"{_PREFIX}{_tag(self.name)}-{self.load_id[:32]}-{suffix}"

    def mode(self) -> int | None:
        """The mode of what stands at the target, None when nothing does; a link is not followed."""
        return mode_of(self.folder, self.name)

    def remove_staged(self) -> None:
        """Remove everything that was ever staged for this target; the lock says that nobody else is at it."""
        tag = f"{_PREFIX}{_tag(self.name)}-"
        for name in names_in(self.folder):
            if name.startswith(tag):
                remove(self.folder, name)

    def release(self, *, undone: bool = False) -> None:
        """Unlock, and close the folder; safe to call more than once. ``undone``: remove folders made for the load."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(OSError):
            os.unlink(_lock_name(self.name), dir_fd=self.folder)
        os.close(self._lock)
        os.close(self.folder)
        if undone:
            _remove_folders(self._root, self._made)


def target_parts(root: Root, path: str) -> tuple[str, ...]:
    """The components of a path to write to; raises DriverError for one that cannot be a target."""
    parts = root.relative(path)
    if not parts:
        raise DriverError("OSR-FS-051", f"the path '{path}' is the connection's root itself")
    if parts[-1].startswith((_PREFIX, "_osiris")):
        raise DriverError("OSR-FS-001", f"the name '{parts[-1]}' is one that Osiris keeps for itself")
    _refuse_own(root, root.path.joinpath(*root.real_parts(parts[:-1]), parts[-1]), path)
    return parts


def _refuse_own(root: Root, target: Path, path: str) -> None:
    """Refuse to write what is hidden, ``.env`` above all, or Osiris's own: rows in their place would undo a project.

    What lies above the project or the root may be called anything.
    """
    within = root.project if root.project is not None and target.is_relative_to(root.project) else root.path
    hidden = next((part for part in target.relative_to(within).parts if part.startswith(".")), None)
    if hidden is not None:
        raise DriverError("OSR-FS-010", f"'{shown(path)}' would write '{shown(hidden)}', which is hidden")
    own = next((one for one in root.reserved if target.is_relative_to(one)), None)
    if own is not None:
        raise DriverError("OSR-FS-010", f"'{shown(path)}' would write '{own.name}', which is Osiris's own")


def mode_of(folder: int, name: str) -> int | None:
    """The mode of what stands under ``name``, None when nothing does; a link is not followed."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def names_in(folder: int) -> list[str]:
    """What an open folder holds, in order."""
    return sorted(os.listdir(folder))


def is_staged_name(name: str) -> bool:
    """Whether ``name`` is one that Osiris gives to what it stages."""
    return name.startswith(_PREFIX)


def remove(folder: int, name: str) -> None:
    """Remove the file or the whole folder ``name``; nothing when it is not there."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise
        shutil.rmtree(name, dir_fd=folder)


def create_file(folder: int, name: str) -> int:
    """A new empty file, open to write; nothing may stand there."""
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)


def write_failure(error: BaseException, path: str) -> DriverError:
    """The error to raise when the operating system refused something while ``path`` was written."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return DriverError("OSR-FS-055", f"'{shown(path)}' could not be written: no space left on the disk")
    return DriverError("OSR-FS-057", f"'{shown(path)}' could not be written: {why}")


def _missing(root: Root, parts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The folders on the way to ``parts`` that do not exist, outermost first."""
    real = root.real_parts(parts)
    ways = (real[: at + 1] for at in range(len(real)))
    return tuple(way for way in ways if not os.path.lexists(root.path.joinpath(*way)))


def _remove_folders(root: Root, made: Sequence[tuple[str, ...]]) -> None:
    """Remove folders made for a load that came to nothing, unless somebody has put something there."""
    for parts in reversed(made):
        with contextlib.suppress(OSError, DriverError), root.folder(parts[:-1]) as folder:
            os.rmdir(parts[-1], dir_fd=folder)


def _tag(name: str) -> str:
    """What ties staged names to a target, whatever the length of its name."""
    return f"{zlib.crc32(name.encode('utf-8', 'surrogateescape')):08x}"


def _lock_name(name: str) -> str:
    return f"{_PREFIX}{_tag(name)}.lock"


def _lock(folder: int, name: str, path: str) -> int:
    """A descriptor of the lock file, locked. Who finds it removed meanwhile tries again on the new one."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(_TRIES):
        try:
            descriptor = os.open(name, flags, 0o600, dir_fd=folder)
        except OSError as error:
            raise write_failure(error, path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise _busy(path) from error
            raise write_failure(error, path) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=folder, follow_symlinks=False)):
                return descriptor
        os.close(descriptor)
    raise _busy(path)


def _busy(path: str) -> DriverError:
    return DriverError("OSR-FS-054", f"another run, or another step of this one, is writing '{path}'", retriable=True)
