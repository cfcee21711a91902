"""A table read in parts at the same time, all of one state of the database.

Parts are ranges of the table's pages, so every row is in exactly one, whatever its keys are. One session exports its
snapshot and stays until every part has taken it over; a pooler of transactions may end it before, so there the table is
read as one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, Split
from osiris_supabase.postgres.query import find_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_supabase.config import Extractor
    from osiris_supabase.postgres.session import Session

_LEAST_PAGES: Final = 512
"""Pages (of 8 KB) that a part has at least: smaller ones are read sooner than a session is opened."""
_HELD_SECONDS: Final = 600
"""How long the server keeps a snapshot that nobody takes over."""


@attrs.define
class _Holder:
    """A session whose transaction keeps a snapshot, and how many parts have yet to take it over."""

    session: Session
    waiting: int
    since: float = attrs.field(factory=time.monotonic)


_holders: dict[str, _Holder] = {}
_lock: Final = threading.Lock()


def plan_parts(session: Session, config: Extractor, schema: str, count: int) -> tuple[Split, ...]:
    """At most ``count`` parts, none where the table is better read as one; ``session`` is in a read-only transaction,
    and is kept when there are parts.
    """
    if config.table is None or config.limit is not None or count < 2:
        return ()
    table = find_table(session, schema, config.table)
    if table is None or table.kind != "r" or session.endpoint.pooled:
        return ()
    ((process, pages),) = session.rows(
        "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_relation_size($1::oid) "
        "/ pg_catalog.current_setting('block_size')::int8",
        table.oid,
    )
    parts = min(count, int(pages or 0) // _LEAST_PAGES)
    if parts < 2 or process != str(session.process):
        return ()
    session.run(f"SET LOCAL idle_in_transaction_session_timeout = '{_HELD_SECONDS}s'")
    ((snapshot,),) = session.rows("SELECT pg_catalog.pg_export_snapshot()")
    assert snapshot is not None
    _forget_old()
    with _lock:
        _holders[snapshot] = _Holder(session, parts)
    bounds = [int(pages or 0) * part // parts for part in range(parts)]
    return tuple(
        Split(part=part, spec={"snapshot": snapshot, "first": first, "end": end})
        for part, (first, end) in enumerate(zip(bounds, [*bounds[1:], None], strict=True))
    )


def part_condition(spec: Mapping[str, Any]) -> str:
    """The rows of a part, as a condition; the last one has no end, for a table that grows meanwhile."""
    first, end = int(spec["first"]), spec["end"]
    condition = f"ctid >= '({first},0)'::tid"
    return condition if end is None else f"{condition} AND ctid < '({int(end)},0)'::tid"


def snapshot_of(spec: Mapping[str, Any]) -> str:
    """The name of the snapshot that a part is read from."""
    name = str(spec["snapshot"])
    if not all(part.isalnum() for part in name.split("-")):
        raise DriverError("OSR-PG-028", "a part of the table names no snapshot")
    return name


def taken(snapshot: str) -> None:
    """Note that a part has taken the snapshot over; after the last one nobody needs to keep it."""
    with _lock:
        holder = _holders.get(snapshot)
        if holder is None:
            return
        holder.waiting -= 1
        if holder.waiting:
            return
        del _holders[snapshot]
    holder.session.close()


def given_up(snapshot: str) -> None:
    """Let go of a snapshot of which a part has failed."""
    with _lock:
        holder = _holders.pop(snapshot, None)
    if holder is not None:
        holder.session.close()


def _forget_old() -> None:
    """Let go of snapshots that the server has let go of, as their parts were never read."""
    with _lock:
        old = [name for name, holder in _holders.items() if time.monotonic() - holder.since > _HELD_SECONDS]
    for name in old:
        given_up(name)
