"""Where the values of a type begin, for bounds that lie before them: a lag leads out of narrow and unsigned types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.run.cursors import Kind, later

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST: Final[Mapping[str, tuple[Kind, str]]] = {
    **{
        name: (Kind.INTEGER, str(-(2 ** (bits - 1))))
        for name, bits in (("tinyint", 8), ("smallint", 16), ("integer", 32), ("bigint", 64), ("hugeint", 128))
    },
    **{f"u{name}": (Kind.INTEGER, "0") for name in ("tinyint", "smallint", "integer", "bigint", "hugeint")},
    "float": (Kind.FLOAT, "-3.4028234e+38"),
    "timestamp_ns": (Kind.TIMESTAMP, "1677-09-22 00:00:00"),
}


def not_below(kind: Any, text: str) -> str:
    """``text`` as a lower bound of values of the DuckDB type ``kind``: the type's first value when it lies before it.

    A text that states no value is returned as it is.
    """
    if kind.id == "decimal":
        (_, precision), (_, scale) = kind.children
        digits = "9" * precision
        least = (Kind.DECIMAL, f"-{digits[: precision - scale]}.{digits[:scale]}")
    elif kind.id in _LEAST:
        least = _LEAST[kind.id]
    else:
        return text
    try:
        return later(least[0], text, least[1]) or text
    except ValueError:
        return text
