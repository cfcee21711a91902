"""The cursor of an incremental extract, taken from the batches as they pass, with DuckDB's own types and order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Array, DataType, RecordBatch, Schema, Table

from osiris_core.builtin.duckdb.carriers import refuse_unreadable, restored
from osiris_core.builtin.duckdb.hardened import trusted_connection
from osiris_core.builtin.duckdb.ranges import not_below
from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import DriverError
from osiris_core.run.cursor_state import MAX_KEYS
from osiris_core.run.cursors import MEASURED, Kind, before, canonical, order
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from osiris_core.builtin.duckdb.hardened import Resources
    from osiris_core.spec.tables import Window

_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(
        (f"{sign}{size}int" for sign in ("", "u") for size in ("tiny", "small", "big", "huge")), Kind.INTEGER
    ),
    **dict.fromkeys(("integer", "uinteger"), Kind.INTEGER),
    "decimal": Kind.DECIMAL,
    **dict.fromkeys(("float", "double"), Kind.FLOAT),
    "date": Kind.DATE,
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), Kind.TIMESTAMP),
    **dict.fromkeys(("timestamp with time zone", "timestamptz_ns"), Kind.TIMESTAMPTZ),
    "varchar": Kind.TEXT,
    "uuid": Kind.UUID,
    "blob": Kind.BINARY,
}
_MOMENTS: Final = ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns")
_FORMS: Final[Mapping[str, str]] = {
    **{name: "number" for name, kind in _KINDS.items() if kind is Kind.INTEGER},
    "decimal": "number",
    **dict.fromkeys(_MOMENTS, "timestamp"),
    **dict.fromkeys(("varchar", "enum"), "text"),
}
"""Types whose values have one text, whatever their size; every other type is a form of its own."""

_PRUNE: Final = 2 * MAX_KEYS
_NO_COLUMN: Final = "OSR-RUN-082"
_NO_CURSOR: Final = "OSR-RUN-083"
_OUTSIDE: Final = "OSR-RUN-084"
_TOO_MANY: Final = "OSR-RUN-085"


@attrs.frozen(kw_only=True)
class Wanted:
    """What to look for: the cursor's ``window`` and ``lag``; ``keys`` of a row when rows are to be told apart.

    ``known`` are the digests of those that were loaded before, up to ``top``, each with the largest cursor that it may
    have.
    """

    step: str
    window: Window
    lag: float | None = None
    keys: tuple[str, ...] = ()
    known: Mapping[str, str] = attrs.field(factory=dict)
    top: str | None = None


class CursorMeter:
    """Takes every batch of one extract; then knows the largest cursor and the rows at it. Used by one thread at a time.

    ``top`` is the largest cursor so far (at first, that of earlier loads), ``met`` whether a row had one. Digests are
    made of the texts of values; ``forms`` says of what types, as far as another type would have other texts.
    """

    def __init__(self, schema: Schema, wanted: Wanted, resources: Resources) -> None:
        self.top = wanted.top
        self.met = False
        self.rows = 0
        self.dropped = 0
        self.forms: tuple[str, ...] = ()
        self._wanted = wanted
        self._seen: set[str] = set()
        refuse_unreadable(schema, what=f"the rows of '{wanted.step}'")
        self._at = [_position(schema, name, wanted.step) for name in (wanted.window.cursor, *wanted.keys)]
        self._connection = trusted_connection(resources)
        self._positions = Array([], DataType.int64())
        self._bounds: tuple[str | None, str | None] = (None, None)
        self._kept = 0
        self._limit = _PRUNE
        try:
            self._prepare(schema)
        except BaseException:
            self.close()
            raise

    def expect(self, lower: str | None, upper: str | None) -> None:
        """Refuse rows that are not between these values of the cursor, in their one form."""
        self._bounds = (None if lower is None else self._not_below(lower), upper)

    def close(self) -> None:
        """Let go of the engine; safe to call more than once."""
        self._connection.close()

    def take(self, batch: RecordBatch) -> RecordBatch:
        """``batch``, without the rows that were loaded before; DriverError for a cursor that cannot be."""
        self._connection.register("osiris_batch", self._columns(batch))
        try:
            old = self._measure()
            self.rows += batch.num_rows
            if not self._wanted.keys or self.top is None:
                return batch
            self._remember()
            return self._without_known(batch) if old else batch
        finally:
            self._connection.unregister("osiris_batch")

    def ties(self) -> tuple[str, ...]:
        """The digests of the rows that are read again next time, known or new; DriverError when they are too many,
        with those that are gone.
        """
        if not self._wanted.keys or self.top is None:
            return ()
        self._prune()
        count = self._kept + len(self.gone())
        if count > MAX_KEYS:
            since = "" if self._wanted.lag is None else f" or at most {self._wanted.lag:g} before it"
            raise DriverError(
                _TOO_MANY,
                f"{count:,} rows of '{self._wanted.step}' have the last value of the cursor{since}; "
                f"'mode: append' tells at most {MAX_KEYS:,} from new ones",
                hint="use 'mode: upsert', a finer cursor, or a shorter lag",
            )
        return tuple(digest for (digest,) in self._connection.execute("SELECT digest FROM kept").fetchall())

    def gone(self) -> dict[str, str]:
        """The known digests of rows that were not read this time, and may be there again the next."""
        if not self._wanted.keys or self.top is None:
            return {}
        since = before(self.kind, self.top, self._wanted.lag)
        return {
            digest: last
            for digest, last in self._wanted.known.items()
            if digest not in self._seen and (since is None or order(self.kind, last) >= order(self.kind, since))
        }

    def _prepare(self, schema: Schema) -> None:
        connection = self._connection
        fields = [schema.field(at) for at in self._at]
        named = [field.with_name(f"c{at}") for at, field in enumerate(fields)]
        self._shape = Schema([*named, RecordBatch.from_arrays([self._positions], names=["p"]).schema.field(0)])
        self._items = ", ".join(
            f"{restored(connection, field, quote_identifier(field.name))} AS {field.name}" for field in named
        )
        empty = Table.from_batches([], schema=self._shape)
        connection.register("osiris_batch", empty)
        relation = connection.sql(f"SELECT {self._items} FROM osiris_batch")
        kinds = list(relation.types)
        kind = kinds[0]
        del relation
        connection.unregister("osiris_batch")
        self._type = str(kind)
        self.kind = self._kind(kind)
        text = "lower(hex({}))" if self.kind is Kind.BINARY else "CAST({} AS VARCHAR)"
        self._text = text.format
        self._value = ("unhex({})" if self.kind is Kind.BINARY else f"CAST({{}} AS {self._type})").format
        self._read_again = f"($since IS NULL OR c0 >= {self._value('$since')})"
        self._not_below = partial(not_below, kind)
        if not self._wanted.keys:
            return
        self.forms = tuple(_FORMS.get(one.id, str(one)) if str(one) != "JSON" else "JSON" for one in kinds)
        texts = [_one_text(f"c{at}", one) for at, one in enumerate(kinds)]
        parts = " || ".join(f"coalesce(strlen({text}) || ':' || {text}, '-')" for text in texts)
        # Twelve bytes of MD5: two different rows have one digest in one of 10^28 pairs.
        self._digest = f"left(to_base64(unhex(md5({parts}))), 16)"
        connection.execute(f"CREATE TABLE kept (c0 {self._type}, digest VARCHAR)")
        connection.execute("CREATE TABLE known AS SELECT unnest($known::VARCHAR[]) AS digest", {"known": self._known()})

    def _known(self) -> list[str]:
        return list(self._wanted.known)

    def _kind(self, kind: Any) -> Kind:
        """What the cursor is, when it can be one."""
        found = _KINDS.get(kind.id) if str(kind) != "JSON" else None
        name, step = self._wanted.window.cursor, self._wanted.step
        if found is None:
            raise DriverError(
                _NO_CURSOR,
                f"column '{name}' of '{step}' has the type {kind}, whose values cannot be a cursor",
                hint="use a column of numbers, dates, times, text, UUIDs or bytes",
            )
        if self._wanted.lag is not None and found not in MEASURED:
            raise DriverError(
                _NO_CURSOR,
                f"column '{name}' of '{step}' is a {found}: there is nothing a lag before it",
                hint="leave 'lag' out, or use a cursor of numbers, dates or times",
            )
        return found

    def _columns(self, batch: RecordBatch) -> Table:
        """The cursor, the keys and each row's position, as a table that DuckDB can read."""
        if len(self._positions) < batch.num_rows:
            self._positions = Array(range(batch.num_rows), DataType.int64())
        arrays = [batch.column(at) for at in self._at]
        positions = self._positions.slice(0, batch.num_rows)
        return Table.from_batches([RecordBatch.from_arrays([*arrays, positions], schema=self._shape)])

    def _measure(self) -> int:
        """How many rows earlier loads may have had; takes note of the largest cursor, raises for rows that nobody asked
        for.
        """
        odd = "count(*) FILTER (NOT isfinite(c0))" if self.kind is Kind.FLOAT else "0"
        lower, upper = self._bounds
        below = "0" if lower is None else f"count(*) FILTER (c0 < {self._value('$lower')})"
        above = "0" if upper is None else f"count(*) FILTER (c0 >= {self._value('$upper')})"
        last = self._wanted.top
        early = "0" if last is None else f"count(*) FILTER (c0 <= {self._value('$top')})"
        given = {"lower": lower, "upper": upper, "top": last}
        ((top, nulls, odds, out, old),) = self._connection.execute(
            f"SELECT {self._text('max(c0)')}, count(*) - count(c0), {odd}, {below} + {above}, {early} "
            f"FROM (SELECT {self._items} FROM osiris_batch)",
            {name: text for name, text in given.items() if text is not None} or None,
        ).fetchall()
        self._judge(top, nulls, odds, out)
        if top is None:
            return 0
        try:
            top = canonical(self.kind, top)
        except ValueError as error:
            raise self._refused(f"holds '{top:.100}', which cannot be the last value of a cursor: {error}") from error
        self.met = True
        if self.top is None or order(self.kind, top) > order(self.kind, self.top):
            self.top = top
        return int(old)

    def _judge(self, top: str | None, nulls: int, odds: int, out: int) -> None:
        if odds:
            raise self._refused("holds NaN or infinity, which nothing comes after")
        window = self._wanted.window
        bounded = window.lower is not None or window.upper is not None
        if out or (nulls and bounded):
            what = f"{out} rows outside of what was asked for" if out else f"{nulls} rows without a cursor"
            raise DriverError(
                _OUTSIDE,
                f"'{self._wanted.step}' gave {what} ({window.lower or '…'} <= {window.cursor} < {window.upper or '…'}; "
                f"largest: {top})",
                hint="the source compares this column in another way than by its values (a collation?); use another "
                "cursor, or report it to the author of the component",
            )

    def _refused(self, why: str) -> DriverError:
        return DriverError(_NO_CURSOR, f"column '{self._wanted.window.cursor}' of '{self._wanted.step}' {why}")

    def _remember(self) -> None:
        """Keep the digests of the rows that will be read again."""
        added = self._connection.execute(
            f"INSERT INTO kept SELECT c0, {self._digest} FROM (SELECT {self._items} FROM osiris_batch) "
            f"WHERE {self._read_again}",
            self._since(),
        ).fetchall()
        self._kept += added[0][0]
        if self._kept > self._limit:
            self._prune()

    def _prune(self) -> None:
        self._connection.execute(
            f"CREATE OR REPLACE TABLE kept AS SELECT any_value(c0) AS c0, digest FROM kept "
            f"WHERE {self._read_again} GROUP BY digest",
            self._since(),
        )
        ((self._kept,),) = self._connection.execute("SELECT count(*) FROM kept").fetchall()
        self._limit = max(_PRUNE, 2 * self._kept)

    def _since(self) -> dict[str, str | None]:
        assert self.top is not None
        since = before(self.kind, self.top, self._wanted.lag)
        return {"since": None if since is None else self._not_below(since)}

    def _without_known(self, batch: RecordBatch) -> RecordBatch:
        if not self._wanted.known:
            return batch
        rows = self._connection.execute(
            f"SELECT p, digest FROM (SELECT p, c0, {self._digest} AS digest FROM (SELECT {self._items}, p FROM "
            f"osiris_batch)) WHERE c0 <= {self._value('$top')} AND digest IN (SELECT digest FROM known)",
            {"top": self._wanted.top},
        ).fetchall()
        if not rows:
            return batch
        self.dropped += len(rows)
        self._seen.update(digest for _, digest in rows)
        gone = {at for at, _ in rows}
        return batch.take(Array([at for at in range(batch.num_rows) if at not in gone], DataType.int64()))


def _one_text(name: str, kind: Any) -> str:
    """The text of a value, without the zeros that are there because of its type's scale."""
    text = f"CAST({name} AS VARCHAR)"
    if kind.id == "decimal" or kind.id in _MOMENTS:
        return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    return text


def _position(schema: Schema, name: str, step: str) -> int:
    names: Sequence[str] = schema.names
    if name in names:
        return names.index(name)
    same = [at for at, one in enumerate(names) if one.casefold() == name.casefold()]
    if len(same) == 1:
        return same[0]
    raise DriverError(
        _NO_COLUMN,
        f"the rows of '{step}' have no column '{name}', which 'incremental' names",
        hint=did_you_mean(name, names) or f"they have {_listed(names)}",
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
