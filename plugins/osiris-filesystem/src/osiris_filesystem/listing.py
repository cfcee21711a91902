"""Which files a path means: one file, the files of a folder, or those that match a pattern; always in one order.

Patterns: ``*`` and ``?`` within a name, ``[abc]`` and ``[!abc]``, ``**`` for any number of folders. Case matters. A
name that starts with ``.`` or ``_`` is left out unless the pattern's own part starts so (staging files, ``_SUCCESS``
and the like). Order is by path, part by part, in code point order. ``**`` does not follow links to folders.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.parts_record import RECORD_NAME, read_record
from osiris_filesystem.roots import Root, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAGIC: Final = re.compile(r"[*?\[]")
_HIDDEN: Final = (".", "_")


@attrs.frozen(kw_only=True)
class InputFile:
    """A file to read: its components below the root, its size and time of change when it was listed."""

    parts: tuple[str, ...]
    size: int
    changed: int

    @property
    def path(self) -> str:
        """The path below the root."""
        return "/".join(self.parts)


def is_pattern(path: str) -> bool:
    """Whether ``path`` is a pattern."""
    return _MAGIC.search(path) is not None


def list_files(root: Root, path: str, *, check: Callable[[], None]) -> list[InputFile]:
    """The files that ``path`` means, never none; raises DriverError. ``check`` is called in every folder."""
    parts = root.relative(path)
    if not is_pattern(path):
        return _plain(root, parts, path, check)
    found: list[tuple[str, ...]] = []
    for match in _expand(root, (), parts, check):
        _refuse_name(match)
        found.append(match)
    files = [described(root, match) for match in sorted(set(found))]
    if not files:
        raise DriverError("OSR-FS-006", f"no file matches '{path}'")
    return files


def found_files(root: Root, *, check: Callable[[], None]) -> Iterator[tuple[str, InputFile | DriverError]]:
    """Every file below the root that is not hidden, by its path for people: the file, or why it cannot be read."""
    for parts in sorted(set(_expand(root, (), ("**", "*"), check))):
        path = shown("/".join(parts))
        try:
            _refuse_name(parts)
            yield path, described(root, parts)
        except DriverError as error:
            yield path, error


def described(root: Root, parts: tuple[str, ...]) -> InputFile:
    """The file at ``parts`` with its size; raises DriverError unless it can be opened as a regular file."""
    descriptor = root.open_file(parts)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return InputFile(parts=parts, size=status.st_size, changed=status.st_mtime_ns)


def _plain(root: Root, parts: tuple[str, ...], path: str, check: Callable[[], None]) -> list[InputFile]:
    real = root.real_parts(parts)
    if not stat.S_ISDIR(_mode(root, real)):
        return [described(root, parts)]
    record = read_record(root, real)
    if record is not None:
        return [_recorded(root, (*parts, entry.name), entry.bytes) for entry in record.files]
    files = [described(root, match) for match in sorted(_expand(root, parts, ("**", "*"), check))]
    if not files:
        raise DriverError("OSR-FS-006", f"the folder '{path}' holds no files")
    for one in files:
        _refuse_name(one.parts)
    return files


def _recorded(root: Root, parts: tuple[str, ...], size: int) -> InputFile:
    found = described(root, parts)
    if found.size != size:
        raise DriverError(
            "OSR-FS-009",
            f"'{found.path}' has {found.size:,} bytes, and {size:,} according to '{RECORD_NAME}' beside it",
        )
    return found


def _mode(root: Root, real: tuple[str, ...]) -> int:
    try:
        return root.path.joinpath(*real).lstat().st_mode
    except OSError:
        return 0


def _expand(  # noqa: C901 - one branch a kind of part
    root: Root, base: tuple[str, ...], pattern: tuple[str, ...], check: Callable[[], None]
) -> Iterator[tuple[str, ...]]:
    """The paths of files below ``base`` that match ``pattern``."""
    if not pattern:
        return
    head, rest = pattern[0], pattern[1:]
    if head == "**":
        yield from _expand(root, base, rest or ("*",), check)
        for name, is_folder, is_link in _entries(root, base, check):
            if is_folder and not is_link and not name.startswith(_HIDDEN):
                yield from _expand(root, (*base, name), pattern, check)
        return
    if not is_pattern(head) and rest:
        yield from _expand(root, (*base, head), rest, check)
        return
    for name, is_folder, _ in _entries(root, base, check):
        hidden = name.startswith(_HIDDEN) and not head.startswith(_HIDDEN)
        if hidden or not fnmatch.fnmatchcase(name, head):
            continue
        if rest:
            if is_folder:
                yield from _expand(root, (*base, name), rest, check)
        elif not is_folder:
            yield (*base, name)


def _entries(root: Root, base: tuple[str, ...], check: Callable[[], None]) -> list[tuple[str, bool, bool]]:
    """Name, whether a folder, whether a link, of everything in the folder ``base``; nothing when it is no folder."""
    check()
    real = root.real_parts(base)
    try:
        with root.folder(real) as descriptor, os.scandir(descriptor) as entries:
            found = [(entry.name, _is_folder(entry), entry.is_symlink()) for entry in entries]
    except DriverError as error:
        if error.code in ("OSR-FS-052", "OSR-FS-004"):
            return []
        raise
    return sorted(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _refuse_name(parts: tuple[str, ...]) -> None:
    text = "/".join(parts)
    if shown(text) != text:
        raise DriverError("OSR-FS-001", f"the file '{shown(text)}' has control or invisible characters in its name")
