"""How the value of a column is written for LOAD DATA and for INSERT, and which values are refused beforehand.

A server changes some values without a word: NULL in a column that makes up a value for it, a fraction of a second, the
space at the end of a CHAR, the text '2' in an ENUM. Each has a guard here; all others draw a warning or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import quote_identifier
from osiris_mysql.statements import ident
from osiris_mysql.types_out import BINARIES, MOMENTS, TEXTS, ZONED
from osiris_sql.rowtext import Cell, Form, Guard, quoted, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osiris_core.api import Column
    from osiris_mysql.types_out import MyType

LOAD_FORM: Final = Form(null="NULL")
LOAD_DIALECT: Final = (
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY 0x0A"
)
"""LOAD DATA's words for :data:`LOAD_FORM`: with it a bare NULL is NULL and nothing in quotes means anything else."""

INSERT_FORM: Final = Form(null="NULL", before="(", between=",", after="),")

_LAST: Final = "TIMESTAMP '9999-12-31 23:59:59.999999'"


@attrs.frozen(kw_only=True)
class Pair:
    """A column of the rows, its DuckDB type, and the column of the table it goes to."""

    source: str
    kind: Any
    target: str
    type: MyType


def pairs_of(pairs: Sequence[tuple[Column, Column]]) -> tuple[Pair, ...]:
    """The pairs of a plan whose table columns have server types."""
    return tuple(Pair(source=ours.name, kind=ours.type, target=theirs.name, type=theirs.type) for ours, theirs in pairs)


def load_cells(pairs: Sequence[Pair]) -> tuple[Cell, ...]:
    """The cells for LOAD DATA."""
    return tuple(Cell(column=pair.source, text=_loaded(pair), guards=tuple(_guards(pair))) for pair in pairs)


def load_columns(pairs: Sequence[Pair]) -> str:
    """LOAD DATA's list of columns, and what is to be done with those whose text is not the value."""
    names, settings = [], []
    for at, pair in enumerate(pairs):
        if pair.type.name in BINARIES or pair.type.name == "bit":
            names.append(f"@osiris_{at}")
            value = f"UNHEX(@osiris_{at})" if pair.type.name in BINARIES else f"CAST(@osiris_{at} AS UNSIGNED)"
            settings.append(f"{ident(pair.target)} = {value}")
        else:
            names.append(ident(pair.target))
    return f"({', '.join(names)})" + (f" SET {', '.join(settings)}" if settings else "")


def insert_cells(pairs: Sequence[Pair]) -> tuple[Cell, ...]:
    """The cells for INSERT … VALUES."""
    return tuple(Cell(column=pair.source, text=_inserted(pair), guards=tuple(_guards(pair))) for pair in pairs)


def _loaded(pair: Pair) -> str:
    if pair.type.name in TEXTS or pair.type.name == "uuid":
        return quoted(pair.source) if pair.kind.id == "varchar" else f"'\"' || {_plain(pair)} || '\"'"
    return _plain(pair)


def _inserted(pair: Pair) -> str:
    if pair.kind.id == "varchar":
        return quoted(pair.source, "'")
    if pair.kind.id == "blob":
        return f"'x''' || {_plain(pair)} || ''''"
    if pair.type.name == "bit":
        return f"'b''' || {_plain(pair)} || ''''"
    # Quoted numbers, too: a bare 1.5 would be a decimal on its way to a float.
    return f"'''' || {_plain(pair)} || ''''"


def _plain(pair: Pair) -> str:
    """SQL for the text of a value, without quotes."""
    column = quote_identifier(pair.source)
    match pair.kind.id:
        case "boolean":
            return f"CAST(CAST({column} AS TINYINT) AS VARCHAR)"
        case "float":  # all digits of the value, which its shortest text leaves to a reader of FLOATs
            return f"CAST(CAST({column} AS DOUBLE) AS VARCHAR)"
        case "blob":
            return f"hex({column})"
        case _ if pair.kind.id in MOMENTS or pair.kind.id == ZONED:
            return f"CAST({_moment(pair)} AS VARCHAR)"
        case "varchar":
            return column
        case _:
            return f"CAST({column} AS VARCHAR)"


def _moment(pair: Pair) -> str:
    column = quote_identifier(pair.source)
    return f"make_timestamp(epoch_us({column}))" if pair.kind.id == ZONED else f"CAST({column} AS TIMESTAMP)"


def _guards(pair: Pair) -> Iterator[Guard]:
    column = quote_identifier(pair.source)
    kind, target = pair.kind.id, pair.type
    if not target.nullable:
        yield Guard(f"{column} IS NULL", "in a column that takes no NULL")
    if kind in ("float", "double"):
        yield Guard(f"NOT isfinite({column})", "is no number that MySQL knows")
    if kind == "date":
        yield Guard(_outside(column, "DATE '0001-01-01'", "DATE '9999-12-31'"), "is outside the years 1 to 9999")
    if kind in MOMENTS or kind == ZONED:
        # By the column itself: an infinity has no microseconds.
        yield Guard(f"NOT isfinite({column})", "is outside the years 1 to 9999")
        outside = _outside(_moment(pair), "TIMESTAMP '0001-01-01'", _LAST)
        yield Guard(outside, "is outside the years 1 to 9999")
    if target.name in ("time", "datetime", "timestamp") and target.fraction < 6 and kind != "date":
        value = column if kind == "time" else _moment(pair)
        finer = f"microsecond({value}) % {10 ** (6 - target.fraction)} != 0"
        yield Guard(finer, f"has finer parts of a second than {target.written.upper()}")
    yield from _text_guards(column, target)
    if target.name == "year" and kind != "null":
        yield Guard(_outside(column, "1901", "2155"), "is outside the years 1901 to 2155")


def _text_guards(column: str, target: MyType) -> Iterator[Guard]:
    as_text = f"CAST({column} AS VARCHAR)"
    if target.name == "char":
        yield Guard(f"ends_with({as_text}, ' ')", "ends with a space, which a CHAR drops")
    if target.name == "uuid":
        bad = f"NOT regexp_full_match({as_text}, '[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}')"
        yield Guard(bad, "is no UUID in lower case with hyphens")
    if target.name == "binary":
        bad = f"octet_length({column}) != {target.length}"
        yield Guard(bad, f"is not of {target.length} bytes, to which a BINARY is filled up")
    if target.name == "enum":
        known = ", ".join(sql_text(value) for value in target.values)
        yield Guard(f"{as_text} NOT IN ({known})", "is none of the values of the ENUM")


def _outside(value: str, least: str, most: str) -> str:
    return f"{value} < {least} OR {value} > {most}"
