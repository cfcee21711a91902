"""The catalog of a MySQL or MariaDB database: what the account sees of it, and what its rows are like.

Rows are looked at in read-only transactions that end with each look, so that no lock outlives it, and under the
server's own limit of time, so that nothing goes on there once the time is over.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import (
    LONGEST,
    SAMPLE_ROWS,
    ColumnInfo,
    ColumnProfile,
    Deadline,
    ForeignKey,
    Index,
    Key,
    OsirisError,
    Overlap,
    Sample,
    Spelling,
    Table,
    TableFault,
    TableProfile,
    overlap_sources,
    profile_source,
    sample_source,
)
from osiris_mysql.connection import address
from osiris_mysql.private import is_hidden
from osiris_mysql.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from osiris_core.api import Basis
    from osiris_mysql.connection import MySQLConnection
    from osiris_mysql.session import Session

_LATE: Final = ("OSR-MYSQL-007", "OSR-MYSQL-025")
_BROKEN_VIEW: Final = "references invalid table(s)"
_BYTES: Final = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "vector")
_SHAPES: Final = ("geometry", "point", "linestring", "polygon", "multi", "geom")
_NO_EQUALITY: Final = ("json", *_SHAPES)

_TABLES: Final = (
    "SELECT table_name, table_type, table_rows, data_length + index_length, table_comment "
    "FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name"
)
_COLUMNS: Final = (
    "SELECT table_name, column_name, column_type, is_nullable, column_default, extra, column_comment "
    "FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position"
)
_INDEXES: Final = (
    "SELECT table_name, index_name, non_unique, column_name, sub_part "
    "FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index"
)
_FOREIGN: Final = (
    "SELECT table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name, "
    "referenced_column_name FROM information_schema.key_column_usage WHERE table_schema = DATABASE() "
    "AND referenced_table_name IS NOT NULL ORDER BY table_name, constraint_name, ordinal_position"
)
_FACTS: Final = (
    (
        "tables",
        ("table_name", "table_type", "table_comment"),
    ),
    (
        "columns",
        (
            *("table_name", "ordinal_position", "column_name", "column_type", "is_nullable", "column_default"),
            *("extra", "column_comment"),
        ),
    ),
    ("statistics", ("table_name", "index_name", "seq_in_index", "non_unique", "column_name", "sub_part")),
    (
        "key_column_usage",
        (
            *("table_name", "constraint_name", "ordinal_position", "column_name", "referenced_table_name"),
            "referenced_column_name",
        ),
    ),
)


class MySQLDiscoverer:
    """Opens a database for reading what it holds."""

    def open(self, connection: MySQLConnection, *, project_root: Path, deadline: Deadline) -> DatabaseReader:
        """A reader of the database; the session is opened by the first question."""
        return DatabaseReader(connection, deadline)


class DatabaseReader:
    """Reads one database with one account."""

    def __init__(self, connection: MySQLConnection, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._session: Session | None = None

    def fingerprint(self) -> str:
        """Where the database is, the account, the server's version, and digests that it makes of its catalog."""
        digests = []
        for source, columns in _FACTS:
            texts = ", ".join(f"COALESCE({column}, '-')" for column in columns)
            ((digest,),) = self._ask(
                f"SELECT SHA2(GROUP_CONCAT(line ORDER BY line), 256) FROM (SELECT SHA2(CONCAT_WS('\\n', {texts}), 256) "
                f"AS line FROM information_schema.{source} WHERE table_schema = DATABASE()) AS facts"
            )
            digests.append(str(digest))
        settings = self._connection
        version = self._opened().version
        return " ".join((address(settings), settings.user, settings.database, version, *digests))

    def tables(self) -> Iterable[Table]:
        """Every table and view of the database that the account sees, in order of name."""
        found = self._ask(_TABLES)
        columns = self._columns()
        primary, unique, indexes = self._keys()
        foreign = self._foreign()
        for name, kind, rows, size, comment in found:
            if is_hidden(self._connection.database, name):
                continue  # nothing may read it, and its rows are for nobody to see
            view = "VIEW" in kind
            broken = view and _BROKEN_VIEW in (comment or "")
            yield Table(
                schema=self._connection.database,
                name=name,
                kind="view" if view else "table",
                rows=None if rows is None or view else int(rows),
                bytes=None if size is None or view else int(size),
                comment=None if view or not comment else comment,
                columns=() if broken else tuple(columns[name]),
                primary_key=primary.get(name),
                unique_keys=tuple(unique[name]),
                indexes=tuple(indexes[name]),
                foreign_keys=tuple(foreign[name]),
                problem=TableFault(code="OSR-MYSQL-020", message=comment) if broken else None,
            )

    def profile(self, table: Table, *, basis: Basis) -> TableProfile | None:
        """What the indexes' statistics say, or counts of some rows or of all."""
        if basis == "estimate":
            return self._estimate(table)
        source = _name(table)
        with self._one_moment():
            if basis == "full":
                return profile_source(source, table.columns, basis, self._spelling())
            some = f"(SELECT * FROM {source} LIMIT {SAMPLE_ROWS})"
            found = profile_source(some, table.columns, basis, self._spelling())
        whole = (found.examined or 0) < SAMPLE_ROWS
        return TableProfile(basis="full" if whole else basis, examined=found.examined, columns=found.columns)

    def sample(self, table: Table, *, rows: int) -> Sample:
        """The first rows that the server gives."""
        return sample_source(_name(table), table.columns, rows, self._spelling())

    def overlap(self, table: Table, column: str, other: Table, other_column: str, *, values: int) -> Overlap | None:
        """How many values of one column another one has."""
        return overlap_sources(_name(table), column, _name(other), other_column, values, self._spelling())

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    # The catalog

    def _columns(self) -> Mapping[str, list[ColumnInfo]]:
        found: dict[str, list[ColumnInfo]] = defaultdict(list)
        for table, name, kind, nullable, default, extra, comment in self._ask(_COLUMNS):
            computed = any(word in (extra or "").upper() for word in ("AUTO_INCREMENT", "VIRTUAL", "STORED GENERATED"))
            found[table].append(
                ColumnInfo(
                    name=name,
                    type=_text(kind),
                    nullable=nullable == "YES",
                    # MariaDB writes the word where there is no default but NULL.
                    default=None if default in (None, "NULL") else _text(default),
                    generated=computed,
                    comment=comment or None,
                )
            )
        return found

    def _keys(self) -> tuple[Mapping[str, Key], Mapping[str, list[Key]], Mapping[str, list[Index]]]:
        """Primary keys, unique keys (of whole columns), and the other indexes."""
        parts: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
        for table, *row in self._ask(_INDEXES):
            parts[table, row[0]].append(tuple(row))
        primary: dict[str, Key] = {}
        unique: dict[str, list[Key]] = defaultdict(list)
        indexes: dict[str, list[Index]] = defaultdict(list)
        for (table, name), rows in parts.items():
            columns = tuple(
                "(expression)" if column is None else column if part is None else f"{column}({part})"
                for _, _, column, part in rows
            )
            whole = all(column is not None and part is None for _, _, column, part in rows)
            if name == "PRIMARY":
                primary[table] = Key(columns=columns, name=name)
            elif not rows[0][1] and whole:
                unique[table].append(Key(columns=columns, name=name))
            else:
                indexes[table].append(Index(name=name, columns=columns, unique=not rows[0][1]))
        return primary, unique, indexes

    def _foreign(self) -> Mapping[str, list[ForeignKey]]:
        parts: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
        for table, name, *row in self._ask(_FOREIGN):
            parts[table, name].append(tuple(row))
        found: dict[str, list[ForeignKey]] = defaultdict(list)
        for (table, name), rows in parts.items():
            found[table].append(
                ForeignKey(
                    columns=tuple(row[0] for row in rows),
                    to_schema=rows[0][1],
                    to_table=rows[0][2],
                    to_columns=tuple(row[3] for row in rows),
                    name=name,
                )
            )
        return found

    # Rows

    def _estimate(self, table: Table) -> TableProfile | None:
        """The numbers of distinct values that the server keeps for the first columns of indexes."""
        if table.kind == "view":
            return None
        found = self._ask(
            "SELECT column_name, MAX(cardinality) FROM information_schema.statistics WHERE table_schema = DATABASE() "
            f"AND table_name = {self._opened().escape(table.name)} AND seq_in_index = 1 AND sub_part IS NULL "
            "AND column_name IS NOT NULL AND cardinality IS NOT NULL GROUP BY column_name"
        )
        known = {name: int(count) for name, count in found}
        if not known:
            return None
        columns = tuple(ColumnProfile(name=one.name, distinct=known.get(one.name)) for one in table.columns)
        return TableProfile(basis="estimate", columns=columns)

    def _spelling(self) -> Spelling:
        return Spelling(quote=_quoted, text=_as_text, countable=_countable, ordered=_ordered, ask=self._ask)

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Rows as of one moment for all questions of the block."""
        self._ask("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            yield
        finally:
            if self._session is not None:
                with suppress(OsirisError):  # a session that is lost has nothing to end
                    self._session.run("ROLLBACK")

    def _opened(self) -> Session:
        if self._session is None:
            self._deadline.check()
            seconds = min(self._connection.connect_timeout, self._deadline.remaining())
            self._session = open_session(self._connection, timeout=seconds)
        return self._session

    def _ask(self, sql: str) -> Sequence[Sequence[Any]]:
        session = self._opened()
        self._deadline.check()
        left = max(self._deadline.remaining(), 0.001)  # zero would mean no limit
        # Whatever the server does, its silence ends here a little later than its own limit.
        session.raw._read_timeout = left + 1  # noqa: SLF001 - PyMySQL has no public way to change it
        limit = f"max_statement_time = {left:.3f}" if session.is_mariadb else f"max_execution_time = {int(left * 1000)}"
        try:
            session.run(f"SET SESSION {limit}")
            return session.run(sql, f"looking into '{self._connection.database}'")
        except OsirisError as error:
            if error.code in _LATE and self._deadline.remaining() < 1:
                raise TimeoutError from error
            raise
        except KeyboardInterrupt:
            session.interrupt()  # the server would go on, and its answer would be taken for another question's
            self.close()
            raise


def _name(table: Table) -> str:
    return f"{_quoted(table.schema or '')}.{_quoted(table.name)}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _as_text(expression: str, column: ColumnInfo) -> str:
    """Bytes as hexadecimal digits, and a FLOAT as the DOUBLE that it is: the server's text of it drops digits."""
    kind = column.type.lower()
    if kind.startswith(_BYTES):
        text = f"CONCAT('0x', HEX({expression}))"
    elif kind.startswith(_SHAPES):
        text = f"ST_AsText({expression})"
    elif kind.startswith("float"):
        text = f"CAST({expression} + 0e0 AS CHAR)"
    else:
        text = f"CAST({expression} AS CHAR)"
    return (
        f"CASE WHEN CHAR_LENGTH({text}) > {LONGEST} THEN CONCAT(LEFT({text}, {LONGEST}), '… (', CHAR_LENGTH({text}), "
        f"' characters)') ELSE {text} END"
    )


def _countable(column: ColumnInfo) -> bool:
    return not column.type.lower().startswith(_NO_EQUALITY)


def _ordered(column: ColumnInfo) -> bool:
    return not column.type.lower().startswith((*_BYTES, *_NO_EQUALITY, "enum", "set"))
