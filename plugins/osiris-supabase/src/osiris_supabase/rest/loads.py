"""Commit rows over the Data API: which loads a schema has, and the state of incremental extracts beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError, Report
from osiris_supabase.rest.client import parse_rows
from osiris_supabase.rest.failures import Refused, raise_refusal
from osiris_supabase.rest.names import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_supabase.rest.catalog import Table
    from osiris_supabase.rest.client import RestClient

TABLE: Final = "_osiris_loads"
_NEEDED: Final = frozenset(
    {"load_id", "manifest_hash", "step", "target", "mode", "rows", "checksum", "loaded_at", "state_key", "state"}
)


def usable(table: Table | None) -> bool:
    """Whether the table of commit rows is there, with all its columns."""
    return table is not None and {column.name for column in table.columns} >= _NEEDED


def find_load(client: RestClient, load_id: str, target: str) -> Report | None:
    """The report of a load that is there."""
    params = (
        ("select", f'{columns(["target", "checksum"])},"rows"::text'),
        ('"load_id"', f"eq.{load_id}"),
        ("limit", "1"),
    )
    found = _read(client, params)
    if not found:
        return None
    if found[0]["target"] != target:
        raise DriverError("OSR-SUPA-129", f"this load is recorded for '{found[0]['target']}', not for '{target}'")
    return Report(target=target, rows=int(found[0]["rows"]), checksum=found[0]["checksum"])


def newest_state(client: RestClient, key: str) -> str | None:
    """The state of an incremental extract that was noted last."""
    found = _newest(client, key)
    return None if found is None else str(found["state"])


def note(client: RestClient, row: dict[str, Any]) -> None:
    """Add a commit row; one of the same load that is there stays.

    The time of a row with a state is after that of the state before it, whatever the clock says.
    """
    moment = datetime.now(UTC)
    before = _newest(client, row["state_key"]) if row["state_key"] is not None else None
    if before is not None:
        moment = max(moment, datetime.fromisoformat(before["moment"]) + timedelta(microseconds=1))
    row = {**row, "loaded_at": moment.isoformat()}
    params = (("columns", columns(row)), ("on_conflict", columns(["load_id"])))
    try:
        client.upsert(TABLE, params, json.dumps([row]).encode(), prefer="resolution=ignore-duplicates,return=minimal")
    except Refused as refused:
        raise_refusal(refused, what=f"adding the commit row to '{TABLE}'")


def _newest(client: RestClient, key: str) -> dict[str, Any] | None:
    params = (
        ("select", 'state,moment:"loaded_at"::text'),
        ('"state_key"', f"eq.{key}"),
        ('"state"', "not.is.null"),
        ("order", '"loaded_at".desc'),
        ("limit", "1"),
    )
    found = _read(client, params)
    return found[0] if found else None


def _read(client: RestClient, params: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    what = f"reading '{TABLE}'"
    try:
        return parse_rows(client.read(TABLE, params), what=what)
    except Refused as refused:
        raise_refusal(refused, what=what)
