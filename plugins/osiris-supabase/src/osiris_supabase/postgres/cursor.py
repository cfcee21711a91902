"""The cursor of an incremental extract: compared on the server in the very order that its values have once read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osiris_core.api import DriverError, quote_identifier
from osiris_supabase.postgres.types_in import BYTEA, NUMERIC, TEXTS, decimal_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.api import Window
    from osiris_supabase.postgres.session import Session

_ONE_BYTE, _CHARACTER = 18, 1042
_PLAIN: Final[Mapping[int, str]] = {
    21: "int2",
    23: "int4",
    20: "int8",
    26: "oid",
    700: "float4",
    701: "float8",
    2950: "uuid",
}
_SPECIAL: Final[Mapping[int, str]] = {NUMERIC: "numeric", 1082: "date", 1114: "timestamp", 1184: "timestamptz"}
"""Types with values that Arrow's lack; where those are wanted, the whole column is read as text."""


def window_conditions(
    session: Session, oid: int, modifier: int, window: Window, *, specials_as_text: bool, what: str
) -> list[str]:
    """The conditions of ``window`` on a column of the server's type ``oid``; none when it has no bounds.

    DriverError OSR-PG-029 for any other type, such as those that arrive as texts of another order than the server's.
    """
    kind = _kind(oid, modifier, specials_as_text=specials_as_text)
    if kind is None:
        ((shown,),) = session.rows("SELECT pg_catalog.format_type($1::oid, $2::int4)", oid, modifier)
        raise DriverError(
            "OSR-PG-029",
            f"{what}: the cursor '{window.cursor}' is of type {shown}, whose values do not keep the server's order "
            "once they are read",
        )
    column = quote_identifier(window.cursor)
    if oid == _CHARACTER:
        # A cast to text cuts the blanks that the value is read with.
        column = f"pg_catalog.textin(pg_catalog.bpcharout({column}))"
    if oid == _ONE_BYTE:
        column = f"CAST({column} AS pg_catalog.text)"
    if oid in TEXTS:
        column = f'{column} COLLATE "C"'
    return [
        f"{column} {operator} {_bound(session, bound, kind)}"
        for operator, bound in ((">=", window.lower), ("<", window.upper))
        if bound is not None
    ]


def _kind(oid: int, modifier: int, *, specials_as_text: bool) -> str | None:
    """The type that bounds are cast to; None for a column that cannot be a cursor."""
    if oid in TEXTS:
        return "text"
    if oid == BYTEA:
        return "bytea"
    if oid not in _SPECIAL:
        return _PLAIN.get(oid)
    if specials_as_text or (oid == NUMERIC and decimal_of(modifier) is None):
        return None
    return _SPECIAL[oid]


def _bound(session: Session, text: str, kind: str) -> str:
    literal = session.literal(text)
    return f"pg_catalog.decode({literal}, 'hex')" if kind == "bytea" else f"CAST({literal} AS pg_catalog.{kind})"
