"""The table ``_osiris_loads``: one row for each load, written in the load's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.api import DriverError, Report, quote_identifier
from osiris_supabase.postgres.begin import begin

if TYPE_CHECKING:
    from osiris_core.api import LoadState
    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.postgres.session import Session
    from osiris_supabase.postgres.target import Place

HIDDEN: Final = (
    "'_osiris_loads' is under row level security, and a load whose row a policy hides would be made twice: write as "
    "its owner, or as a role with BYPASSRLS that may SELECT, INSERT and UPDATE it"
)
"""What to do when the role may not see every commit row."""
_LOCK: Final = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))"


@attrs.frozen(kw_only=True)
class CommitRow:
    """What is noted of a load."""

    load_id: str
    manifest_hash: str
    step: str
    target: str
    mode: str
    rows: int
    checksum: str | None
    state: LoadState | None


def create_statements(schema: str) -> tuple[str, ...]:
    """SQL that makes the table. No policy lets anybody but its owner see it: schemas may be exposed to the web."""
    table = loads_table(schema)
    return (
        (
            f"CREATE TABLE IF NOT EXISTS {table} (load_id text PRIMARY KEY, manifest_hash text NOT NULL, "
            "step text NOT NULL, target text NOT NULL, mode text NOT NULL, rows bigint NOT NULL, checksum text, "
            "loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(), state_key text, state text)"
        ),
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    )


def loads_table(schema: str) -> str:
    """The table in SQL."""
    return f"{quote_identifier(schema)}._osiris_loads"


def has_loads(session: Session, schema: str) -> bool:
    """Whether the table is there."""
    return bool(
        session.rows(
            "SELECT 1 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname = $1 AND c.relname = '_osiris_loads'",
            schema,
        )
    )


def create_loads(session: Session, schema: str, *, create_schema: bool) -> None:
    """Make the table, and the schema where it may, one session after the other."""
    session.rows(_LOCK, "osiris:loads")
    if create_schema and not session.rows("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", schema):
        session.run(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(schema)}")
    if not has_loads(session, schema):
        for statement in create_statements(schema):
            session.run(statement)


def begin_reading(session: Session, connection: SupabaseConnection) -> None:
    """Begin a read-only transaction in which commit rows that a policy hides are an error, and not none."""
    begin(session, connection, read_only=True)
    session.run("SET LOCAL row_security = off")


def find_load(session: Session, place: Place, load_id: str) -> Report | None:
    """The report of a load that the database already has."""
    found = session.rows(f"SELECT target, rows, checksum FROM {loads_table(place.schema)} WHERE load_id = $1", load_id)
    if not found:
        return None
    target, rows, checksum = found[0]
    if target != place.shown:
        raise DriverError("OSR-PG-039", f"this load is recorded for '{target}', not for '{place.shown}'")
    return Report(target=place.shown, rows=int(rows or 0), checksum=checksum)


def add_load(session: Session, schema: str, row: CommitRow) -> bool:
    """Note a load; False when another session has noted it meanwhile. A state is later than the one before it, whatever
    the server's clock says.
    """
    table = loads_table(schema)
    if row.state is not None:
        # One after the other until their ends, so that the later one sees the time of the one before.
        session.rows(_LOCK, f"osiris:state:{schema}:{row.state.key}")
        if session.rows(f"SELECT 1 FROM {table} WHERE load_id = $1", row.load_id):
            return False
        row.state.require_unmoved(read_state(session, schema, row.state.key))
    after = f"(SELECT max(loaded_at) + interval '1 microsecond' FROM {table} WHERE state_key = $8)"
    return bool(
        session.run(
            f"INSERT INTO {table} (load_id, manifest_hash, step, target, mode, rows, checksum, "
            "loaded_at, state_key, state) VALUES ($1, $2, $3, $4, $5, $6, $7, "
            f"greatest(pg_catalog.clock_timestamp(), {after}), $8, $9) ON CONFLICT (load_id) DO NOTHING",
            row.load_id,
            row.manifest_hash,
            row.step,
            row.target,
            row.mode,
            row.rows,
            row.checksum,
            row.state.key if row.state else None,
            row.state.text if row.state else None,
        )
    )


def forget_states(session: Session, place: Place) -> None:
    """End the states of a table that is gone: what a new one of its name holds, none of them tells."""
    session.run(f"UPDATE {loads_table(place.schema)} SET state = NULL WHERE target = $1", place.shown)


def read_state(session: Session, schema: str, key: str) -> str | None:
    """The text of the newest state of ``key``."""
    found = session.rows(
        f"SELECT state FROM {loads_table(schema)} WHERE state_key = $1 AND state IS NOT NULL "
        "ORDER BY loaded_at DESC LIMIT 1",
        key,
    )
    return found[0][0] if found else None
