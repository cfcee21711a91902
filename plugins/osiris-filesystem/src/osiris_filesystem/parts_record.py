"""The record of a folder of parts: which files belong to it, written last, so that a folder is what its record says.

``_osiris_parts.json`` is JSON: ``{"format": 1, "component", "columns": ["name TYPE"], "loads": [{"load_id",
"manifest_hash", "step", "rows"}], "files": [{"name", "load_id", "rows", "bytes", "crc32"}]}``. A part that the record
does not list is no part: it is a leftover of a load that died, and the next load removes it. A load that moved an
incremental extract also has ``"state_key"`` and ``"state"``.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.targets import create_file, remove

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris_filesystem.roots import Root

RECORD_NAME: Final = "_osiris_parts.json"
_STAGED_NAME: Final = ".osiris-record"
_FORMAT: Final = 1
_LIMIT: Final = 256 << 20
_NAME: Final = re.compile(r"part-[0-9a-f]{8,64}-\d{5}\.[a-z0-9.]{1,20}\Z")


@attrs.frozen(kw_only=True)
class PartEntry:
    """One part of a folder."""

    name: str
    load_id: str
    rows: int
    bytes: int
    crc32: str


@attrs.frozen(kw_only=True)
class LoadEntry:
    """One load that the folder holds: the commit row of :class:`osiris_core.api.Staged`."""

    load_id: str
    manifest_hash: str
    step: str
    rows: int
    state_key: str | None = None
    state: str | None = None


@attrs.frozen(kw_only=True)
class PartsRecord:
    """What a folder of parts holds."""

    component: str
    columns: tuple[str, ...]
    loads: tuple[LoadEntry, ...] = ()
    files: tuple[PartEntry, ...] = ()

    def load(self, load_id: str) -> LoadEntry | None:
        """The load of that id, if the folder holds it."""
        return next((one for one in self.loads if one.load_id == load_id), None)

    def state(self, key: str) -> str | None:
        """The state of that key which was noted last."""
        return next((one.state for one in reversed(self.loads) if one.state_key == key), None)

    def with_load(self, load: LoadEntry) -> PartsRecord:
        """The record with one more load. Of an extract's states only the newest stays: they may be large."""
        kept = tuple(
            attrs.evolve(one, state_key=None, state=None)
            if load.state_key is not None and one.state_key == load.state_key
            else one
            for one in self.loads
        )
        return attrs.evolve(self, loads=(*kept, load))

    def text(self) -> str:
        """The record's bytes as text; the same for the same content."""
        data = {"format": _FORMAT, **attrs.asdict(self)}
        # A load that moved no incremental extract says nothing about it.
        data["loads"] = [{key: value for key, value in load.items() if value is not None} for load in data["loads"]]
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def is_part_name(name: str) -> bool:
    """Whether ``name`` is one that Osiris gives to parts."""
    return _NAME.match(name) is not None


def read_record(root: Root, folder: tuple[str, ...]) -> PartsRecord | None:
    """The record in the folder at ``folder``, None when one of the two is not there; raises DriverError for a
    damaged one.
    """
    try:
        descriptor = root.open_file((*folder, RECORD_NAME))
    except DriverError as error:
        if error.code in ("OSR-FS-003", "OSR-FS-052"):  # no record, or no folder
            return None
        raise
    with os.fdopen(descriptor, "rb") as stream:
        raw = stream.read(_LIMIT)
    try:
        return _structured(json.loads(raw.decode("utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        where = "/".join((*folder, RECORD_NAME))
        raise DriverError("OSR-FS-009", f"the record of parts '{where}' is damaged: {error}") from error


def write_record(folder: int, record: PartsRecord, *, committed: Callable[[], object] | None = None) -> None:
    """Replace the record in an open folder; ``committed`` is called once it is visible. Raises OSError."""
    remove(folder, _STAGED_NAME)
    descriptor = create_file(folder, _STAGED_NAME)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(record.text().encode("utf-8"))
        os.fsync(descriptor)
        os.rename(_STAGED_NAME, RECORD_NAME, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        remove(folder, _STAGED_NAME)
        raise
    finally:
        os.close(descriptor)
    if committed is not None:
        committed()
    os.fsync(folder)


def _structured(data: Any) -> PartsRecord:
    if data["format"] != _FORMAT:
        raise ValueError(f"format {data['format']} is not known")
    files = tuple(PartEntry(**entry) for entry in data["files"])
    for entry in files:
        if not is_part_name(entry.name):
            raise ValueError("a part has a name that Osiris does not give")
    columns = tuple(map(str, data["columns"]))
    return PartsRecord(
        component=data["component"],
        columns=columns,
        loads=tuple(LoadEntry(**one) for one in data["loads"]),
        files=files,
    )
