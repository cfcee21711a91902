"""Rows sent in batches, each of them as often as it takes, and looked at once they are there."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError
from osiris_supabase.rest.client import parse_rows
from osiris_supabase.rest.failures import Refused, raise_refusal
from osiris_supabase.rest.names import column, columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import DriverContext, LoadPlan
    from osiris_supabase.config import Writer
    from osiris_supabase.rest.client import Answer, RestClient
    from osiris_supabase.rest.staging import Staging

_ROWS: Final = 1_000
_BYTES: Final = 1 << 20
_MERGE: Final = "resolution=merge-duplicates,count=exact,timezone=UTC"
_ROUNDING: Final = ("numeric", "timestamp without time zone", "timestamp with time zone", "time without time zone")
"""Types that round a value to digits which the Data API does not tell."""


@attrs.frozen(kw_only=True)
class Sent:
    """What was sent."""

    rows: int
    requests: int


def probe(client: RestClient, table: str, plan: LoadPlan, key: Sequence[str], *, target: str) -> None:
    """Send no rows: the server says whether the key has a unique constraint, and whether the role may write."""
    try:
        client.upsert(table, _params(plan, key), b"[]", prefer=f"{_MERGE},return=minimal")
    except Refused as refused:
        raise_refusal(refused, what=f"writing '{target}'")


def send(
    client: RestClient, config: Writer, plan: LoadPlan, staging: Staging, ctx: DriverContext, *, target: str
) -> Sent:
    """Send all staged rows."""
    sender = _Sender(client, config, plan, target)
    for batch in staging.batches(rows=_ROWS, size=_BYTES):
        ctx.check()
        sender.send(batch)
        ctx.failpoint("supabase.batch_sent")
    return Sent(rows=sender.rows, requests=sender.requests)


def _params(plan: LoadPlan, key: Sequence[str]) -> list[tuple[str, str]]:
    names = [theirs.name for _, theirs in plan.pairs]
    return [("columns", columns(names)), ("on_conflict", columns(key))]


class _Sender:
    def __init__(self, client: RestClient, config: Writer, plan: LoadPlan, target: str) -> None:
        self._client = client
        self._table = config.table
        self._target = target
        self._params = _params(plan, config.primary_key or ())
        self._looked = {theirs.name: str(theirs.type) for _, theirs in plan.pairs if theirs.type in _ROUNDING}
        self._returned = "minimal"
        if self._looked:
            self._params.append(("select", ",".join(f"{column(name)}::text" for name in self._looked)))
            self._returned = "representation"
        self.rows = 0
        self.requests = 0

    def send(self, lines: Sequence[str]) -> None:
        """One batch; halves of it where it is too much for the server."""
        body = f"[{','.join(lines)}]".encode()
        self.requests += 1
        try:
            answer = self._client.upsert(self._table, self._params, body, prefer=f"{_MERGE},return={self._returned}")
        except Refused as refused:
            if not refused.refusal.too_much or len(lines) == 1:
                raise_refusal(refused, what=f"writing '{self._target}', after {self.rows} rows")
            half = len(lines) // 2
            self.send(lines[:half])
            self.send(lines[half:])
            return
        self._look(lines, body, answer)
        self.rows += len(lines)

    def _look(self, lines: Sequence[str], body: bytes, answer: Answer) -> None:
        """See that the table has as many rows of the batch as were sent, with the values that were sent."""
        back: list[dict[str, Any]] = []
        if self._looked:
            back = parse_rows(answer, what=f"writing '{self._target}'")
        count = len(back) if self._looked else answer.total
        if count is not None and count != len(lines):
            raise DriverError(
                "OSR-SUPA-129",
                f"'{self._target}' took {count} of {len(lines)} rows",
                hint="look for triggers and policies that leave rows out",
            )
        if self._looked:
            self._compare(json.loads(body), back)

    def _compare(self, sent: list[dict[str, Any]], back: list[dict[str, Any]]) -> None:
        for name, kind in self._looked.items():
            value = _VALUES[kind]
            ours, theirs = (Counter(value(row[name]) for row in rows) for rows in (sent, back))
            if lost := ours - theirs:
                shown = next(row[name] for row in sent if value(row[name]) in lost)
                raise DriverError(
                    "OSR-SUPA-128",
                    f"'{self._target}' does not hold {shown!r} of column '{name}' as it was sent ({lost.total()} of "
                    f"{len(sent)} values of a batch); it was rounded, or changed by a trigger",
                )


def _number(text: str | None) -> Any:
    try:
        found = None if text is None else Decimal(text)
    except InvalidOperation:
        return text
    return "NaN" if found is not None and found.is_nan() else found


def _moment(text: str | None) -> Any:
    """A moment in UTC; one that Python's calendar does not have counts as equal to any other such."""
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return "beyond"
    return found if found is None or found.tzinfo is None else found.astimezone(UTC)


def _time(text: str | None) -> Any:
    try:
        return None if text is None else time.fromisoformat(text)
    except ValueError:
        return text


_VALUES: Final = {
    "numeric": _number,
    "timestamp without time zone": _moment,
    "timestamp with time zone": _moment,
    "time without time zone": _time,
}
