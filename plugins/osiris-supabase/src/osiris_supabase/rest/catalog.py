"""The tables of a schema as the Data API describes them: OpenAPI 2 at its root.

It tells names, types without their lengths and scales, which columns must have a value, which have a default, and the
primary key; a view looks like a table. What it says in words comes from comments in the database and is not believed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError
from osiris_supabase.rest.failures import Refused, raise_refusal

if TYPE_CHECKING:
    from osiris_supabase.rest.client import RestClient

_NOTES: Final = re.compile(
    r"(?:\A|\n\n)Note:\n(?:This is a Primary Key\.(?P<key><pk/>)\n?)?"
    r"(?:This is a Foreign Key to `[^`]*`\.<fk table='(?P<table>[^']*)' column='(?P<column>[^']*)'/>)?\Z"
)
"""What PostgREST adds to the comment of a column."""
_NEW_SECONDS: Final = 2.0
"""How long a table that the Data API does not know may be one that it is about to know. It is told of new tables, and
then reads the whole schema again; a name that is misspelt is reported so much later.
"""


@attrs.frozen(kw_only=True)
class TableColumn:
    """A column: PostgreSQL's name of its type without a modifier, whether it always has a value, what it refers to."""

    name: str
    format: str
    present: bool
    key: bool
    length: int | None = None
    default: str | None = None
    comment: str | None = None
    refers: tuple[str, str] | None = None

    @property
    def required(self) -> bool:
        """Whether a new row must give it a value."""
        return self.present and self.default is None


@attrs.frozen(kw_only=True)
class Table:
    """A table or view, and the columns of its primary key in the order of its columns."""

    name: str
    columns: tuple[TableColumn, ...]
    comment: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key; empty without one."""
        return tuple(column.name for column in self.columns if column.key)

    def column(self, name: str) -> TableColumn:
        """The column of this name, which is spelt as in the table."""
        for column in self.columns:
            if column.name == name:
                return column
        listed = ", ".join(f"'{column.name}'" for column in self.columns)
        raise DriverError("OSR-SUPA-111", f"table '{self.name}' has no column '{name}'; it has {listed}")


def read_tables(client: RestClient) -> dict[str, Table]:
    """All tables that the key's role may see, by name."""
    what = "reading what tables there are"
    try:
        answer = client.root()
    except Refused as refused:
        if refused.refusal.status == 404:
            raise DriverError(
                "OSR-SUPA-114", "the Data API of this project does not describe its tables (its root is disabled)"
            ) from None
        raise_refusal(refused, what=what)
    try:
        definitions = json.loads(answer.body)["definitions"]
        return {name: _table(name, definition) for name, definition in definitions.items()}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise DriverError(
            "OSR-SUPA-105", f"{what}: the answer is no description of tables ({len(answer.body)} bytes)"
        ) from None


def read_tables_with(client: RestClient, name: str) -> dict[str, Table]:
    """All tables that the key's role may see, ``name`` among them unless there is none, after a moment in which it may
    become known; an error that says so when it is only hidden from the role.
    """
    tables = read_tables(client)
    if name in tables:
        return tables
    try:
        client.read(name, (("limit", "0"),), lag=_NEW_SECONDS)
    except Refused as refused:
        if refused.refusal.code in ("PGRST205", "42P01"):
            return tables
        raise_refusal(refused, what=f"looking for table '{name}'")
    tables = read_tables(client)
    if name not in tables:
        raise DriverError("OSR-SUPA-114", f"the Data API has table '{name}', but does not say what it looks like")
    return tables


def _table(name: str, definition: dict[str, Any]) -> Table:
    required = set(definition.get("required") or ())
    columns = definition.get("properties", {}).items()
    return Table(
        name=name,
        columns=tuple(_column(column, shape, present=column in required) for column, shape in columns),
        comment=definition.get("description"),
    )


def _column(name: str, shape: dict[str, Any], *, present: bool) -> TableColumn:
    described = str(shape.get("description") or "")
    notes = _NOTES.search(described)
    default = shape.get("default")
    return TableColumn(
        name=name,
        # A column of a domain or of an extension's type may have no format.
        format=str(shape.get("format") or shape.get("type") or "text"),
        present=present,
        key=notes is not None and notes["key"] is not None,
        length=shape.get("maxLength"),
        default=None if default is None else str(default),
        comment=(described[: notes.start()] if notes else described) or None,
        refers=(notes["table"], notes["column"]) if notes and notes["table"] is not None else None,
    )
