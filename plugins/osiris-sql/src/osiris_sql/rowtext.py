"""Rows as the text that a server loads in bulk (LOAD DATA, COPY, a long INSERT), with no Python per row.

Each batch passes through a DuckDB connection, which joins the cells of a row into one text. The texts of a batch lie
one behind the other in the buffer of an Arrow text column, and that buffer is what is sent. In the same pass every row
is hashed, and values that the target would change without a word are refused by name.

How a cell is written is the server's: SQL per column, given as :class:`Cell`.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from arro3.core import RecordBatch, Schema, Table

from osiris_core.api import DriverError, quote_identifier
from osiris_sql.engine import BATCH_ROWS, FAILURES, batches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

PIECE_BYTES: Final = 8 << 20
"""Arrow bytes that are written at a time: held in memory, and far below what a text column can hold."""

_LEAST_ROWS: Final = 64
_REFUSED: Final = re.compile(r"osiris-refused:(\d+):(\d+):(.*)", re.DOTALL)
_TOO_MUCH: Final = re.compile(r"Out of Memory|maximum total string size")
_SHOWN: Final = 80


@attrs.frozen
class Guard:
    """A condition in SQL that no value of a column may meet, and the words that follow the value in a message."""

    bad: str
    why: str


@attrs.frozen(kw_only=True)
class Cell:
    """A column and how its cells are written: ``text`` is SQL that gives the text of a value, and NULL for NULL."""

    column: str
    text: str
    guards: tuple[Guard, ...] = ()


@attrs.frozen(kw_only=True)
class Form:
    """What stands around the cells of a row; ``null`` is the text of a NULL."""

    null: str
    before: str = ""
    between: str = ","
    after: str = "\n"


@attrs.frozen(kw_only=True)
class Chunk:
    """The text of some rows: bytes, where each row ends in them, and the sum of the rows' hashes."""

    data: memoryview
    ends: Any
    hash: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.ends)

    def pieces(self, size: int) -> Iterator[tuple[memoryview, int]]:
        """The same as pieces of whole rows of at most ``size`` bytes (a longer row is a piece of its own), each with
        its number of rows.
        """
        start = row = 0
        while row < self.rows:
            last = max(int(np.searchsorted(self.ends, start + size, side="right")), row + 1)
            end = int(self.ends[last - 1])
            yield self.data[start:end], last - row
            start, row = end, last


def quoted(column: str, quote: str = '"') -> str:
    """SQL for the text of ``column`` between quotes, those within doubled."""
    mark, twice = sql_text(quote), sql_text(quote * 2)
    return f"{mark} || replace({quote_identifier(column)}, {mark}, {twice}) || {mark}"


def sql_text(text: str) -> str:
    """``text`` as an SQL string of DuckDB's."""
    return "'" + text.replace("'", "''") + "'"


class _TooMuch(Exception):
    """Rows that cannot be held at the same time."""


class RowText:
    """Writes rows of ``schema``, which has all columns that ``cells`` name; refused values raise ``code``.

    ``rows`` and ``hash`` add up what was written: the sum, modulo 2**128, of DuckDB's hash of each row of the schema is
    the same for the same rows in any order and any number of parts.
    """

    def __init__(self, connection: Any, schema: Schema, cells: Sequence[Cell], form: Form, *, code: str) -> None:
        self._connection = connection
        self._cells = tuple(cells)
        self._code = code
        self.rows = 0
        self.hash = 0
        items = [sql_text(form.before)] if form.before else []
        for at, cell in enumerate(self._cells):
            if at:
                items.append(sql_text(form.between))
            items.append(f"coalesce({_guarded(at, cell)}, {sql_text(form.null)})")
        items.append(sql_text(form.after))
        names = ", ".join(quote_identifier(name) for name in schema.names)
        self._sql = f"SELECT concat({', '.join(items)}) AS line, hash({names}) AS hashed FROM osiris_piece"

    def chunks(self, batches: Iterable[RecordBatch]) -> Generator[Chunk, None, None]:
        """The text of ``batches``, in their order; what they raise passes through. Close it before the connection."""
        for batch in batches:
            for piece in _pieces(batch):
                yield from self._written(piece)

    def _written(self, piece: RecordBatch) -> Iterator[Chunk]:
        """The text of a piece, by halves where its rows are too wide to be held at the same time."""
        try:
            yield from self._at_once(piece)
        except _TooMuch:
            half = piece.num_rows // 2
            yield from self._written(piece.slice(0, half))
            yield from self._written(piece.slice(half))

    def _at_once(self, piece: RecordBatch) -> Iterator[Chunk]:
        self._connection.register("osiris_piece", Table.from_batches([piece]))
        rows = 0
        try:
            with closing(batches(self._connection, self._sql)) as arrays:
                for array in arrays:
                    chunk = _chunk(array)
                    rows += chunk.rows
                    self.rows += chunk.rows
                    self.hash += chunk.hash
                    yield chunk
        except FAILURES as error:
            if not rows and piece.num_rows > 1 and _TOO_MUCH.search(str(error)):
                raise _TooMuch from error
            raise self._failure(error) from error
        finally:
            self._connection.unregister("osiris_piece")
        if rows != piece.num_rows:
            raise DriverError(self._code, f"{piece.num_rows} rows came, {rows} were written as text")

    def _failure(self, error: BaseException) -> DriverError:
        found = _REFUSED.search(str(error))
        if found is None:
            return DriverError(self._code, f"the rows cannot be written as text: {str(error).splitlines()[0]}")
        cell = self._cells[int(found[1])]
        guard = cell.guards[int(found[2])]
        return DriverError(self._code, f"column '{cell.column}': {found[3]} {guard.why}")


def _guarded(at: int, cell: Cell) -> str:
    if not cell.guards:
        return cell.text
    column = quote_identifier(cell.column)
    shown = f"coalesce(left(CAST({column} AS VARCHAR), {_SHOWN}), 'NULL')"
    cases = "".join(
        f"WHEN {guard.bad} THEN error('osiris-refused:{at}:{number}:' || {shown}) "
        for number, guard in enumerate(cell.guards)
    )
    return f"CASE {cases}ELSE {cell.text} END"


def _pieces(batch: RecordBatch) -> Iterator[RecordBatch]:
    """A batch in parts small enough to hold as text."""
    count = batch.num_rows
    if not count:
        return
    fitting = max(_LEAST_ROWS, PIECE_BYTES * count // max(1, batch.nbytes))
    step = min(BATCH_ROWS, fitting)
    for start in range(0, count, step):
        yield batch.slice(start, min(step, count - start))


def _chunk(array: Any) -> Chunk:
    """The two columns of a result as a chunk; its views keep the Arrow memory alive."""
    lines, hashed = array.children
    _, offsets, data = lines.view().buffers
    ends = np.frombuffer(offsets, dtype=np.int32)[1 : lines.length + 1]
    _, values = hashed.view().buffers
    hashes = np.frombuffer(values, dtype=np.uint64)[: hashed.length]
    # As two halves, whose sums cannot overflow.
    total = (int((hashes >> np.uint64(32)).sum()) << 32) + int((hashes & np.uint64(0xFFFFFFFF)).sum())
    return Chunk(data=memoryview(data).cast("B"), ends=ends, hash=total)
