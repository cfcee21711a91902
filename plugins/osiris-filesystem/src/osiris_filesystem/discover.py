"""What lies in a folder: each file of a known format as a table, with its columns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.csv_config import CsvExtractor
from osiris_filesystem.csv_plan import make_plan as csv_plan
from osiris_filesystem.engine import connect
from osiris_filesystem.jsonl_config import JsonlExtractor
from osiris_filesystem.jsonl_plan import make_plan as jsonl_plan
from osiris_filesystem.listing import list_files
from osiris_filesystem.parquet_config import ParquetExtractor
from osiris_filesystem.parquet_plan import make_plan as parquet_plan
from osiris_filesystem.roots import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from osiris_filesystem.connection import FilesystemConnection

_SAMPLE: Final = 2048
_FORMATS: Final[Mapping[str, tuple[str, Callable[..., Any], Callable[[str], Any]]]] = {
    ".csv": ("filesystem.csv_extractor", csv_plan, lambda path: CsvExtractor(path=path, sample_rows=_SAMPLE)),
    ".tsv": ("filesystem.csv_extractor", csv_plan, lambda path: CsvExtractor(path=path, sample_rows=_SAMPLE)),
    ".jsonl": ("filesystem.jsonl_extractor", jsonl_plan, lambda path: JsonlExtractor(path=path, sample_rows=_SAMPLE)),
    ".ndjson": ("filesystem.jsonl_extractor", jsonl_plan, lambda path: JsonlExtractor(path=path, sample_rows=_SAMPLE)),
    ".parquet": ("filesystem.parquet_extractor", parquet_plan, lambda path: ParquetExtractor(path=path)),
}


class FilesystemDiscoverer:
    """Reads headers, footers and samples of the files below a connection's root."""

    def tables(
        self, connection: FilesystemConnection, *, project_root: Path, timeout: float
    ) -> Iterable[Mapping[str, Any]]:
        """Each file: ``name`` (its path), ``component`` to read it with, ``columns``, ``bytes``, or what is wrong."""
        root = Root.of(connection.root, project_root)
        deadline = time.monotonic() + timeout
        try:
            files = list_files(root, "**/*", check=lambda: None)
        except DriverError as error:
            if error.code == "OSR-FS-006":
                return
            raise
        engine = connect()
        try:
            for file in files:
                found = _format(file.path)
                if found is None:
                    continue
                if time.monotonic() > deadline:
                    return
                component, plan, config = found
                table: dict[str, Any] = {"name": file.path, "component": component, "bytes": file.size, "columns": []}
                try:
                    planned = plan(engine, root, [file], config(file.path))
                    table["columns"] = [{"name": one.name, "type": one.type} for one in planned.columns]
                except DriverError as error:
                    table["problem"] = attrs.asdict(_Problem(code=error.code, message=error.message))
                yield table
        finally:
            engine.close()


@attrs.frozen(kw_only=True)
class _Problem:
    code: str
    message: str


def _format(path: str) -> tuple[str, Callable[..., Any], Callable[[str], Any]] | None:
    bare = path.lower().removesuffix(".gz").removesuffix(".zst")
    return next((found for ending, found in _FORMATS.items() if bare.endswith(ending)), None)
