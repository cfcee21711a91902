"""What the writers of all formats share: the columns to write, and DuckDB's COPY into an open file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Schema as ArrowSchema

from osiris_core.api import DriverError
from osiris_core.api import rows as stream_of
from osiris_filesystem.columns import check_names, did_you_mean
from osiris_filesystem.engine import connect, failure, is_interrupt, literal, name, only_row
from osiris_filesystem.rebatch import Watched
from osiris_filesystem.roots import engine_path, shown

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from osiris_core.api import Dataset, DriverContext, Schema

_INPUT: Final = "osiris_input"

_BUFFER: Final = 256 << 20
"""Bytes of rows that DuckDB may hold before they are in the file. Without a bound it takes what it is given, and memory
grows with the row count whenever writing is slower than reading; rows so wide that it needs more get more."""
_GROUP_ROWS: Final = 122_880
"""Rows that DuckDB gathers, for any format, before it writes them."""
_GROUPS_HELD: Final = 6
"""Gatherings that a COPY may hold at a time: each thread's own, and those that wait for their turn."""
_NOTE: Final = b"osiris:duckdb_type"
"""The field metadata in which the core notes a type that travels as text; see ``osiris_core.builtin.duckdb``."""
_NOTED: Final = ("JSON", "UUID")


@attrs.frozen(kw_only=True)
class Column:
    """A column to write: its type is a ``DuckDBPyType``; ``carried``: its values arrive as text."""

    name: str
    type: Any
    carried: bool = False

    @property
    def type_name(self) -> str:
        """The type as DuckDB spells it."""
        return str(self.type)


def chosen_columns(schema: Schema, config: Any) -> tuple[Column, ...]:
    """The columns to write, in the order in which the config wants them; raises DriverError for unusable ones."""
    arrow = ArrowSchema.from_arrow(schema)
    available = list(arrow.names)
    check_names(available, where="the rows")
    if not available or not all(available):
        raise DriverError(
            "OSR-FS-050", "the rows have a column without a name" if available else "there are no columns"
        )
    columns = {column.name: column for column in _typed(arrow)}
    if config.columns is None:
        return tuple(columns[one] for one in (sorted(available) if config.sort_columns else available))
    for one in config.columns:
        if one not in columns:
            raise DriverError(
                "OSR-FS-021",
                f"'columns' names the column '{one}', which the rows lack",
                hint=did_you_mean(one, available),
            )
    return tuple(columns[one] for one in config.columns)


def copy(
    rows: Dataset,
    descriptor: int,
    *,
    items: Sequence[str],
    options: Sequence[str],
    path: str,
    ctx: DriverContext,
    batch_rows: int | None = None,
    threads: int | None = None,
) -> int:
    """Write ``rows`` into the open file with DuckDB's COPY and say how many there were.

    ``items`` is the select list, over the columns of the rows. With ``batch_rows`` they come in batches of that size.
    DuckDB uses ``threads``; those that the step may, when not given.
    """
    source = Watched(rows, batch_rows=batch_rows, memory_limit=ctx.memory_limit)
    stream = source.stream()
    buffer = max(_BUFFER, int(_GROUPS_HELD * _GROUP_ROWS * source.row_bytes))
    connection = connect(
        threads=threads or ctx.threads, memory_limit=min(ctx.memory_limit, buffer), scratch=ctx.scratch
    )
    try:
        connection.register(_INPUT, stream)
        with ctx.on_cancel(connection.interrupt):
            count = int(
                only_row(connection, copy_statement(f"SELECT {', '.join(items)} FROM {_INPUT}", descriptor, options))[0]
            )
    except Exception as error:
        if is_interrupt(error) or source.failure is not None:
            ctx.check()
        raise source.failure or failure(
            error, what=f"'{shown(path)}' could not be written", code="OSR-FS-057"
        ) from error
    finally:
        connection.close()
    if count != source.count:
        raise DriverError("OSR-FS-058", f"'{shown(path)}': {source.count:,} rows came, {count:,} were written")
    return count


def copy_statement(query: str, descriptor: int, options: Sequence[str]) -> str:
    """The statement that writes the result of ``query`` into an open file."""
    path = engine_path(descriptor, Path(f"/dev/fd/{descriptor}"))
    return f"COPY ({query}) TO {literal(path)} ({', '.join(('USE_TMP_FILE false', *options))})"


def append_all(pieces: Iterable[int], into: int) -> None:
    """Append the bytes of open files to another."""
    for piece in pieces:
        at, size = 0, os.fstat(piece).st_size
        while at < size:
            sent = os.sendfile(into, piece, at, size - at)
            if sent == 0:
                raise OSError(5, "a staged piece became shorter")
            at += sent


def _typed(schema: ArrowSchema) -> tuple[Column, ...]:
    connection = connect()
    try:
        connection.register(_INPUT, stream_of(schema, _nothing()))
        found = connection.sql(f"SELECT {', '.join(map(name, schema.names))} FROM {_INPUT}").types
        columns = []
        for one, type_ in zip(schema.names, found, strict=True):
            note = (schema.field(one).metadata or {}).get(_NOTE, b"").decode("utf-8", "replace")
            carried = note in _NOTED and str(type_) == "VARCHAR"
            columns.append(Column(name=one, type=connection.sqltype(note) if carried else type_, carried=carried))
        return tuple(columns)
    except Exception as error:
        raise failure(error, what="the rows have a type that cannot be written", code="OSR-FS-050") from error
    finally:
        connection.close()


def _nothing() -> Generator[Any, None, None]:
    yield from ()
