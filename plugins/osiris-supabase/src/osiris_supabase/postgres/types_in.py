"""How a column of a result becomes an Arrow column: the type table of ``supabase.extractor``, as data.

The server prints every value as text, exactly; what has no exact Arrow type stays that text. Types that are not named
here (intervals, time with a zone, arrays, ranges, network addresses, bits, geometry, money, XML, enums, extensions'
own) are such text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_sql.casting import Cast

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOL, BYTEA, NUMERIC = 16, 17, 1700
TEXTS: Final = frozenset({18, 19, 25, 705, 1042, 1043})
"""Types that compare by a collation: "char", name, text, unknown, character(n), character varying."""

_EXACT: Final[Mapping[int, str]] = {
    BOOL: "BOOLEAN",
    21: "SMALLINT",
    23: "INTEGER",
    20: "BIGINT",
    26: "UINTEGER",  # oid
    700: "FLOAT",
    701: "DOUBLE",
}
_BEFORE_CHRIST: Final = "CASE WHEN ends_with({cell}, ' BC') THEN %s ELSE {cell} END"
_DAY: Final = _BEFORE_CHRIST % "replace({cell}, ' BC', ' (BC)')"
_MOMENT: Final = _BEFORE_CHRIST % r"regexp_replace({cell}, '^(\S+) (.*) BC$', '\1 (BC) \2')"
_MOMENTS: Final[Mapping[int, tuple[str, str]]] = {
    1082: ("DATE", _DAY),
    1114: ("TIMESTAMP", _MOMENT),
    1184: ("TIMESTAMPTZ", _MOMENT),
    1083: ("TIME", "{cell}"),
}
_NOTES: Final[Mapping[int, str]] = {2950: "UUID", 114: "JSON", 3802: "JSON", 1266: "TIME WITH TIME ZONE"}
"""DuckDB's name for what a text is, noted beside the column as the DuckDB components do."""


@attrs.frozen(kw_only=True)
class ColumnPlan:
    """A column of a result: its cast, the server's name of its type, what DuckDB calls its text, and which cells are
    special: ``moment`` (infinite), ``midnight`` (24:00), ``number`` (NaN) or none.
    """

    cast: Cast
    type: str
    note: str | None = None
    special: str | None = None

    @property
    def shown(self) -> str:
        """What it becomes, in DuckDB's words."""
        return self.note or self.cast.type or ("BLOB" if self.type == "bytea" else "VARCHAR")


def column_plan(name: str, oid: int, modifier: int, shown: str, *, specials_as_text: bool) -> ColumnPlan:
    """How the column ``name`` is read, given the server's type and modifier."""
    if oid == BYTEA:
        return ColumnPlan(cast=Cast(name=name, expression="unhex({cell})"), type="bytea")
    if oid in _EXACT:
        return ColumnPlan(cast=Cast(name=name, type=_EXACT[oid]), type=shown)
    if oid in _MOMENTS and not specials_as_text:
        kind, expression = _MOMENTS[oid]
        special = "midnight" if kind == "TIME" else "moment"
        return ColumnPlan(cast=Cast(name=name, expression=expression, type=kind), type=shown, special=special)
    decimal = decimal_of(modifier) if oid == NUMERIC else None
    if decimal is not None and not specials_as_text:
        kind = f"DECIMAL({decimal[0]},{decimal[1]})"
        return ColumnPlan(cast=Cast(name=name, type=kind), type=shown, special="number")
    return ColumnPlan(cast=Cast(name=name), type=shown, note=_NOTES.get(oid))


def decimal_of(modifier: int) -> tuple[int, int] | None:
    """Width and scale of the DECIMAL that holds a ``numeric`` of this type modifier; None when there is none."""
    if modifier < 4:
        return None
    precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    scale -= 0x800 if scale & 0x400 else 0
    if scale < 0:
        precision, scale = precision - scale, 0
    width = max(precision, scale)
    return (width, scale) if width <= 38 else None


def moved(plan: ColumnPlan) -> int:
    r"""How many bytes before a cell's value are not the value: bytea begins with ``\\x``."""
    return 2 if plan.type == "bytea" else 0


def noted(schema: Any, plans: tuple[ColumnPlan, ...]) -> Any:
    """``schema`` with the notes of ``plans`` on its fields."""
    for at, plan in enumerate(plans):
        if plan.note is not None:
            field = schema.field(at).with_metadata({b"osiris:duckdb_type": plan.note.encode()})
            schema = schema.set(at, field)
    return schema
