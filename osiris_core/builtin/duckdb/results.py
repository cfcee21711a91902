"""Rows of tables and files of our own, for those who may not import duckdb: the trial of a draft
(:mod:`osiris_core.chat.trying`) and the evaluation (:mod:`osiris_core.chat.evaluation.runner`).

The SQL here is that of a suite that a person wrote, or made here; nothing of it comes from a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from osiris_core.api import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Rows = tuple[tuple[Any, ...], ...]


def read_rows(path: Path, table: str, most: int) -> tuple[tuple[tuple[str, str], ...], Rows, int]:
    """Columns with their types, the first ``most`` rows in the order in which they were written, and how many there
    are.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        name = quote_identifier(table)
        ((total,),) = connection.sql(f"SELECT count(*) FROM {name}").fetchall()
        result = connection.sql(f"SELECT * FROM {name} LIMIT {int(most)}")
        columns = tuple((column, str(kind)) for column, kind in zip(result.columns, result.types, strict=True))
        return columns, tuple(result.fetchall()), int(total)


def query_files(files: Mapping[str, Path], sql: str) -> tuple[tuple[str, ...], Rows]:
    """What a query over Parquet files, each under its name, gives."""
    with duckdb.connect() as connection:
        _show(connection, files)
        result = connection.sql(sql)
        return tuple(result.columns), tuple(result.fetchall())


def store_query(path: Path, table: str, sql: str, files: Mapping[str, Path], key: Sequence[str]) -> None:
    """Make ``table`` in a database file of what a query over Parquet files gives, with a primary key where given."""
    with duckdb.connect(str(path)) as connection:
        _show(connection, files)
        name = quote_identifier(table)
        connection.execute(f"CREATE TABLE {name} AS {sql}")
        for one in files:
            connection.execute(f"DROP VIEW {quote_identifier(one)}")
        if key:
            columns = ", ".join(map(quote_identifier, key))
            connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({columns})")


def _show(connection: Any, files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        shown = str(path).replace("'", "''")
        connection.execute(f"CREATE VIEW {quote_identifier(name)} AS FROM read_parquet('{shown}')")
