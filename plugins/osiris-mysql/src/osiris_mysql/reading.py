"""What MySQL's types are in Arrow, as data, and what a reader does with values that Arrow's types cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import attrs

from osiris_core.api import DriverError
from osiris_sql.casting import Cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_mysql.result import Field

Policy = Literal["error", "null", "text"]

BINARY: Final = 63
"""The character set of columns that hold bytes."""

DECIMAL_DIGITS: Final = 38
"""The digits of Arrow's 128-bit decimal; a wider DECIMAL is read as text."""

_NAMES: Final[Mapping[int, str]] = {
    0: "DECIMAL",
    1: "TINYINT",
    2: "SMALLINT",
    3: "INT",
    4: "FLOAT",
    5: "DOUBLE",
    6: "NULL",
    7: "TIMESTAMP",
    8: "BIGINT",
    9: "MEDIUMINT",
    10: "DATE",
    11: "TIME",
    12: "DATETIME",
    13: "YEAR",
    14: "DATE",
    15: "VARCHAR",
    16: "BIT",
    242: "VECTOR",
    245: "JSON",
    246: "DECIMAL",
    247: "ENUM",
    248: "SET",
    249: "TINYBLOB",
    250: "MEDIUMBLOB",
    251: "LONGBLOB",
    252: "BLOB",
    253: "VARCHAR",
    254: "CHAR",
    255: "GEOMETRY",
}
"""The protocol's numbers of types."""

INTEGERS: Final[Mapping[str, tuple[str, str]]] = {
    "TINYINT": ("TINYINT", "UTINYINT"),
    "SMALLINT": ("SMALLINT", "USMALLINT"),
    "MEDIUMINT": ("INTEGER", "UINTEGER"),
    "INT": ("INTEGER", "UINTEGER"),
    "BIGINT": ("BIGINT", "UBIGINT"),
}
"""DuckDB's types of the same range: signed, unsigned."""

DATES: Final[Mapping[str, tuple[str, str]]] = {
    "DATE": ("DATE", "{cell}"),
    "DATETIME": ("TIMESTAMP", "{cell}"),
    # The session's zone is UTC.
    "TIMESTAMP": ("TIMESTAMPTZ", "{cell} || '+00'"),
}
"""Types that may hold zero dates: DuckDB's type, and the cell as text of it."""

_PLAIN: Final[Mapping[str, Cast]] = {
    "YEAR": Cast(name="", type="SMALLINT"),
    # The first four bytes are the number of the reference system; the rest is WKB.
    "GEOMETRY": Cast(name="", is_text=False, expression="{cell}[5:]"),
    "VECTOR": Cast(name="", is_text=False),
    "NULL": Cast(name=""),
}
"""Types that are read in one way only."""

STRINGS: Final = frozenset({"VARCHAR", "CHAR", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"})
"""Text, or bytes where the character set says so."""

TEXTS: Final = STRINGS | {"JSON", "ENUM", "SET"}


@attrs.frozen(kw_only=True)
class Widened:
    """A type that a query has to make another one, by ``how``, to show its values as they are: ``why``, and the type of
    DuckDB that holds them.
    """

    how: str
    why: str
    type: str


WIDENED: Final[Mapping[str, Widened]] = {
    "FLOAT": Widened(how="+ 0e0", why="of which the server shows six digits only", type="FLOAT"),
    # Of an expression the server sends decimal digits, of a column its bytes, and calls both the same.
    "BIT": Widened(how="+ 0", why="which the server sends as bytes or as digits without saying which", type="UBIGINT"),
}
"""The types that are read as another one."""

_YEAR_0: Final = "{cell} < '0001'"
_MIDNIGHT: Final = "starts_with({cell}, '24')"
"""DuckDB takes 24:00:00 for a time of day; Arrow has none."""


@attrs.frozen(kw_only=True)
class Policies:
    """What to do with values that Arrow's types do not have, and whether TINYINT(1) holds truth values."""

    zero_dates: Policy = "error"
    long_times: Policy = "error"
    tinyint1: Literal["integer", "boolean"] = "integer"


def base_type(field: Field) -> str:
    """MySQL's name for the type of a column, without its attributes; empty for one that is not known."""
    return _NAMES.get(field.type, "")


def type_name(field: Field) -> str:
    """MySQL's name for the type of a column."""
    name = _NAMES.get(field.type, f"type {field.type}")
    if name in STRINGS:
        return name.replace("BLOB", "TEXT") if field.charset != BINARY else name.replace("CHAR", "BINARY")
    if name in ("DECIMAL", *INTEGERS) and field.unsigned:
        name += " UNSIGNED"
    return name


def column_cast(field: Field, policies: Policies, *, was: str | None = None) -> Cast:
    """How the cells of a column become values. ``was``: the table's type, of those in :data:`WIDENED`."""
    if was is not None:
        return Cast(name=field.name, type=WIDENED[was].type)
    name = base_type(field)
    if name in INTEGERS:
        return _integer(field, policies)
    if name in DATES:
        type_, value = DATES[name]
        return _guarded(field, type_, value, _YEAR_0, policies.zero_dates)
    if name == "TIME":
        return _guarded(field, "TIME", "{cell}", _MIDNIGHT, policies.long_times)
    if name == "DECIMAL":
        return _decimal(field)
    if name == "DOUBLE":
        return Cast(name=field.name, type="DOUBLE")
    if name in _PLAIN:
        return attrs.evolve(_PLAIN[name], name=field.name)
    if name in STRINGS and field.charset == BINARY:
        return Cast(name=field.name, is_text=False)
    if name in TEXTS:
        return Cast(name=field.name)
    raise _unreadable(field, name)


def _unreadable(field: Field, name: str) -> DriverError:
    if name in WIDENED:
        return DriverError(
            "OSR-MYSQL-024",
            f"column '{field.name}' is a {name}, {WIDENED[name].why}",
            hint=f"write (… {WIDENED[name].how}) AS {field.name} in the query, or read the table with 'table'",
        )
    return DriverError("OSR-MYSQL-024", f"column '{field.name}' has a type that Osiris does not know ({field.type})")


def _integer(field: Field, policies: Policies) -> Cast:
    name = base_type(field)
    if name == "TINYINT" and field.length == 1 and policies.tinyint1 == "boolean":
        return Cast(name=field.name, type="BOOLEAN", refused_if="{cell} NOT IN ('0', '1')")
    return Cast(name=field.name, type=INTEGERS[name][field.unsigned])


def _decimal(field: Field) -> Cast:
    # The length counts a sign and a point as well.
    digits = field.length - (field.scale > 0) - (not field.unsigned)
    if digits > DECIMAL_DIGITS or field.scale > digits:
        return Cast(name=field.name)
    return Cast(name=field.name, type=f"DECIMAL({max(digits, 1)},{field.scale})")


def _guarded(field: Field, type_: str, expression: str, refused_if: str, policy: Policy) -> Cast:
    """A column some of whose values Arrow's type may not have."""
    if policy == "text":
        return Cast(name=field.name)
    if policy == "null":
        value = f"CASE WHEN NOT {refused_if} THEN TRY_CAST({expression} AS {type_}) END"
        return Cast(name=field.name, expression=value)
    return Cast(name=field.name, expression=expression, type=type_, refused_if=refused_if)


def refused(fields: Sequence[Field], cast: Cast, cell: str) -> DriverError:
    """The error for a cell that is no value of its column's type."""
    field = next(field for field in fields if field.name == cast.name)
    name = type_name(field)
    policy = {"TIME": "long_times", "TINYINT": "tinyint1"}.get(name, "zero_dates" if name in DATES else None)
    hints = {
        "zero_dates": "set 'zero_dates' to 'null' or 'text'",
        "long_times": "set 'long_times' to 'null' or 'text'",
        "tinyint1": "set 'tinyint1' to 'integer'",
    }
    return DriverError(
        "OSR-MYSQL-023",
        f"column '{cast.name}' ({name}) holds '{cell}', which is no {cast.type}",
        hint=hints.get(policy or ""),
    )


def plan_of(casts: Sequence[Cast], fields: Sequence[Field]) -> list[dict[str, str]]:
    """What becomes of each column, as plain data for the run's record."""
    return [
        {"column": cast.name, "type": type_name(field), "as": cast.type or ("text" if cast.is_text else "bytes")}
        for cast, field in zip(casts, fields, strict=True)
    ]
