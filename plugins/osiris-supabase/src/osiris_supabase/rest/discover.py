"""The catalog of a schema as the Data API tells it: tables, columns and primary keys, and a sample of rows.

It tells no counts, indexes or statistics, and a view from a table only by its missing key; so there is no profile.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from osiris_core.api import LONGEST, ColumnInfo, ForeignKey, Key, Sample, Table
from osiris_supabase.rest.catalog import read_tables
from osiris_supabase.rest.client import Halting, RestClient, parse_rows
from osiris_supabase.rest.failures import Refused, raise_refusal
from osiris_supabase.rest.keys import role_of
from osiris_supabase.rest.loads import TABLE as LOADS
from osiris_supabase.rest.types import selected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris_core.api import Basis, Deadline, Overlap, TableProfile
    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.rest.catalog import Table as ApiTable
    from osiris_supabase.rest.catalog import TableColumn


class ApiReader:
    """Reads one schema as the role of the key."""

    def __init__(self, connection: SupabaseConnection, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._client: RestClient | None = None
        self._found: dict[str, ApiTable] = {}

    def fingerprint(self) -> str:
        """Where the project is, the role, and a digest of everything that is told of its tables."""
        found = self._read()
        told = repr(sorted((table.name, table.columns) for table in found.values()))
        digest = hashlib.sha256(told.encode()).hexdigest()
        return f"{self._connection.url} {role_of(self._connection.key)} {self._connection.schema} {digest}"

    def tables(self) -> Iterable[Table]:
        """The tables and views that the key's role may use, but for the one of commit rows."""
        found = self._read()
        return [self._table(found[name]) for name in sorted(found) if name != LOADS]

    def profile(self, table: Table, *, basis: Basis) -> TableProfile | None:
        """Nothing: the Data API counts, but it has no distinct values, least or greatest ones."""
        del table, basis
        return None

    def sample(self, table: Table, *, rows: int) -> Sample:
        """The first rows in the order of the primary key, or as the server gives them."""
        found = self._found.get(table.name) or self._read()[table.name]
        aliases = [f"osiris_{at}" for at in range(len(found.columns))]
        items = [selected(column, alias) for column, alias in zip(found.columns, aliases, strict=True)]
        params = (("select", ",".join(items)), ("limit", str(rows)))
        what = f"reading some rows of table '{table.name}'"
        try:
            page = parse_rows(self._open().read(table.name, params, lag=0.0), what=what)
        except Refused as refused:
            raise_refusal(refused, what=what)
        return Sample(
            columns=tuple(column.name for column in found.columns),
            rows=tuple(tuple(_shortened(row.get(alias)) for alias in aliases) for row in page),
        )

    def overlap(self, table: Table, column: str, other: Table, other_column: str, *, values: int) -> Overlap | None:
        """Nothing: the Data API compares no two tables."""
        del table, column, other, other_column, values
        return None

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _read(self) -> dict[str, ApiTable]:
        self._found = read_tables(self._open())
        return self._found

    def _open(self) -> RestClient:
        self._deadline.check()
        if self._client is None:
            halting = Halting(check=self._deadline.check, on_cancel=_on_cancel)
            left = max(0.1, self._deadline.remaining())
            schema = self._connection.schema
            self._client = RestClient(self._connection, schema=schema, halting=halting, longest=left, attempts=2)
        return self._client

    def _table(self, found: ApiTable) -> Table:
        return Table(
            schema=self._connection.schema,
            name=found.name,
            kind="table" if found.key else "view",
            comment=found.comment,
            columns=tuple(_column(column) for column in found.columns),
            primary_key=Key(columns=found.key) if found.key else None,
            foreign_keys=tuple(
                ForeignKey(
                    columns=(column.name,),
                    to_schema=None,
                    to_table=column.refers[0],
                    to_columns=(column.refers[1],),
                )
                for column in found.columns
                if column.refers is not None
            ),
        )


def _on_cancel(_: Any) -> AbstractContextManager[None]:
    return nullcontext()


def _column(found: TableColumn) -> ColumnInfo:
    return ColumnInfo(
        name=found.name,
        type=found.format if found.length is None else f"{found.format}({found.length})",
        nullable=not found.present,
        default=found.default,
        comment=found.comment,
    )


def _shortened(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
