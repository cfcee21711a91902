"""Rows of a load on disk, each as the JSON object that a request will hold, and its key beside it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import attrs
import duckdb
from arro3.core import Schema, Table

from osiris_core.api import DriverError, InvalidInput, quote_identifier
from osiris_supabase.postgres.texts import text_guards
from osiris_supabase.rest.types import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.api import Column, Dataset, DriverContext, LoadPlan

_CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "threads": 1,
}
_FETCH: Final = 500
_TEXTS: Final = ("VARCHAR", "UUID", "JSON")
_NUMBER: Final = r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*"
_BARE_NUMBER: Final = (
    r"regexp_replace(CASE WHEN contains({0}, '.') THEN rtrim(rtrim(trim({0}), '0'), '.') ELSE trim({0}) END, "
    r"'^([+-]?)0*', '\1')"
)
_KEYS: Final[Mapping[str, str]] = {
    "uuid": "lower(regexp_replace(CAST({0} AS VARCHAR), '[-{{}}]', '', 'g'))",
    "character": "rtrim({0}, ' ')",
    "numeric": f"regexp_replace(ltrim({_BARE_NUMBER}, '+'), '^-?$', '0')",
}
"""By the type of a key's column: SQL that gives the same for texts that are one value there."""


@attrs.frozen(kw_only=True)
class Part:
    """A staged part: its rows, their bytes as JSON, and the sum of their hashes."""

    number: int
    rows: int
    bytes: int
    hash: int


def columns_of(schema: Schema, *, target: str) -> tuple[tuple[str, str], ...]:
    """The columns of rows of ``schema``: names and DuckDB's types."""
    names = list(schema.names)
    if not names or len(set(names)) < len(names) or not all(names):
        raise DriverError("OSR-SUPA-121", f"the rows for '{target}' have no columns, or two of one name")
    with duckdb.connect(config=_CONFIG) as connection:
        connection.register("osiris_shape", Table.from_batches([], schema=schema))
        described = connection.execute("DESCRIBE SELECT * FROM osiris_shape").fetchall()
    return tuple((row[0], row[1]) for row in described)


class Staging:
    """A DuckDB file in the step's scratch folder."""

    def __init__(self, ctx: DriverContext, plan: LoadPlan, key: Sequence[str], *, target: str) -> None:
        refuse_keys(plan, key, target=target)
        self._ctx = ctx
        self._target = target
        self._key = tuple(key)
        self._pairs = plan.pairs
        self._parts: dict[int, Part] = {}
        self._lock = threading.Lock()
        self._path = ctx.scratch / f"supabase-{uuid4().hex}.duckdb"
        config = {**_CONFIG, "memory_limit": f"{max(ctx.memory_limit // 2, 64 << 20)}B"}
        self._connection = duckdb.connect(str(self._path), config=config)
        self._connection.execute("SET TimeZone = 'UTC'")

    def add(self, number: int, rows: Dataset) -> Part:
        """Stage a part, instead of one of the same number."""
        ctx, hashed, size, count = self._ctx, 0, 0, 0
        cursor = self._connection.cursor()
        table = f"part_{number}"
        try:
            with ctx.on_cancel(cursor.interrupt):
                cursor.execute("SET TimeZone = 'UTC'")
                first = True
                for batch in rows.batches():
                    ctx.check()
                    cursor.register("osiris_rows", Table.from_batches([batch]))
                    self._refuse_values(cursor)
                    verb = f"CREATE OR REPLACE TABLE {table} AS" if first else f"INSERT INTO {table}"
                    cursor.execute(f"{verb} SELECT {self._items()} FROM osiris_rows")
                    cursor.unregister("osiris_rows")
                    first = False
                if first:
                    cursor.register("osiris_rows", Table.from_batches([], schema=rows.schema))
                    cursor.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT {self._items()} FROM osiris_rows")
                found = cursor.execute(
                    f"SELECT count(*), coalesce(sum(strlen(line)), 0), coalesce(sum(hashed), 0)::VARCHAR FROM {table}"
                ).fetchall()
                count, size, hashed = found[0][0], int(found[0][1]), int(found[0][2])
        except duckdb.Error as error:
            ctx.check()
            raise self._failure(error) from error
        finally:
            cursor.close()
        part = Part(number=number, rows=count, bytes=size, hash=hashed)
        with self._lock:
            self._parts[number] = part
        return part

    def parts(self) -> tuple[Part, ...]:
        """The staged parts in their order."""
        with self._lock:
            return tuple(self._parts[number] for number in sorted(self._parts))

    def settle(self, *, last_wins: bool) -> int:
        """See that every row has a key of its own, and say how many rows were left out for that."""
        if not self._parts:
            raise DriverError("OSR-SUPA-129", f"'{self._target}': nothing was staged")
        keys = ", ".join(f"k{at}" for at in range(len(self._key)))
        named = ", ".join(self._key)
        nulls = " OR ".join(f"k{at} IS NULL" for at in range(len(self._key)))
        total, distinct, empty = self._run(
            f"SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {keys} FROM {self._all()})), "
            f"count(*) FILTER ({nulls}) FROM {self._all()}"
        )[0]
        if empty:
            raise DriverError("OSR-SUPA-124", f"{empty} of {total} rows have NULL in the primary_key ({named})")
        if distinct == total:
            self._run(f"CREATE OR REPLACE VIEW settled AS SELECT * FROM {self._all()}")
            return 0
        if not last_wins:
            raise DriverError(
                "OSR-SUPA-125", f"{total} rows have only {distinct} different values of the primary_key ({named})"
            )
        self._run(
            f"CREATE OR REPLACE TABLE settled_rows AS SELECT * FROM {self._all()} "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY part_no DESC, row_no DESC) = 1"
        )
        self._run("CREATE OR REPLACE VIEW settled AS SELECT * FROM settled_rows")
        return int(total - distinct)

    def batches(self, *, rows: int, size: int) -> Iterator[list[str]]:
        """The settled rows in their order: at most so many rows, and bytes but for one large row, at a time."""
        cursor = self._connection.cursor()
        try:
            found = cursor.execute("SELECT line FROM settled ORDER BY part_no, row_no")
            batch: list[str] = []
            filled = 0
            while lines := found.fetchmany(_FETCH):
                for (line,) in lines:
                    if batch and (len(batch) >= rows or filled + len(line) > size):
                        yield batch
                        batch, filled = [], 0
                    batch.append(line)
                    filled += len(line)
            if batch:
                yield batch
        except duckdb.Error as error:
            raise self._failure(error) from error
        finally:
            cursor.close()

    def close(self) -> None:
        """Remove the file; safe to call more than once."""
        self._connection.close()
        for path in (self._path, self._path.with_name(f"{self._path.name}.wal")):
            path.unlink(missing_ok=True)

    def _all(self) -> str:
        listed = " UNION ALL ".join(
            f"SELECT {part.number} AS part_no, rowid AS row_no, * FROM part_{part.number}" for part in self.parts()
        )
        return f"({listed})"

    def _items(self) -> str:
        """The row as JSON, its hash, and its key."""
        pieces = []
        for ours, theirs in self._pairs:
            value = written(str(ours.type), quote_identifier(ours.name), target=str(theirs.type))
            assert value is not None
            name = _literal(json.dumps(theirs.name, ensure_ascii=False) + ":")
            pieces.append(f"{name} || coalesce({value}, 'null')")
        line = "'{' || " + " || ',' || ".join(pieces) + " || '}'"
        listed = ", ".join(quote_identifier(ours.name) for ours, _ in self._pairs)
        source = {theirs.name: (ours, theirs) for ours, theirs in self._pairs}
        keys = ", ".join(f"{_keyed(*source[name])} AS k{at}" for at, name in enumerate(self._key))
        return f"{line} AS line, hash({listed}) AS hashed, {keys}"

    def _refuse_values(self, cursor: Any) -> None:
        """Refuse what no PostgreSQL text holds or its type would drop, and what is no JSON where JSON goes."""
        tests: list[tuple[Column, str, str]] = []
        for ours, theirs in self._pairs:
            name = quote_identifier(ours.name)
            if str(ours.type) in ("VARCHAR", "JSON"):
                tests += [(ours, guard.bad, guard.why) for guard in text_guards(ours.name, str(theirs.type))]
            if theirs.name in self._key and theirs.type == "numeric" and str(ours.type) == "VARCHAR":
                bad = f"NOT regexp_full_match({name}, {_literal(_NUMBER)})"
                tests.append((ours, bad, "is no number in plain digits, which a key has to be"))
            if str(theirs.type) in ("json", "jsonb"):
                tests.append((ours, f"NOT json_valid({name})", f"is no JSON, for a column of type {theirs.type}"))
                null = f"regexp_full_match({name}, '\\s*null\\s*')"
                tests.append((ours, null, "is the JSON value null, which a request cannot tell from NULL"))
        if not tests:
            return
        counts = cursor.execute(
            f"SELECT {', '.join(f'count(*) FILTER ({test})' for _, test, _ in tests)} FROM osiris_rows"
        ).fetchall()[0]
        for count, (column, _, why) in zip(counts, tests, strict=True):
            if count:
                raise DriverError("OSR-SUPA-117", f"'{self._target}': a value of column '{column.name}' {why}")

    def _run(self, sql: str) -> list[Any]:
        try:
            with self._ctx.on_cancel(self._connection.interrupt):
                return list(self._connection.execute(sql).fetchall())
        except duckdb.Error as error:
            self._ctx.check()
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> DriverError:
        said = str(error).strip().split("\n")[0]
        return DriverError("OSR-SUPA-130", f"staging the rows for '{self._target}': {said}")


def refuse_keys(plan: LoadPlan, key: Sequence[str], *, target: str) -> None:
    """Refuse a text as key of a column of which it is not known which texts the server takes as one key."""
    for ours, theirs in plan.pairs:
        text = str(ours.type) in _TEXTS and theirs.type not in ("text", "character varying", *_KEYS)
        if text and theirs.name in key:
            raise InvalidInput(
                "OSR-SUPA-115",
                f"'{target}': the primary_key '{theirs.name}' is text that becomes {theirs.type}, of which different "
                "texts may be one key",
                where="primary_key",
            )


def _keyed(ours: Column, theirs: Column) -> str:
    """A key as the server compares it: the same for different texts that are one value there."""
    name = quote_identifier(ours.name)
    return _KEYS.get(str(theirs.type), "{0}").format(name) if str(ours.type) in _TEXTS else name


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
