"""The folder of a connection, and the only way to a file below it.

A path of a config is relative to the root, with forward slashes. It is refused when it could mean anything else:
``..``, an absolute path outside, a drive, a URL, control characters. What it resolves to (symbolic links followed)
must lie inside the root. Files and folders are then opened step by step from the root's own descriptor, following no
link, so that a link put in place between check and use is refused rather than followed; devices, pipes and sockets
never open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.api import ConnectionUnusable, DriverError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ACTING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def shown(text: str) -> str:
    """``text`` for a message: characters that act are written as escapes."""
    return _ACTING.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def checked_parts(path: str) -> tuple[str, ...]:
    """The components of a root-relative ``path`` (an absolute one keeps ``/`` as its first); raises DriverError."""
    if not path or not path.strip():
        raise DriverError("OSR-FS-001", "the path is empty")
    if _ACTING.search(path):
        raise DriverError("OSR-FS-001", f"the path '{shown(path)}' holds control or invisible characters")
    if _URL.match(path):
        raise DriverError(
            "OSR-FS-001", f"'{path}' is a URL; the filesystem components read and write files of this machine only"
        )
    if "\\" in path or _DRIVE.match(path):
        raise DriverError("OSR-FS-001", f"the path '{path}' is written for another system", hint="use forward slashes")
    if path.startswith("//"):
        raise DriverError("OSR-FS-001", f"the path '{path}' names another machine")
    if path.startswith("~"):
        raise DriverError("OSR-FS-001", f"the path '{path}' starts with '~', which is not expanded")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise DriverError("OSR-FS-002", f"the path '{path}' contains '..'")
    return ("/", *parts) if path.startswith("/") else parts


@attrs.frozen
class Root:
    """A folder that every path resolves inside. ``path`` is absolute and free of links, as are the project's folder
    and what in it is ``reserved`` for Osiris.
    """

    path: Path
    project: Path | None = None
    reserved: tuple[Path, ...] = ()

    @classmethod
    def of(cls, folder: str, project_root: Path, reserved: Iterable[Path] = ()) -> Root:
        """The root that a connection names, relative to the project's root; raises ConnectionUnusable."""
        if _ACTING.search(folder):
            raise ConnectionUnusable("OSR-FS-007", f"the root '{shown(folder)}' holds control or invisible characters")
        stated = project_root / folder
        try:
            real = stated.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ConnectionUnusable("OSR-FS-007", f"the root '{folder}' cannot be found: {_why(error)}") from error
        if not real.is_dir():
            raise ConnectionUnusable("OSR-FS-007", f"the root '{folder}' is not a folder")
        return cls(real, project_root.resolve(), tuple(one.resolve() for one in reserved))

    def relative(self, path: str) -> tuple[str, ...]:
        """The components of ``path`` below the root; an absolute path must begin with the root's."""
        parts = checked_parts(path)
        if parts and parts[0] == "/":
            inside = tuple(part for part in self.path.as_posix().split("/") if part)
            if parts[1 : 1 + len(inside)] != inside:
                raise DriverError("OSR-FS-002", f"the path '{path}' lies outside the connection's root")
            return parts[1 + len(inside) :]
        return parts

    def real_parts(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Where ``parts`` really lie below the root once links are followed; raises DriverError when outside.

        What does not exist is taken as written.
        """
        text = "/".join(parts)
        try:
            real = Path(os.path.realpath(self.path.joinpath(*parts)))
        except OSError as error:
            raise DriverError("OSR-FS-003", f"the path '{shown(text)}' cannot be followed: {_why(error)}") from error
        try:
            return real.relative_to(self.path).parts
        except ValueError:
            raise DriverError(
                "OSR-FS-002", f"'{shown(text)}' is a link that leads out of the connection's root"
            ) from None

    @contextlib.contextmanager
    def folder(self, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
        """A descriptor of the folder at ``parts``, open while the context is; made when missing and ``create``."""
        descriptor = self.open_folder(parts, create=create)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def open_folder(self, parts: tuple[str, ...], *, create: bool = False) -> int:
        """Like :meth:`folder`, for the caller to close."""
        real = self.real_parts(parts)
        descriptor = os.open(self.path, _FOLDER)
        for at, part in enumerate(real):
            try:
                inner = _step_into(descriptor, part, create=create)
            except OSError as error:
                raise _folder_error("/".join(real[: at + 1]), error) from error
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor

    def open_file(self, parts: tuple[str, ...]) -> int:
        """A descriptor to read the regular file at ``parts``, for the caller to close; raises DriverError."""
        text = shown("/".join(parts))
        real = self.real_parts(parts)
        if not real:
            raise DriverError("OSR-FS-004", f"'{text}' is a folder, not a file")
        try:
            with self.folder(real[:-1]) as folder:
                _require_regular(os.lstat(real[-1], dir_fd=folder).st_mode, text)  # not even opened when a device
                descriptor = os.open(
                    real[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
                )
        except OSError as error:
            code = "OSR-FS-003" if error.errno in (errno.ENOENT, errno.ENOTDIR) else "OSR-FS-005"
            raise DriverError(code, f"the file '{text}' cannot be opened: {_why(error)}") from error
        try:
            _require_regular(os.fstat(descriptor).st_mode, text)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def engine_path(descriptor: int, fallback: Path) -> str:
    """A path that opens what ``descriptor`` has open, whatever has been renamed since; ``fallback`` without /proc."""
    linked = f"/proc/self/fd/{descriptor}"
    return linked if Path("/proc/self/fd").is_dir() else str(fallback)


def _step_into(folder: int, name: str, *, create: bool) -> int:
    flags = _FOLDER | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o777, dir_fd=folder)
        os.fsync(folder)
    return os.open(name, flags, dir_fd=folder)


def _folder_error(text: str, error: OSError) -> DriverError:
    if error.errno == errno.ENOENT:
        return DriverError("OSR-FS-052", f"the folder '{shown(text)}' does not exist")
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return DriverError("OSR-FS-004", f"'{shown(text)}' is not a folder")
    return DriverError("OSR-FS-005", f"the folder '{shown(text)}' cannot be opened: {_why(error)}")


def _require_regular(mode: int, text: str) -> None:
    if stat.S_ISREG(mode):
        return
    kind = next((words for test, words in _KINDS if test(mode)), "something else")
    kind = "a link put there meanwhile" if stat.S_ISLNK(mode) else kind
    raise DriverError("OSR-FS-004", f"'{text}' is {kind}, not a regular file")


def _why(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
