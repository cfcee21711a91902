"""The catalog of a PostgreSQL database: what the role can read, and what its rows are like.

Each look runs in a read-only transaction of its own that ends with it, so that no lock outlives it, and under the
server's statement_timeout, so that nothing goes on there once the time is over.
"""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import (
    LONGEST,
    SAMPLE_ROWS,
    ColumnInfo,
    ColumnProfile,
    ConnectionUnusable,
    Deadline,
    ForeignKey,
    Index,
    Key,
    OsirisError,
    Overlap,
    Sample,
    Spelling,
    Table,
    TableProfile,
    ValueCount,
    overlap_sources,
    profile_source,
    quote_identifier,
    sample_source,
)
from osiris_supabase.postgres import catalog_sql
from osiris_supabase.postgres.endpoint import endpoint_of
from osiris_supabase.postgres.failures import ServerFailure
from osiris_supabase.postgres.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from osiris_core.api import Basis
    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.postgres.session import Row, Session

_KINDS: Final[Mapping[str, Any]] = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
_ORDERED: Final = (
    *("smallint", "integer", "bigint", "numeric", "real", "double precision", "money", "oid"),
    *("text", "name", "character varying", "character", "date", "time", "interval", "inet"),
)
_EQUAL: Final = ("boolean", "uuid", "bytea", "jsonb", "bit", "cidr", "macaddr", "int4range", "int8range")
_SETTINGS: Final = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "synchronize_seqscans": "off",
    "jit": "off",  # a cancel that comes while it compiles is lost, and the statement goes on to its limit of time
}
_CANCELLED: Final = "57014"


class PostgresDiscoverer:
    """Opens a database for reading what it holds."""

    def open(self, connection: SupabaseConnection, *, project_root: Path, deadline: Deadline) -> DatabaseReader:
        """A reader of the database; the session is opened by the first question."""
        if connection.dsn is None:
            raise ConnectionUnusable(
                "OSR-PG-005",
                "the connection has no dsn, and tables are found through the database",
                hint="give the connection a 'dsn' beside 'url' and 'key'",
            )
        return DatabaseReader(connection, project_root, deadline)


class DatabaseReader:
    """Reads one database as one role."""

    def __init__(self, connection: SupabaseConnection, project_root: Path, deadline: Deadline) -> None:
        self._connection = connection
        self._endpoint = endpoint_of(connection, project_root)
        self._deadline = deadline
        self._session: Session | None = None

    def fingerprint(self) -> str:
        """Where the database is, the role, and digests that the server makes of its catalog."""
        with self._reading():
            ((digest,),) = self._ask(catalog_sql.FINGERPRINT)
        return f"{self._endpoint.shown} {self._endpoint.user} {self._connection.schema} {digest}"

    def tables(self) -> Iterable[Table]:
        """What the role may read, the connection's own schema first; parts of a partitioned table stand for none."""
        with self._reading():
            found = self._ask(catalog_sql.TABLES)
            columns = self._columns()
            keys, foreign = self._constraints()
            indexes = self._indexes()
        tables = [self._table(row, columns, keys, foreign, indexes) for row in found]
        own = self._connection.schema
        return sorted(tables, key=lambda table: (table.schema != own, table.schema or "", table.name))

    def profile(self, table: Table, *, basis: Basis) -> TableProfile | None:
        """What the planner's statistics say, or counts of some rows or of all."""
        with self._reading():
            if basis == "estimate":
                return self._estimate(table)
            spelling = self._spelling(table)
            source = _name(table)
            if basis == "full":
                return profile_source(source, table.columns, basis, spelling)
            if table.kind not in ("view", "foreign table") and (table.rows or 0) > SAMPLE_ROWS:
                percent = 100 * SAMPLE_ROWS / (table.rows or 1)
                some = f"(SELECT * FROM {source} TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1))"
                found = profile_source(some, table.columns, basis, spelling)
                if found.examined:
                    return found
            found = profile_source(f"(SELECT * FROM {source} LIMIT {SAMPLE_ROWS})", table.columns, basis, spelling)
            whole = (found.examined or 0) < SAMPLE_ROWS
            return TableProfile(basis="full" if whole else basis, examined=found.examined, columns=found.columns)

    def sample(self, table: Table, *, rows: int) -> Sample:
        """The first rows that the server gives."""
        with self._reading():
            return sample_source(_name(table), table.columns, rows, self._spelling(table))

    def overlap(self, table: Table, column: str, other: Table, other_column: str, *, values: int) -> Overlap | None:
        """How many values of one column another one has."""
        with self._reading():
            spelling = self._spelling(table)
            return overlap_sources(_name(table), column, _name(other), other_column, values, spelling)

    def close(self) -> None:
        """End the session, and what the server still does for it."""
        if self._session is not None:
            self._session.close()
            self._session = None

    # The catalog

    def _table(
        self,
        row: Row,
        columns: Mapping[str, list[ColumnInfo]],
        keys: Mapping[tuple[str, str], list[Key]],
        foreign: Mapping[str, list[ForeignKey]],
        indexes: Mapping[str, list[Index]],
    ) -> Table:
        oid, schema, name, kind, rows, size, comment = (value or "" for value in row)
        return Table(
            schema=schema,
            name=name,
            kind=_KINDS[kind],
            rows=int(rows) if rows else None,
            bytes=int(size) if size else None,
            comment=comment or None,
            columns=tuple(columns[oid]),
            primary_key=next(iter(keys[oid, "p"]), None),
            unique_keys=tuple(keys[oid, "u"]),
            foreign_keys=tuple(foreign[oid]),
            indexes=tuple(indexes[oid]),
        )

    def _columns(self) -> Mapping[str, list[ColumnInfo]]:
        found: dict[str, list[ColumnInfo]] = defaultdict(list)
        for oid, name, kind, required, default, generated, comment in self._ask(catalog_sql.COLUMNS):
            found[oid or ""].append(
                ColumnInfo(
                    name=name or "",
                    type=kind or "",
                    nullable=required == "f",
                    default=default,
                    generated=generated == "t",
                    comment=comment,
                )
            )
        return found

    def _constraints(self) -> tuple[Mapping[tuple[str, str], list[Key]], Mapping[str, list[ForeignKey]]]:
        keys: dict[tuple[str, str], list[Key]] = defaultdict(list)
        foreign: dict[str, list[ForeignKey]] = defaultdict(list)
        for oid, kind, name, columns, to_schema, to_table, to_columns in self._ask(catalog_sql.CONSTRAINTS):
            mine = tuple(json.loads(columns or "[]"))
            if kind != "f":
                keys[oid or "", kind or ""].append(Key(columns=mine, name=name))
                continue
            foreign[oid or ""].append(
                ForeignKey(
                    columns=mine,
                    to_schema=to_schema,
                    to_table=to_table or "",
                    to_columns=tuple(json.loads(to_columns or "[]")),
                    name=name,
                )
            )
        return keys, foreign

    def _indexes(self) -> Mapping[str, list[Index]]:
        found: dict[str, list[Index]] = defaultdict(list)
        for oid, name, unique, columns in self._ask(catalog_sql.INDEXES):
            parts = tuple(json.loads(columns or "[]"))
            found[oid or ""].append(Index(name=name or "", columns=parts, unique=unique == "t"))
        return found

    # Rows

    def _estimate(self, table: Table) -> TableProfile | None:
        if not table.rows:
            return None
        known = {row[0]: row for row in self._ask(catalog_sql.STATISTICS, table.schema, table.name)}
        if not known:
            return None
        return TableProfile(
            basis="estimate",
            columns=tuple(_estimated(column.name, table.rows, known.get(column.name)) for column in table.columns),
        )

    def _spelling(self, table: Table) -> Spelling:
        """The spelling for the columns of ``table``; domains are taken for what they rest on."""
        types = {row[0]: row for row in self._ask(catalog_sql.TYPES, table.schema, table.name)}

        def is_one_of(column: ColumnInfo, kinds: tuple[str, ...]) -> bool:
            _, base, what = types.get(column.name, (None, "", ""))
            return what == "e" or ((base or "").startswith(kinds) and not (base or "").endswith("]"))

        return Spelling(
            quote=quote_identifier,
            text=_as_text,
            countable=lambda column: is_one_of(column, (*_ORDERED, *_EQUAL)),
            ordered=lambda column: is_one_of(column, _ORDERED),
            ask=self._ask,
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """A transaction that only reads, of one moment's rows, and ends with the block."""
        self._deadline.check()
        if self._session is None:
            left = self._deadline.remaining()
            self._session = open_session(
                self._endpoint,
                self._connection,
                check=self._deadline.check,
                connect_timeout=min(self._connection.connect_timeout, left),
            )
        session = self._session
        self._ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            settings = {
                **_SETTINGS,
                "lock_timeout": str(int(self._connection.lock_timeout * 1000)),
                # At least a millisecond: none would mean no limit.
                "statement_timeout": str(max(1, int(self._deadline.remaining() * 1000))),
            }
            wanted = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
            self._ask(f"SELECT {wanted}")
            yield
        except (TimeoutError, KeyboardInterrupt):
            self.close()  # an answer may be under way, which nobody will read
            raise
        finally:
            if self._session is session:
                with suppress(ServerFailure, OsirisError):  # a session that is lost has nothing to end
                    session.run("ROLLBACK")

    def _ask(self, sql: str, *values: str | None) -> list[Row]:
        assert self._session is not None
        try:
            return self._session.rows(sql, *values)
        except ServerFailure as failure:
            if failure.state == _CANCELLED:
                raise TimeoutError from failure
            raise failure.error(f"looking into '{self._endpoint.shown}'") from failure


def _name(table: Table) -> str:
    return f"{quote_identifier(table.schema or '')}.{quote_identifier(table.name)}"


def _as_text(expression: str, column: ColumnInfo) -> str:
    del column
    text = f"({expression})::text"
    return (
        f"CASE WHEN length({text}) > {LONGEST} THEN left({text}, {LONGEST}) || '… (' || length({text}) || "
        f"' characters)' ELSE {text} END"
    )


def _estimated(name: str, rows: int, row: Sequence[str | None] | None) -> ColumnProfile:
    """What the planner knows of a column: shares and, negative for a share of the rows, the number of values."""
    if row is None:
        return ColumnProfile(name=name)
    _, null_share, distinct_share, values, shares = row
    nulls, distinct = float(null_share or 0), float(distinct_share or 0)
    found = ColumnProfile(
        name=name,
        nulls=round(nulls * rows),
        # Zero is its word for unknown.
        distinct=round(distinct if distinct > 0 else -distinct * rows) if distinct else None,
    )
    if values is None or shares is None:
        return found
    pairs = zip(json.loads(values), json.loads(shares), strict=True)
    return found.with_top(ValueCount(value=_cut(value), count=round(share * rows)) for value, share in list(pairs)[:10])


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}… ({len(value)} characters)"
