"""A table read in parts at the same time, all of one state of the database.

Parts are ranges of the table's pages, so every row is in exactly one, whatever its keys are. One session exports its
snapshot and stays until every part has taken it over, or the read ends before: a part fails or is not wanted any more,
or the run is cancelled. A pooler of transactions may end it before, so there the table is read as one.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, Split
from osiris_supabase.postgres.query import find_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.api import DriverContext
    from osiris_supabase.config import Extractor
    from osiris_supabase.postgres.session import Session

_LEAST_PAGES: Final = 512
"""Pages (of 8 KB) that a part has at least: smaller ones are read sooner than a session is opened."""
_HELD_SECONDS: Final = 600
"""How long the server keeps a snapshot that nobody takes over, when no run does that would end."""


@attrs.define
class _Holder:
    """A session whose transaction keeps a snapshot, and how many parts have yet to take it over. ``end`` lets go."""

    waiting: int
    end: ExitStack = attrs.field(factory=ExitStack)
    since: float = attrs.field(factory=time.monotonic)


_holders: dict[int, _Holder] = {}
_numbers: Final = itertools.count()
"""A snapshot's name is that of one server only."""
_lock: Final = threading.Lock()


def plan_parts(session: Session, config: Extractor, schema: str, count: int, ctx: DriverContext) -> tuple[Split, ...]:
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
    number, holder = next(_numbers), _Holder(parts)
    holder.end.callback(session.close)
    with _lock:
        _holders[number] = holder
    holder.end.enter_context(ctx.on_cancel(partial(given_up, number)))
    bounds = [int(pages or 0) * part // parts for part in range(parts)]
    return tuple(
        Split(part=part, spec={"snapshot": snapshot, "holder": number, "first": first, "end": end})
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


def holder_of(spec: Mapping[str, Any]) -> int:
    """The number of what keeps the snapshot of a part."""
    return int(spec["holder"])


def taken(number: int) -> None:
    """Note that a part has taken the snapshot over; after the last one nobody needs to keep it."""
    with _lock:
        holder = _holders.get(number)
        if holder is None:
            return
        holder.waiting -= 1
        if holder.waiting:
            return
        del _holders[number]
    holder.end.close()


def given_up(number: int) -> None:
    """Let go of a snapshot, as the read has ended before every part has taken it over."""
    with _lock:
        holder = _holders.pop(number, None)
    if holder is not None:
        holder.end.close()


def _forget_old() -> None:
    """Let go of snapshots that the server has let go of, as their parts were never read."""
    with _lock:
        old = [number for number, holder in _holders.items() if time.monotonic() - holder.since > _HELD_SECONDS]
    for number in old:
        given_up(number)
