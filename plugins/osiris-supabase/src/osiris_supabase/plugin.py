"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

from typing import Final

from osiris_core.api import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    DriverSpec,
    Example,
    Role,
    hookimpl,
)
from osiris_supabase.config import Extractor
from osiris_supabase.connection import SupabaseConnection
from osiris_supabase.errors import READING, SERVER

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
            errors=(*SERVER, *READING),
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
            capabilities=frozenset({Capability.BINDS}),
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
            example={"dsn": "${SUPABASE_DSN}"},
        ),
    )
