"""The write contract for files (:class:`osiris_core.api.Staged`), the same for every format.

One file: parts are staged beside it, joined, synced and renamed over it. A folder of parts: *replace* stages a whole
new folder and swaps it with the old one; *append* renames parts into the folder and then replaces the folder's record
of its parts, which is the commit: readers of Osiris see listed parts only, and a load that the record lists is not
written again. A file that is replaced needs no such record: writing it again gives the same file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import zlib
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import attrs
from arro3.core import Schema as ArrowSchema

from osiris_core.api import DriverError, OsirisError, Receipt, Report, Stage
from osiris_filesystem.parts_record import (
    RECORD_NAME,
    PartsRecord,
    is_part_name,
    read_record,
    write_record,
)
from osiris_filesystem.places import root_of
from osiris_filesystem.targets import (
    Target,
    create_file,
    is_staged_name,
    mode_of,
    names_in,
    remove,
    target_parts,
    write_failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osiris_core.api import Dataset, DriverContext, Schema
    from osiris_filesystem.roots import Root

_PIECE_BYTES: Final = 1 << 20


class Format(Protocol):
    """What a file format adds to the contract."""

    component: ClassVar[str]
    """The component's name."""

    def extension(self, config: Any) -> str:
        """The ending of a part's name, without the first dot."""
        ...

    def plan(self, config: Any, schema: Schema) -> Sequence[tuple[str, str]]:
        """Name and DuckDB type of each column that will be written; raises DriverError for what cannot be."""
        ...

    def write_rows(self, rows: Dataset, descriptor: int, *, first: bool, config: Any, ctx: DriverContext) -> int:
        """Write all rows to the open, empty file and say how many; ``first`` is the first piece of a file."""
        ...

    def join(self, pieces: Sequence[int], into: int, *, config: Any, ctx: DriverContext) -> None:
        """Join pieces, in order, into one open, empty file."""
        ...


@attrs.define(kw_only=True)
class Staging:
    """What one load has staged. ``place`` is a descriptor of the folder where the pieces stand."""

    format: Format
    target: Target
    config: Any
    ctx: DriverContext
    schema: Schema
    columns: tuple[str, ...]
    place: int
    record: PartsRecord | None = None
    made_folder: bool = False
    written: set[str] = attrs.field(factory=set)
    guard: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def one_file(self) -> bool:
        """Whether the target is a file, not a folder of parts."""
        return bool(self.config.layout == "file")

    def piece(self, part: int) -> str:
        """The name under which a part is staged."""
        if self.one_file or self.config.mode == "append":
            return self.target.staged_name(f"{part:05}")
        return self.part_name(part)

    def part_name(self, part: int) -> str:
        """The name of a part of a folder."""
        return f"part-{self.target.load_id[:32]}-{part:05}.{self.format.extension(self.config)}"

    def close(self, *, undone: bool = False) -> None:
        """Let go of folder and lock."""
        if self.place != self.target.folder and self.target.open:
            os.close(self.place)
        self.target.release(undone=undone)


def check(format_: Format, *, config: Any, schemas: Sequence[Schema], ctx: DriverContext) -> None:
    """Refuse what :func:`begin` would refuse, as far as that can be told without touching anything."""
    for schema in schemas:
        format_.plan(config, schema)
    root = root_of(ctx, to_write=True)
    parts = target_parts(root, config.path)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = os.lstat(root.path.joinpath(*root.real_parts(parts[:-1]), parts[-1])).st_mode
        _require_kind(mode, "/".join(parts), one_file=config.layout == "file")


def begin(format_: Format, *, config: Any, schema: Schema, ctx: DriverContext) -> Stage:
    """Open a stage; see :meth:`osiris_core.api.Staged.begin`."""
    columns = tuple(f"{name} {type_}" for name, type_ in format_.plan(config, schema))
    root = root_of(ctx, to_write=True)
    target = Target.lock(root, config.path, load_id=ctx.load_id, create_dirs=config.create_dirs)
    state = Staging(
        format=format_,
        target=target,
        config=config,
        ctx=ctx,
        schema=ArrowSchema.from_arrow(schema),
        columns=columns,
        place=target.folder,
    )
    stage = Stage(load_id=ctx.load_id, target=target.path, state=state)
    try:
        with failures(state):
            published = None if _open_file(state) else _open_folder(state, root)
    except BaseException:
        abort(stage)
        raise
    if published is None:
        return stage
    target.release()
    return attrs.evolve(stage, published=published, state=None)


def write(stage: Stage, part: int, rows: Dataset) -> Receipt:
    """Stage one part; see :meth:`osiris_core.api.Staged.write`."""
    state: Staging = stage.state
    name = state.piece(part)
    with failures(state):
        with state.guard:
            remove(state.place, name)
            descriptor = create_file(state.place, name)
            state.written.add(name)
        try:
            count = state.format.write_rows(
                rows, descriptor, first=part == 0 or not state.one_file, config=state.config, ctx=state.ctx
            )
            state.ctx.check()
            os.fsync(descriptor)
            size, checksum = measured(descriptor)
        finally:
            os.close(descriptor)
    return Receipt(part=part, rows=count, bytes=size, checksum=checksum, state=name)


def abort(stage: Stage) -> None:
    """Remove what was staged; see :meth:`osiris_core.api.Staged.abort`."""
    state: Staging | None = stage.state
    if state is None or not state.target.open:
        return
    try:
        for name in sorted(state.written):
            remove(state.place, name)
        if state.made_folder:
            with contextlib.suppress(OSError):
                os.unlink(RECORD_NAME, dir_fd=state.place)
                os.rmdir(state.target.name, dir_fd=state.target.folder)
        state.target.remove_staged()
    finally:
        state.close(undone=True)


def folder_report(state: Staging, record: PartsRecord, load_id: str) -> Report:
    """What a load has put into a folder of parts."""
    entries = [entry for entry in record.files if entry.load_id == load_id]
    rows = sum(entry.rows for entry in entries)
    details = {"files": [entry.name for entry in entries]}
    return Report(target=state.target.path, rows=rows, bytes=sum(entry.bytes for entry in entries), details=details)


def measured(descriptor: int) -> tuple[int, str]:
    """Size and CRC-32 of an open file: what tells a damaged copy, cheap enough to compute always."""
    at = checksum = 0
    while piece := os.pread(descriptor, _PIECE_BYTES, at):
        checksum = zlib.crc32(piece, checksum)
        at += len(piece)
    return at, f"crc32:{checksum:08x}"


@contextlib.contextmanager
def failures(state: Staging) -> Iterator[None]:
    """What the operating system refuses, as errors that name the target."""
    try:
        yield
    except OsirisError:
        raise
    except OSError as error:
        raise write_failure(error, state.target.path) from error


def _open_file(state: Staging) -> bool:
    """Check the target that is a file; False when it is a folder of parts."""
    if not state.one_file:
        return False
    mode = state.target.mode()
    if mode is not None:
        _require_kind(mode, state.target.path, one_file=True)
    return True


def _open_folder(state: Staging, root: Root) -> Report | None:
    """Make ready to write parts, or say what the same load has published before."""
    target = state.target
    _recover(target)
    mode = target.mode()
    parts = root.relative(state.config.path)
    if mode is not None:
        _require_kind(mode, target.path, one_file=False)
        state.record = read_record(root, parts)
        if state.record is not None and state.record.load(target.load_id) is not None:
            return folder_report(state, state.record, target.load_id)
        _clean_folder(state, root, parts)
    if state.config.mode == "replace":
        name = target.staged_name("new")
        os.mkdir(name, dir_fd=target.folder)
        state.place = _folder(target, name)
        return None
    _require_like(state)
    if mode is None:
        os.mkdir(target.name, dir_fd=target.folder)
        state.made_folder = True
    state.place = _folder(target, target.name)
    if state.record is None:
        # From now on, a part that no record lists is a leftover and not somebody's only copy.
        state.record = PartsRecord(component=state.format.component, columns=state.columns)
        write_record(state.place, state.record)
        os.fsync(target.folder)
    return None


def _folder(target: Target, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=target.folder)


def _recover(target: Target) -> None:
    """Where folders cannot be swapped in one step, a load may have died between its two: put the old one back."""
    if mode_of(target.folder, target.kept) is None:
        return
    if target.mode() is None:
        os.rename(target.kept, target.name, src_dir_fd=target.folder, dst_dir_fd=target.folder)
    else:
        remove(target.folder, target.kept)


def _clean_folder(state: Staging, root: Root, parts: tuple[str, ...]) -> None:
    """Remove leftovers in a folder of parts; refuse a folder that holds anything else than its parts."""
    path = state.target.path
    listed = {entry.name for entry in state.record.files} if state.record else set()
    with root.folder(parts) as folder:
        leftovers = [name for name in names_in(folder) if name not in listed and name != RECORD_NAME]
        for name in leftovers:
            if not is_part_name(name) and not is_staged_name(name):
                raise DriverError("OSR-FS-053", f"the folder '{path}' holds '{name}', which is no part of it")
            if state.record is None and state.config.mode == "append" and is_part_name(name):
                raise DriverError("OSR-FS-009", f"the folder '{path}' holds parts, but '{RECORD_NAME}' is missing")
        for name in leftovers:
            remove(folder, name)


def _require_kind(mode: int, path: str, *, one_file: bool) -> None:
    """Raise DriverError unless what stands at the target can be replaced, or added to."""
    if stat.S_ISLNK(mode):
        kind = "a link"
    elif one_file and stat.S_ISREG(mode):
        if mode & 0o222:
            return
        raise DriverError("OSR-FS-051", f"the file '{path}' is write-protected")
    elif not one_file and stat.S_ISDIR(mode):
        return
    else:
        kind = "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "no regular file"
    wanted = "a regular file, or not there yet" if one_file else "a folder of parts, or not there yet"
    raise DriverError("OSR-FS-051", f"'{path}' is {kind}; it must be {wanted}")


def _require_like(state: Staging) -> None:
    """Raise DriverError when the folder holds parts of another kind."""
    record, path = state.record, state.target.path
    if record is None or not record.files:
        return
    if record.component != state.format.component:
        raise DriverError("OSR-FS-051", f"the folder '{path}' was written by {record.component}")
    if record.columns == state.columns:
        return
    lacks = [one for one in record.columns if one not in state.columns]
    adds = [one for one in state.columns if one not in record.columns]
    said = [f"missing: {', '.join(lacks)}"] if lacks else []
    said += [f"new: {', '.join(adds)}"] if adds else []
    raise DriverError(
        "OSR-FS-050",
        f"the rows have other columns than the parts in '{path}' ({'; '.join(said) or 'another order'})",
        hint="bring them to the folder's columns in a step before, or write to another folder",
    )
