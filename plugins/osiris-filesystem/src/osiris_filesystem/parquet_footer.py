"""What a Parquet file's footer knows of its values: the least and the greatest of plain columns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from osiris_filesystem.engine import connect, literal, only_row
from osiris_filesystem.roots import engine_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import DriverContext

_EXACT: Final = re.compile(r"U?(TINY|SMALL|BIG)INT|U?INTEGER|DECIMAL\(\d+,\d+\)|DATE|TIMESTAMP(_S|_MS|_NS)?")
"""Types whose statistics are values. Those of texts may be cut, and floats have NaN, which no statistics mention."""


def footer_values(descriptor: int, columns: Sequence[tuple[str, str]], ctx: DriverContext) -> list[dict[str, Any]]:
    """Name, ``min`` and ``max`` (text) of each of ``columns`` (name, DuckDB's type) of an open file.

    A column without such statistics, or with nothing but NULL, has its name only.
    """
    plain = [(name, type_) for name, type_ in columns if _EXACT.fullmatch(type_)]
    if not plain:
        return [{"name": name} for name, _ in columns]
    items = ", ".join(_item(name, type_) for name, type_ in plain)
    path = literal(engine_path(descriptor, Path(f"/dev/fd/{descriptor}")))
    connection = connect(threads=1, memory_limit=ctx.memory_limit, scratch=ctx.scratch)
    try:
        found = only_row(connection, f"SELECT {items} FROM parquet_metadata({path})")
    finally:
        connection.close()
    values = {name: pair for (name, _), pair in zip(plain, found, strict=True) if pair is not None}
    return [{"name": name, **values.get(name, {})} for name, _ in columns]


def _item(name: str, type_: str) -> str:
    """``{min, max}`` of one column over all row groups; NULL when one with values has no statistics."""
    of = f"FILTER (path_in_schema = {literal(name)})"
    least, greatest = (f"{how}(TRY_CAST(stats_{how}_value AS {type_})) {of}" for how in ("min", "max"))
    known = f"bool_and(stats_min_value IS NOT NULL OR stats_null_count = num_values) {of}"
    return f"CASE WHEN {known} AND {least} IS NOT NULL THEN {{min: {least}::VARCHAR, max: {greatest}::VARCHAR}} END"
