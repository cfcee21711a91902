"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

from typing import Final

from osiris_core.api import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    DiscovererSpec,
    DriverSpec,
    Example,
    Role,
    hookimpl,
)
from osiris_filesystem.connection import FilesystemConnection
from osiris_filesystem.csv_config import CsvExtractor, CsvWriter
from osiris_filesystem.errors import PATHS, READING, WRITING
from osiris_filesystem.excel_config import ExcelExtractor
from osiris_filesystem.jsonl_config import JsonlExtractor, JsonlWriter
from osiris_filesystem.parquet_config import ParquetExtractor, ParquetWriter

OSIRIS_API = "1.0"

_FAMILY: Final = "filesystem"
_PATH_HINT: Final = (
    "Paths are relative to the connection's root, or to the project without a connection; never absolute."
)
_WRITE_HINTS: Final = (
    _PATH_HINT,
    "mode: append needs layout: folder. There is no upsert for files.",
)


def _extractor(
    name: str, config: type, summary: str, description: str, examples: tuple[Example, ...], *hints: str
) -> ComponentSpec:
    return ComponentSpec(
        name=f"{_FAMILY}.{name}",
        version="1.0.0",
        role=Role.EXTRACTOR,
        config=config,
        summary=summary,
        description=description,
        connection=_FAMILY,
        connection_required=False,
        examples=examples,
        hints=(_PATH_HINT, *hints),
        errors=(*PATHS, *READING),
    )


def _writer(
    name: str, config: type, summary: str, description: str, examples: tuple[Example, ...], *hints: str
) -> ComponentSpec:
    return ComponentSpec(
        name=f"{_FAMILY}.{name}",
        version="1.0.0",
        role=Role.WRITER,
        config=config,
        summary=summary,
        description=description,
        connection=_FAMILY,
        connection_required=False,
        examples=examples,
        hints=(*_WRITE_HINTS, *hints),
        errors=(*PATHS, *WRITING),
    )


@hookimpl
def osiris_components() -> tuple[ComponentSpec, ...]:
    """The extractors and writers."""
    return (
        _extractor(
            "csv_extractor",
            CsvExtractor,
            "Read CSV files.",
            "Every cell must state a value of its column's type exactly, or the read ends with file, line and column."
            " Types that are not stated are inferred from a sample; what was inferred is in the run record.",
            (
                Example(title="Read one file", config={"path": "orders.csv"}),
                Example(
                    title="Read a year of packed files with stated types",
                    config={
                        "path": "orders/2026-*.csv.gz",
                        "columns": ["id", "total", "placed_at"],
                        "types": {"id": "BIGINT", "total": "DECIMAL(12,2)", "placed_at": "TIMESTAMPTZ"},
                    },
                ),
            ),
            "State types for codes, money and timestamps; leave the rest to inference.",
        ),
        _writer(
            "csv_writer",
            CsvWriter,
            "Write a CSV file.",
            'The same rows give the same bytes. NULL is an empty cell, empty text is `""`; timestamps are ISO 8601.',
            (
                Example(title="Write one file", config={"path": "out/report.csv", "create_dirs": True}),
                Example(
                    title="Write for a spreadsheet",
                    config={"path": "report.csv", "newline": "crlf", "byte_order_mark": True, "excel_safe": True},
                ),
            ),
        ),
        _extractor(
            "parquet_extractor",
            ParquetExtractor,
            "Read Parquet files.",
            "Only the columns asked for are read. Files of one pattern must have the same columns and types unless"
            " `union_by_name` is true.",
            (
                Example(title="Read one file", config={"path": "orders.parquet"}),
                Example(
                    title="Read folders that name partitions",
                    config={"path": "orders/*/*.parquet", "hive_partitioning": True, "columns": ["id", "year"]},
                ),
            ),
        ),
        _writer(
            "parquet_writer",
            ParquetWriter,
            "Write a Parquet file.",
            "The same rows give the same bytes, however they were batched on their way.",
            (
                Example(title="Write one file", config={"path": "out/orders.parquet", "create_dirs": True}),
                Example(
                    title="Add a part to a folder with each run",
                    config={"path": "lake/orders", "layout": "folder", "mode": "append"},
                ),
            ),
        ),
        _extractor(
            "jsonl_extractor",
            JsonlExtractor,
            "Read JSON Lines files.",
            "One JSON object a line. Nested values come as JSON text unless `types` states a structure.",
            (
                Example(title="Read one file", config={"path": "events.jsonl"}),
                Example(
                    title="Read with a stated structure",
                    config={"path": "events/*.jsonl.gz", "types": {"id": "BIGINT", "tags": "VARCHAR[]"}},
                ),
            ),
        ),
        _writer(
            "jsonl_writer",
            JsonlWriter,
            "Write a JSON Lines file.",
            "The same rows give the same bytes. Decimals keep all their digits; timestamps are ISO 8601 text.",
            (Example(title="Write one file", config={"path": "out/events.jsonl", "create_dirs": True}),),
        ),
        _extractor(
            "excel_extractor",
            ExcelExtractor,
            "Read a sheet of an Excel workbook.",
            "Needs the extra `excel`: pip install 'osiris-filesystem[excel]'. The sheet is read into memory.",
            (Example(title="Read the first sheet", config={"path": "budget.xlsx"}),),
        ),
    )


@hookimpl
def osiris_drivers() -> tuple[DriverSpec, ...]:
    """The code behind the components."""
    reads = frozenset({Capability.PARTITIONED, Capability.BINDS})
    writes = frozenset({Capability.STAGED, Capability.BINDS, Capability.KEEPS_STATE})
    return tuple(
        DriverSpec(component=f"{_FAMILY}.{component}", ref=f"osiris_filesystem.{ref}", capabilities=capabilities)
        for component, ref, capabilities in (
            ("csv_extractor", "csv_read:CsvExtractorDriver", reads),
            ("csv_writer", "csv_write:CsvWriterDriver", writes),
            ("parquet_extractor", "parquet_read:ParquetExtractorDriver", reads),
            ("parquet_writer", "parquet_write:ParquetWriterDriver", writes),
            ("jsonl_extractor", "jsonl_read:JsonlExtractorDriver", reads),
            ("jsonl_writer", "jsonl_write:JsonlWriterDriver", writes),
            ("excel_extractor", "excel_read:ExcelExtractorDriver", frozenset({Capability.BINDS})),
        )
    )


@hookimpl
def osiris_connections() -> tuple[ConnectionSpec, ...]:
    """The family ``filesystem``."""
    return (
        ConnectionSpec(
            family=_FAMILY,
            config=FilesystemConnection,
            summary="A folder of this machine.",
            doctor="osiris_filesystem.doctor:FilesystemDoctor",
            example={"root": "data"},
        ),
    )


@hookimpl
def osiris_discoverers() -> tuple[DiscovererSpec, ...]:
    """What lies in a folder."""
    return (DiscovererSpec(family=_FAMILY, ref="osiris_filesystem.discover:FilesystemDiscoverer"),)
