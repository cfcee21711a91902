"""Inputs as tables of a connection, each read at most once - or held in a temporary table when the query needs more.

A stream can be read once; a query may read a table several times (a self-join, two subqueries, a recursive part that
runs again and again). How often a query reads each input is not a question of its text - DuckDB inlines, duplicates
and shares parts of it - so the plan is asked: every input is first registered as an empty stand-in whose columns carry
the input's number, the plan's scans are counted by those numbers, and only then are the real rows put behind the same
names. Of an input that has to be held, only the columns that the plan reads are. Should a plan ever read a stream
twice, or a column that is not held, the step fails; it never gives other rows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Schema

from osiris_core.api import DriverError
from osiris_core.builtin.duckdb.carriers import refuse_unreadable, restored
from osiris_core.run.cstream import export_stream
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCAN: Final = "PYTHON_ARROW_SCAN"
_NUMBERED: Final = re.compile(r"(\d+):(\d+)")
_UNHOLDABLE: Final = "1.23e300"
"""A number that no INTEGER can be; it shows in the message of the error."""

Holding = Mapping[int, frozenset[int]]
"""Inputs to hold, by number, each with the positions of the columns to hold."""


@attrs.frozen(kw_only=True)
class _Input:
    number: int
    names: tuple[str, ...]
    rows: Any
    schema: Schema


class Inputs:
    """The inputs of one query. ``datasets`` maps SQL names to datasets (or schemas, to bind only); two names may
    stand for one dataset.
    """

    def __init__(self, datasets: Mapping[str, Any]) -> None:
        grouped: dict[int, tuple[list[str], Any]] = {}
        for name, rows in datasets.items():
            grouped.setdefault(id(rows), ([], rows))[0].append(name)
        self._inputs = tuple(
            _Input(
                number=number, names=tuple(names), rows=rows, schema=Schema.from_arrow(getattr(rows, "schema", rows))
            )
            for number, (names, rows) in enumerate(grouped.values())
        )
        for one in self._inputs:
            _refuse_duplicates(one)
            refuse_unreadable(one.schema, what=f"the input '{one.names[0]}'")

    def failure(self) -> BaseException | None:
        """What went wrong upstream, if anything did."""
        for one in self._inputs:
            failure = getattr(one.rows, "failure", None)
            if isinstance(failure, BaseException):
                return failure
        return None

    def stand_in(self, connection: Any) -> None:
        """Put empty stand-ins behind the names, to bind and plan with."""
        for one in self._inputs:
            fields = [one.schema.field(at).with_name(f"{one.number}:{at}") for at in range(len(one.schema.names))]
            connection.register(f"__osiris_plan_{one.number}", _Nothing(Schema(fields)))
            columns = [
                restored(connection, one.schema.field(at), quote_identifier(field.name))
                for at, field in enumerate(fields)
            ]
            self._show(connection, one, f"__osiris_plan_{one.number}", columns)

    def read_more_than_once(self, connection: Any, sql: str, params: Mapping[str, Any]) -> Holding:
        """The inputs that the plan of ``sql`` reads more than once, each with the positions of the columns it reads;
        needs the stand-ins.
        """
        explained = connection.execute(f"EXPLAIN (FORMAT json) {sql}", dict(params) or None).fetchall()
        counts: Counter[int] = Counter()
        columns: dict[int, set[int]] = {}
        for scan in _scans(json.loads(explained[0][1])):
            if scan.number is None:  # a scan of who knows what: hold everything
                return {one.number: frozenset(range(len(one.schema.names))) for one in self._inputs}
            counts[scan.number] += 2 if scan.repeated else 1
            columns.setdefault(scan.number, set()).update(scan.columns)
        return {number: frozenset(columns[number]) for number, count in counts.items() if count > 1}

    def connect(self, connection: Any, hold: Holding) -> None:
        """Put the rows themselves behind the names, those in ``hold`` after reading them into a temporary table."""
        for one in self._inputs:
            stream = f"__osiris_rows_{one.number}"
            columns = [
                restored(connection, field, quote_identifier(field.name))
                for field in (one.schema.field(at) for at in range(len(one.schema.names)))
            ]
            connection.register(stream, _Once(one))
            if one.number in hold:
                # The types as the query sees them, from the stand-in that is still behind the name.
                types = connection.sql(f"SELECT * FROM {quote_identifier(one.names[0])}").types
                table = f"__osiris_held_{one.number}"
                kept = hold[one.number]
                listed = ", ".join(quote_identifier(one.schema.names[at]) for at in sorted(kept))
                connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {listed} FROM {stream}")
                connection.unregister(stream)
                stream = table
                columns = [column if at in kept else _not_held(types[at]) for at, column in enumerate(columns)]
            self._show(connection, one, stream, columns)

    def name_of(self, number: int) -> str:
        """The name of an input for messages."""
        return self._inputs[number].names[0]

    def _show(self, connection: Any, one: _Input, source: str, columns: list[str]) -> None:
        """Put ``columns`` of ``source``, SQL for each column of the input, behind the input's names."""
        items = (
            f"{column} AS {quote_identifier(name)}" for column, name in zip(columns, one.schema.names, strict=True)
        )
        select = f"SELECT {', '.join(items)} FROM {source}"
        for name in one.names:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote_identifier(name)} AS {select}")


def _not_held(kind: Any) -> str:
    """A column that the plan does not read. Should a plan read it after all, the step fails; it never sees NULL.

    Not ``error()``, which is volatile: the optimizer would keep it where it drops a column that nobody reads.
    """
    return f"CASE WHEN CAST({_UNHOLDABLE} + rowid AS INTEGER) > 0 THEN CAST(NULL AS {kind}) END"


def _refuse_duplicates(one: _Input) -> None:
    seen: dict[str, str] = {}
    for name in one.schema.names:
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise DriverError(
                "OSR-DUCKDB-007",
                f"the input '{one.names[0]}' has the columns '{other}' and '{name}', which are one name in SQL",
                hint="rename one of them in the step that produces them",
            )
    if not one.schema.names:
        raise DriverError("OSR-DUCKDB-006", f"the input '{one.names[0]}' has no columns")


@attrs.frozen(kw_only=True)
class _Scan:
    """One scan of a stand-in: the input's number, the columns, and whether it stands where it runs repeatedly."""

    number: int | None
    columns: frozenset[int] = frozenset()
    repeated: bool


def _scans(plan: Any) -> Iterator[_Scan]:
    pending = [(node, False) for node in plan]
    while pending:
        node, repeated = pending.pop()
        name = str(node["name"]).strip()
        if name == _SCAN:
            yield _scan(node.get("extra_info", {}).get("Projections", ""), repeated=repeated)
        # Both sides of a recursion count: the recursive one runs again and again, and telling them apart gains nothing.
        inside = repeated or ("REC" in name and "CTE" in name and "SCAN" not in name)
        pending.extend((child, inside) for child in node.get("children", ()))


def _scan(projections: str | list[str], *, repeated: bool) -> _Scan:
    names = [projections] if isinstance(projections, str) else projections
    matches = [_NUMBERED.match(name) for name in names]
    numbers = {int(match[1]) if match else None for match in matches}
    number = numbers.pop() if len(numbers) == 1 else None
    if number is None:
        return _Scan(number=None, repeated=repeated)
    return _Scan(number=number, columns=frozenset(int(match[2]) for match in matches if match), repeated=repeated)


class _Nothing:
    """No rows of a schema, as often as asked."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return export_stream(self.schema, iter(()), lambda: None)


class _Once:
    """The rows of an input, for one reading."""

    def __init__(self, one: _Input) -> None:
        self._input = one
        self._read = False
        self.schema = one.schema

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        if self._read:
            raise DriverError("OSR-DUCKDB-009", f"the query read its input '{self._input.names[0]}' twice")
        self._read = True
        return self._input.rows.__arrow_c_stream__()
