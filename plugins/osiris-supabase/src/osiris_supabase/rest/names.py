"""Names and values as parts of a request to PostgREST, so that none of them can be anything else.

PostgREST reads a double-quoted name as it stands, with a backslash before ``"`` and a backslash; a quoted name is no
parameter of its own (``select``, ``order``), and holds no path into JSON, alias or cast.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from osiris_core.api import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST: Final = 63
"""Bytes of the longest name that PostgreSQL keeps."""


def _check(name: str, what: str) -> None:
    wrong = None
    if not name:
        wrong = "is empty"
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        wrong = "holds control characters"
    elif len(name.encode()) > _LONGEST:
        wrong = f"is longer than {_LONGEST} bytes"
    if wrong:
        raise InvalidInput("OSR-SUPA-112", f"the {what} {name!r} {wrong}")


def table_path(table: str) -> str:
    """The path of a table below the API's root: one segment, whatever the name holds."""
    _check(table, "table name")
    if "/" in table or "\\" in table or table in (".", ".."):
        raise InvalidInput(
            "OSR-SUPA-112",
            f"the table name {table!r} would be a path; it is not requested",
            hint="name a table; a schema goes into 'schema'",
        )
    return quote(table, safe="")


def schema_header(schema: str) -> str:
    """A schema as the value of a profile header."""
    _check(schema, "schema name")
    if not schema.isascii() or schema != schema.strip():
        raise InvalidInput("OSR-SUPA-112", f"the schema name {schema!r} cannot be sent in a header")
    return schema


def column(name: str) -> str:
    """A column's name, quoted."""
    _check(name, "column name")
    if name == "*":
        raise InvalidInput("OSR-SUPA-112", "the column name '*' means all columns to the Data API, quoted or not")
    return quoted(name)


def columns(names: Iterable[str]) -> str:
    """A list of column names."""
    return ",".join(column(name) for name in names)


def quoted(text: str) -> str:
    """A name, or a value inside parentheses."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
