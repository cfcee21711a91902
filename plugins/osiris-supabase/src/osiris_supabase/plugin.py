"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

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
from osiris_supabase.config import Extractor, Writer
from osiris_supabase.connection import SupabaseConnection
from osiris_supabase.errors import READING, SERVER, WRITING
from osiris_supabase.rest.errors import REST
from osiris_supabase.rest.limits import of_extractor, of_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

OSIRIS_API = "1.0"

_FAMILY: Final = "supabase"


@hookimpl
def osiris_components() -> tuple[ComponentSpec, ...]:
    """The extractor and the writer."""
    return (
        ComponentSpec(
            name=f"{_FAMILY}.extractor",
            version="1.0.0",
            role=Role.EXTRACTOR,
            config=Extractor,
            summary="Read a table or query of a Supabase project or PostgreSQL database.",
            description="With a dsn the rows are copied out of one read-only transaction; without, a table is paged "
            "through the Data API. Every value is exact or stays the server's text; what was read how is in the run "
            "record.",
            connection=_FAMILY,
            examples=(
                Example(title="Read a table", config={"table": "orders", "columns": ["id", "total", "placed_at"]}),
                Example(
                    title="Read a query",
                    config={
                        "query": "SELECT id, total::numeric(12,2) AS total FROM orders WHERE placed_at >= :since",
                        "query_params": {"since": "2026-01-01"},
                    },
                ),
            ),
            hints=(
                "A sum or average of numerics has no width: cast it, as in sum(total)::numeric(18,2), or it is text.",
                "A query needs a connection with a dsn; without one, name a table.",
            ),
            errors=(*SERVER, *READING, *REST),
            sql_dialect="postgres",
        ),
        ComponentSpec(
            name=f"{_FAMILY}.writer",
            version="1.0.0",
            role=Role.WRITER,
            config=Writer,
            summary="Write a table of a Supabase project or PostgreSQL database.",
            description="With a dsn the table is changed in one transaction, together with a commit row in "
            "_osiris_loads: readers see the table as it was or as it will be. Without, rows are upserted in batches "
            "through the Data API.",
            connection=_FAMILY,
            examples=(
                Example(title="Replace a table", config={"table": "daily", "mode": "replace"}),
                Example(
                    title="Update and add orders",
                    config={"table": "orders", "mode": "upsert", "primary_key": ["id"], "grants": ["service_role"]},
                ),
            ),
            hints=("Without a dsn only mode: upsert can be written, and the table must exist.",),
            errors=(*SERVER, *WRITING, *REST),
            sql_dialect="postgres",
        ),
    )


@hookimpl
def osiris_drivers() -> tuple[DriverSpec, ...]:
    """The code behind the components."""
    return (
        DriverSpec(
            component=f"{_FAMILY}.extractor",
            ref="osiris_supabase.extractor:ExtractorDriver",
            capabilities=frozenset({Capability.BINDS, Capability.PARTITIONED}),
        ),
        DriverSpec(
            component=f"{_FAMILY}.writer",
            ref="osiris_supabase.writer:WriterDriver",
            capabilities=frozenset({Capability.STAGED, Capability.BINDS, Capability.KEEPS_STATE}),
        ),
    )


@hookimpl
def osiris_connections() -> tuple[ConnectionSpec, ...]:
    """The family ``supabase``."""
    return (
        ConnectionSpec(
            family=_FAMILY,
            config=SupabaseConnection,
            summary="A Supabase project, or any PostgreSQL database.",
            doctor="osiris_supabase.doctor:SupabaseDoctor",
            example={"dsn": "${SUPABASE_DSN}"},
        ),
    )


@hookimpl
def osiris_discoverers() -> tuple[DiscovererSpec, ...]:
    """What is in a project."""
    return (DiscovererSpec(family=_FAMILY, ref="osiris_supabase.discover:SupabaseDiscoverer"),)


@hookimpl
def osiris_validate_pipeline(pipeline: Any, catalog: Any) -> Iterator[Diagnostic]:
    """What a step asks of a connection without a dsn that the Data API cannot do safely."""
    limits = {f"{_FAMILY}.extractor": of_extractor, f"{_FAMILY}.writer": of_writer}
    for step in pipeline.steps:
        if step.component in limits and "dsn" not in catalog.connections.get(step.config.get("connection"), ("dsn",)):
            for finding in limits[step.component](step.config):
                yield attrs.evolve(finding, path=("steps", step.index, "config", *finding.path))
