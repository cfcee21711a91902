"""The rows of a table of a file of our own, for those who may not import duckdb (:mod:`osiris_core.chat.trying`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from osiris_core.api import quote_identifier

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(
    path: Path, table: str, most: int
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[Any, ...], ...], int]:
    """Columns with their types, the first ``most`` rows in the order in which they were written, and how many there
    are.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        name = quote_identifier(table)
        ((total,),) = connection.sql(f"SELECT count(*) FROM {name}").fetchall()
        result = connection.sql(f"SELECT * FROM {name} LIMIT {int(most)}")
        columns = tuple((column, str(kind)) for column, kind in zip(result.columns, result.types, strict=True))
        return columns, tuple(result.fetchall()), int(total)
