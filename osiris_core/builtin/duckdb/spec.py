"""What the built-in DuckDB plugin offers. Light: imports no engine; drivers are named by reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.api import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    Diagnostic,
    DiscovererSpec,
    DriverSpec,
    Example,
    Role,
    hookimpl,
)
from osiris_core.builtin.duckdb import errors
from osiris_core.builtin.duckdb.config import DuckDBConnection, Extractor, Processor, Writer

if TYPE_CHECKING:
    from collections.abc import Iterable

OSIRIS_API = "1.0"

_PROCESSOR = ComponentSpec(
    name="duckdb.processor",
    version="1.0.0",
    role=Role.PROCESSOR,
    config=Processor,
    summary="Transform rows with SQL.",
    description=(
        "Runs one SELECT over the rows of the steps before, in an in-memory DuckDB that can reach nothing else: no "
        "file, no network, no extension, no setting. Rows flow through; what must be held (sorting, grouping, the "
        "smaller side of a join, an input that the query reads twice) is held within the memory limit and spills to "
        "the run's scratch folder."
    ),
    examples=(
        Example(
            title="Aggregate one input",
            config={
                "query": "SELECT carrier, avg(dep_delay) AS delay FROM df WHERE year = :year GROUP BY ALL ORDER BY ALL",
                "query_params": {"year": 2013},
            },
        ),
        Example(
            title="Join two inputs",
            config={"query": "SELECT f.*, a.name FROM flights AS f LEFT JOIN airlines AS a USING (carrier)"},
        ),
    ),
    hints=(
        "Refer to each input by its step id with '-' written as '_'; with one input 'df' works too.",
        "Write exactly one SELECT; bind values with ':name' and query_params, never paste them.",
        "Add ORDER BY when the order of the result matters; aggregates have none of their own.",
        "Give every computed column a name with AS.",
    ),
    errors=errors.SQL,
)

_EXTRACTOR = ComponentSpec(
    name="duckdb.extractor",
    version="1.0.0",
    role=Role.EXTRACTOR,
    config=Extractor,
    connection="duckdb",
    summary="Read a table or a query of a DuckDB file.",
    description=(
        "Opens the file read-only and reads a table, or runs one SELECT over its tables. The query can call no "
        "function that reaches files, settings or the network. Other processes may read the file at the same time."
    ),
    examples=(
        Example(title="A table", config={"connection": "@duckdb.main", "table": "orders", "columns": ["id", "total"]}),
        Example(
            title="A query with a bound value",
            config={
                "connection": "@duckdb.main",
                "query": "SELECT * FROM orders WHERE day >= CAST(:since AS DATE)",
                "query_params": {"since": "2024-01-01"},
            },
        ),
        Example(
            title="What has changed since the last load",
            config={"connection": "@duckdb.main", "table": "orders", "incremental": {"cursor": "updated_at"}},
        ),
    ),
    hints=(
        "Prefer 'table' with 'columns' when no filter or join is needed.",
        "With 'incremental', write with 'mode: upsert' (or 'append', which needs incremental.primary_key).",
    ),
    errors=(*errors.SQL, *errors.FILES, errors.TABLES[0]),
)

_WRITER = ComponentSpec(
    name="duckdb.writer",
    version="1.0.0",
    role=Role.WRITER,
    config=Writer,
    connection="duckdb",
    summary="Write a table of a DuckDB file in one transaction.",
    description=(
        "Stages all rows outside the file, then changes the table and notes the load in '_osiris_loads' in one "
        "transaction: readers see the table before or after, and a load that is repeated changes nothing. Columns are "
        "matched by name. A type that the table's column could not hold exactly is refused before a row moves."
    ),
    examples=(
        Example(title="Replace a table", config={"connection": "@duckdb.main", "table": "report", "mode": "replace"}),
        Example(
            title="Insert or update by key",
            config={"connection": "@duckdb.main", "table": "customers", "mode": "upsert", "primary_key": ["id"]},
        ),
        Example(
            title="Replace the days that are in the load",
            config={
                "connection": "@duckdb.main",
                "table": "sales",
                "mode": "delete_insert",
                "replace_keys": ["day"],
            },
        ),
    ),
    hints=(
        "Use 'replace' for a table that is computed anew each time, 'upsert' when rows have a key.",
        "'append' adds the rows again when the pipeline runs again.",
    ),
    errors=(*errors.FILES, *errors.TABLES, *errors.SQL[6:8], *errors.SQL[9:12]),
)

_PACKAGE = "osiris_core.builtin.duckdb"


@hookimpl
def osiris_components() -> Iterable[ComponentSpec]:
    """Processor, extractor and writer."""
    return (_PROCESSOR, _EXTRACTOR, _WRITER)


@hookimpl
def osiris_drivers() -> Iterable[DriverSpec]:
    """The drivers of the three components."""
    return (
        DriverSpec(
            component=_PROCESSOR.name,
            ref=f"{_PACKAGE}.processor:ProcessorDriver",
            capabilities=frozenset({Capability.BINDS}),
        ),
        DriverSpec(
            component=_EXTRACTOR.name,
            ref=f"{_PACKAGE}.extractor:ExtractorDriver",
            capabilities=frozenset({Capability.BINDS}),
        ),
        DriverSpec(
            component=_WRITER.name,
            ref=f"{_PACKAGE}.writer:WriterDriver",
            capabilities=frozenset({Capability.STAGED, Capability.BINDS, Capability.KEEPS_STATE}),
        ),
    )


@hookimpl
def osiris_connections() -> Iterable[ConnectionSpec]:
    """Connections to DuckDB files."""
    return (
        ConnectionSpec(
            family="duckdb",
            config=DuckDBConnection,
            summary="A DuckDB database file.",
            doctor=f"{_PACKAGE}.catalog:Doctor",
            example={"path": "warehouse.duckdb"},
        ),
    )


@hookimpl
def osiris_discoverers() -> Iterable[DiscovererSpec]:
    """The catalog of a DuckDB file."""
    return (DiscovererSpec(family="duckdb", ref=f"{_PACKAGE}.discover:Discoverer"),)


@hookimpl
def osiris_validate_pipeline(pipeline: Any, catalog: Any) -> Iterable[Diagnostic]:
    """Findings about the queries of the pipeline; the engine is imported only when there are any."""
    del catalog
    if not any(step.component in ("duckdb.processor", "duckdb.extractor") for step in pipeline.steps):
        return ()
    from osiris_core.builtin.duckdb.review import review

    return review(pipeline)
