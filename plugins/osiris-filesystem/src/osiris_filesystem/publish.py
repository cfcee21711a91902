"""Making staged files visible: at any instant a reader finds what was there before, or all that is there after."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.api import DriverError, Report
from osiris_core.api import rows as stream_of
from osiris_filesystem.exchange import exchange
from osiris_filesystem.parts_record import LoadEntry, PartEntry, PartsRecord, write_record
from osiris_filesystem.staging import failures, folder_report, measured, write
from osiris_filesystem.targets import create_file, remove

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, Receipt, Stage, Staged, Stream
    from osiris_filesystem.staging import Staging


def publish(stage: Stage, receipts: Sequence[Receipt]) -> Report:
    """Make the parts visible; see :meth:`osiris_core.api.Staged.publish`."""
    state: Staging = stage.state
    # A load without parts is one of no rows: it leaves an empty file behind, with its columns.
    ordered = sorted(receipts, key=lambda receipt: receipt.part) or [write(stage, 0, _no_rows(state))]
    if {receipt.state for receipt in ordered} != state.written or len(ordered) != len(state.written):
        raise DriverError("OSR-FS-058", f"the parts staged for '{state.target.path}' are not those to publish")
    with failures(state):
        report = _publish_file(state, ordered) if state.one_file else _publish_folder(state, ordered)
    state.close()
    return report


def write_all(
    driver: Staged, *, step_id: str, config: Any, inputs: Mapping[str, Dataset], ctx: DriverContext
) -> Mapping[str, Stream]:
    """Stage and publish in one go."""
    (rows,) = {id(dataset): dataset for dataset in inputs.values()}.values()
    stage = driver.begin(step_id=step_id, config=config, schema=rows.schema, ctx=ctx)
    try:
        if stage.published is None:
            driver.publish(stage, [driver.write(stage, 0, rows)])
    finally:
        driver.abort(stage)
    return {}


def _publish_file(state: Staging, receipts: Sequence[Receipt]) -> Report:
    target = state.target
    staged, size, checksum = receipts[0].state, receipts[0].bytes, receipts[0].checksum
    if len(receipts) > 1:
        staged = target.staged_name("joined")
        size, checksum = _join(state, [receipt.state for receipt in receipts], staged)
    old = target.mode()
    if old is not None and stat.S_ISREG(old):
        os.chmod(staged, stat.S_IMODE(old), dir_fd=state.place)
    state.ctx.failpoint("before_rename")
    state.ctx.check()  # from here on, cancelling comes too late
    os.rename(staged, target.name, src_dir_fd=state.place, dst_dir_fd=target.folder)
    state.written.discard(staged)
    state.ctx.failpoint("renamed")
    os.fsync(target.folder)
    target.remove_staged()
    return Report(target=target.path, rows=sum(receipt.rows for receipt in receipts), bytes=size, checksum=checksum)


def _join(state: Staging, names: Sequence[str], into: str) -> tuple[int, str]:
    with contextlib.ExitStack() as stack:
        pieces = []
        for name in names:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=state.place)
            stack.callback(os.close, descriptor)
            pieces.append(descriptor)
        joined = create_file(state.place, into)
        stack.callback(os.close, joined)
        state.written.add(into)
        state.format.join(pieces, joined, config=state.config, ctx=state.ctx)
        os.fsync(joined)
        return measured(joined)


def _publish_folder(state: Staging, receipts: Sequence[Receipt]) -> Report:
    target, ctx = state.target, state.ctx
    entries = tuple(
        PartEntry(
            name=state.part_name(receipt.part),
            load_id=target.load_id,
            rows=receipt.rows,
            bytes=receipt.bytes,
            crc32=(receipt.checksum or "").removeprefix("crc32:"),
        )
        for receipt in receipts
    )
    rows = sum(receipt.rows for receipt in receipts)
    noted = ctx.load_state()
    if noted is not None and state.record is not None:
        noted.require_unmoved(state.record.state(noted.key))
    load = LoadEntry(
        load_id=target.load_id,
        manifest_hash=ctx.manifest_hash,
        step=ctx.step_id,
        rows=rows,
        state_key=None if noted is None else noted.key,
        state=None if noted is None else noted.text,
    )
    if state.config.mode == "append":
        record = _append(state, receipts, entries, load)
    else:
        record = PartsRecord(component=state.format.component, columns=state.columns, loads=(load,), files=entries)
        write_record(state.place, record)
        ctx.failpoint("before_swap")
        ctx.check()
        _swap(state)
    return folder_report(state, record, target.load_id)


def _append(
    state: Staging, receipts: Sequence[Receipt], entries: tuple[PartEntry, ...], load: LoadEntry
) -> PartsRecord:
    before = state.record
    assert before is not None
    state.ctx.check()
    for receipt, entry in zip(receipts, entries, strict=True):
        state.written.add(entry.name)
        os.rename(receipt.state, entry.name, src_dir_fd=state.place, dst_dir_fd=state.place)
        state.written.discard(receipt.state)
    os.fsync(state.place)
    state.ctx.failpoint("parts_placed")
    record = attrs.evolve(
        before.with_load(load),
        component=state.format.component,
        columns=state.columns,
        files=(*before.files, *entries),
    )
    write_record(state.place, record, committed=state.written.clear)
    state.made_folder = False
    state.ctx.failpoint("recorded")
    return record


def _swap(state: Staging) -> None:
    """Put the staged folder in the place of the target, and remove what stood there."""
    target, folder = state.target, state.target.folder
    staged = target.staged_name("new")
    if target.mode() is None:
        os.rename(staged, target.name, src_dir_fd=folder, dst_dir_fd=folder)
        state.written.clear()
        os.fsync(folder)
        return
    if not exchange(folder, staged, target.name):
        os.rename(target.name, target.kept, src_dir_fd=folder, dst_dir_fd=folder)
        try:
            os.rename(staged, target.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.rename(target.kept, target.name, src_dir_fd=folder, dst_dir_fd=folder)
            raise
        staged = target.kept
    state.written.clear()
    state.ctx.failpoint("swapped")
    os.fsync(folder)
    remove(folder, staged)


def _no_rows(state: Staging) -> Any:
    def nothing() -> Generator[object, None, None]:
        yield from ()

    return stream_of(state.schema, nothing())
