"""The state of an incremental extract, in the record of the folder of parts that its rows are appended to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from osiris_core.api import DriverError
from osiris_filesystem.parts_record import LoadEntry, PartsRecord, read_record, write_record
from osiris_filesystem.places import root_of
from osiris_filesystem.targets import Target, write_failure

if TYPE_CHECKING:
    from osiris_core.api import DriverContext, LoadState
    from osiris_filesystem.roots import Root


def read(config: Any, *, key: str, ctx: DriverContext) -> str | None:
    """The newest state of ``key``; None without one, and where there is no folder of parts."""
    record = _record(root_of(ctx), config)
    return record.state(key) if record is not None else None


def write(config: Any, *, state: LoadState, step_id: str, ctx: DriverContext) -> None:
    """Note ``state`` as a load without parts; raises DriverError where there is no folder of parts."""
    root = root_of(ctx, to_write=True)
    target = Target.lock(root, config.path, load_id=ctx.load_id, create_dirs=False)
    try:
        record = _record(root, config)
        if record is None:
            raise DriverError(
                "OSR-FS-003",
                f"there is no folder of parts '{target.path}' yet, which the state would belong to",
                hint="say in the pipeline where the first load begins: `incremental: {initial: …}`",
            )
        load = LoadEntry(
            load_id=ctx.load_id,
            manifest_hash=ctx.manifest_hash,
            step=step_id,
            rows=0,
            state_key=state.key,
            state=state.text,
        )
        folder = os.open(target.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target.folder)
        try:
            write_record(folder, record.with_load(load))
        finally:
            os.close(folder)
    except OSError as error:
        raise write_failure(error, target.path) from error
    finally:
        target.release()


def _record(root: Root, config: Any) -> PartsRecord | None:
    """The record of the folder; None when there is no folder, no record, or the target is one file."""
    if config.layout == "file":
        return None
    return read_record(root, root.relative(config.path))
