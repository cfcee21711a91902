"""Rows of the text protocol as batches of cells, found in the bytes of the socket with numpy.

A row is a packet (three bytes of length, one that counts), or several when it is longer than 16 MB; in it each cell
stands behind its length. Where packets begin is guessed for a whole buffer at once, and proved: each must end where the
next begins. Python walks from packet to packet only where no guess holds; everything within the rows is done for a
whole column at a time. Format: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
"""

from __future__ import annotations

import codecs
import struct
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from arro3.core import DataType

from osiris_sql.views import PADDING, Cells, padded, view_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from arro3.core import RecordBatch, Schema

SIZE: Final = 4 << 20
"""Bytes of rows that are read at a time. A batch costs its readers a millisecond or two, however few rows it has."""

_MANY: Final = 16 << 10
"""Bytes from which on a guess costs less than a walk."""
_LONGEST: Final = 0xFFFFFF
_HEADER: Final = 4
_NULL: Final = 251
_LAST_MARK: Final = 254
_ERROR: Final = 0xFF
_MOST_ASCII: Final = 127
_HIGH_BITS: Final = 0x8080808080808080
_END: Final = 0xFE

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
_TEXT: Final = DataType.string_view()
_NONE: Final[Ints] = np.empty(0, dtype=np.int64)


class Broken(Exception):
    """What came is no row of the columns that were announced."""


class NotUTF8(Exception):
    """A cell of text that is none: the number of its column, and its bytes."""

    def __init__(self, column: int, cell: bytes) -> None:
        super().__init__(column, cell)
        self.column = column
        self.cell = cell


def read_rows(
    readinto: Callable[[memoryview], int], schema: Schema, ended: Callable[[bytes], None], size: int = SIZE
) -> Generator[RecordBatch, None, None]:
    """The rows as batches of ``schema`` (see :mod:`osiris_sql.views`); ``readinto`` fills what it likes of a buffer.

    ``ended`` gets the packet after the last row: the end of rows, or an error of the server's, which it raises.
    """
    packets = _Packets(readinto, size)
    while True:
        rows = packets.next_rows()
        if len(rows.starts):
            yield _batch(schema, rows)
        if rows.last is not None:
            ended(rows.last)
            return
        if rows.is_long:
            yield _one_row(schema, packets.long_row())


@attrs.define
class _Rows:
    """Complete rows in a buffer, and where the last one ends."""

    buffer: Bytes
    found: list[Ints] = attrs.field(factory=list)
    end: int = 0
    last: bytes | None = None
    is_long: bool = False

    @property
    def starts(self) -> Ints:
        """Where each packet's content starts."""
        return np.concatenate(self.found) if self.found else _NONE


class _Packets:
    """The packets on a socket; a buffer's rest is carried over into the next one."""

    def __init__(self, readinto: Callable[[memoryview], int], size: int) -> None:
        self._readinto = readinto
        self._size = size
        self._rest = b""
        self._number: int | None = None

    def next_rows(self) -> _Rows:
        """Rows until half a buffer is full of them, or the last row has come, or one that is too long for a buffer."""
        buffer: Bytes = np.zeros(self._size + PADDING, dtype=np.uint8)
        view = memoryview(buffer.data)[: self._size]
        filled = len(self._rest)
        view[:filled] = self._rest
        rows = _Rows(buffer)
        while not self._walk(buffer, filled, rows) and rows.end < self._size // 2 and filled < self._size:
            filled += self._fill(view[filled:])
        self._rest = bytes(view[rows.end : filled]) if rows.last is None else b""
        heads = rows.starts if rows.last is None else np.append(rows.starts, rows.end + _HEADER)
        self._count(buffer[heads - 1])
        if rows.last is not None and rows.end + _HEADER + len(rows.last) != filled:
            raise Broken("the server sent more after the last row")
        return rows

    def long_row(self) -> bytearray:
        """The content of the row that comes next, however many packets it has."""
        row = bytearray()
        while True:
            header = self._take(_HEADER)
            self._count(np.array([header[3]], dtype=np.uint8))
            length = int.from_bytes(header[:3], "little")
            row += self._take(length)
            if length < _LONGEST:
                return row

    def _count(self, numbers: Bytes) -> None:
        """Raise unless the packets of these numbers, which count to 255 and over, follow the last ones."""
        if not len(numbers):
            return
        first = int(numbers[0]) if self._number is None else self._number
        if not np.array_equal(numbers, (np.arange(len(numbers)) + first).astype(np.uint8)):
            raise Broken("a packet is missing")
        self._number = (first + len(numbers)) % 256

    def _walk(self, buffer: Bytes, filled: int, rows: _Rows) -> bool:
        """Go on from ``rows.end`` over the packets that are complete; whether there are no more to be had."""
        guessed, at = _NONE, rows.end
        if filled - at > _MANY:
            guessed, at = _guessed(buffer, at, filled)
        starts: list[int] = []
        view, found, unpack = memoryview(buffer.data), starts.append, _unpack
        while at + _HEADER <= filled:
            length = unpack(view, at)[0] & _LONGEST
            start = at + _HEADER
            if length + _HEADER > self._size or length == _LONGEST:
                rows.is_long = True
                break
            if start + length > filled:
                break
            if not length:
                raise Broken("a row has no content")
            if view[start] >= _END and (view[start] == _ERROR or length < 9):
                rows.last = bytes(view[start : start + length])
                break
            found(start)
            at = start + length
        rows.found += [guessed, np.array(starts, dtype=np.int64)]
        rows.end = at
        return rows.is_long or rows.last is not None

    def _take(self, count: int) -> bytearray:
        taken = bytearray(count)
        filled = min(count, len(self._rest))
        taken[:filled] = self._rest[:filled]
        self._rest = self._rest[filled:]
        with memoryview(taken) as view:
            while filled < count:
                filled += self._fill(view[filled:])
        return taken

    def _fill(self, view: memoryview) -> int:
        count = self._readinto(view)
        if not count:
            raise Broken("the server closed the connection")
        return count


_unpack = struct.Struct("<I").unpack_from


def _guessed(buffer: Bytes, at: int, filled: int) -> tuple[Ints, int]:
    """Where the contents of packets that follow one another from ``at`` begin, and where the last of them ends.

    The third byte of a packet shorter than 64 KiB is zero. Of the places before a zero, those are taken that another
    one leads to, and that lead to one whose count is the next; then the first that does not follow the one before ends
    the guess. So it is never wrong, and short where rows are full of zeros.
    """
    places = np.flatnonzero(buffer[at + 2 : max(at + 2, filled - 1)] == 0) + at
    lengths = buffer[places] + (buffer[places + 1].astype(np.int64) << 8)
    next_ = places + lengths + _HEADER
    is_place = np.zeros(filled - at + 1, dtype=bool)
    is_place[places - at] = True
    # The content must be there, and no end of the rows, whose length or first byte says so.
    kept = np.flatnonzero((next_ < filled) & (lengths > 0))
    kept = kept[is_place[next_[kept] - at] & (buffer[places[kept] + _HEADER] < _END)]
    places, next_ = places[kept], next_[kept]
    kept = np.flatnonzero(buffer[next_ + 3] == buffer[places + 3] + np.uint8(1))
    places, next_ = places[kept], next_[kept]
    is_place[:] = False
    is_place[next_ - at] = True
    is_place[0] = True
    kept = np.flatnonzero(is_place[places - at])
    places, next_ = places[kept], next_[kept]
    if not len(places) or places[0] != at:
        return places[:0], at
    gaps = np.flatnonzero(next_[:-1] != places[1:])
    count = int(gaps[0]) + 1 if len(gaps) else len(places)
    return places[:count] + _HEADER, int(next_[count - 1])


def _batch(schema: Schema, rows: _Rows) -> RecordBatch:
    starts = rows.starts
    ends = np.append(starts[1:] - _HEADER, rows.end)
    for byte in range(1, _HEADER + 1):
        rows.buffer[starts - byte] = 0
    return _made(schema, rows.buffer, starts, ends)


def _one_row(schema: Schema, row: bytearray) -> RecordBatch:
    if row[0] == _ERROR:
        raise Broken("an error longer than any")
    return _made(schema, padded(row), np.zeros(1, dtype=np.int64), np.array([len(row)], dtype=np.int64))


def _made(schema: Schema, buffer: Bytes, starts: Ints, ends: Ints) -> RecordBatch:
    cells = _cells(buffer, starts, ends, len(schema))
    _check_texts(buffer, int(starts[0]), int(ends[-1]), cells, [field.type == _TEXT for field in schema])
    return view_batch(schema, buffer, cells, rows=len(starts))


def _cells(buffer: Bytes, starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any], columns: int) -> list[Cells]:
    """Where the cells of rows lie, column by column; the lengths before them are made zero, or stay if below 128."""
    made = []
    at = starts
    try:
        for _ in range(columns):
            lengths = buffer[at].astype(np.int64)
            most = int(lengths.max())
            if most > _MOST_ASCII:
                buffer[at] = 0
            at = at + 1
            valid = None
            if most >= _NULL:
                valid = lengths != _NULL
                at, lengths = _longer(buffer, at, np.where(valid, lengths, 0))
                if bool(valid.all()):
                    valid = None
            made.append(Cells(at, lengths, valid))
            at = at + lengths
    except IndexError as error:
        raise Broken("a cell ends beyond its row") from error
    if not np.array_equal(at, ends):
        raise Broken("the cells of a row do not end where the row does")
    return made


def _longer(
    buffer: Bytes, at: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where cells start, and their lengths, where some lengths take two, three or eight bytes more."""
    if int(lengths.max()) > _LAST_MARK:
        raise Broken("a cell has an impossible length")
    at, lengths = at.copy(), lengths.copy()
    for mark, width in ((252, 2), (253, 3), (254, 8)):
        (which,) = np.nonzero(lengths == mark)
        if not len(which):
            continue
        value = np.zeros(len(which), dtype=np.int64)
        for byte in range(width):
            value |= buffer[at[which] + byte].astype(np.int64) << (8 * byte)
            buffer[at[which] + byte] = 0
        if bool((value < 0).any()):
            raise Broken("a cell has an impossible length")
        # A length of 252 to 254 bytes is now written as one, and must not be taken for a mark again.
        lengths[which] = -value - 1
        at[which] += width
    return at, np.where(lengths < 0, -lengths - 1, lengths)


def _check_texts(buffer: Bytes, start: int, end: int, cells: Sequence[Cells], are_text: Sequence[bool]) -> None:
    """Raise :class:`NotUTF8` unless all cells of text are UTF-8; what lies between cells must be below 128.

    The server sends the bytes of a utf8mb4 column as they are, and takes any bytes for utf8mb4 in some ways.
    """
    whole = start + (end - start) // 8 * 8
    words = buffer[start:whole].view("<u8")
    if not (int(np.bitwise_or.reduce(words)) & _HIGH_BITS or bool((buffer[whole:end] > _MOST_ASCII).any())):
        return
    texts = buffer[start:end]
    others = [one for one, is_text in zip(cells, are_text, strict=True) if not is_text]
    if others:
        texts = np.where(_within(others, start, end), np.uint8(0), texts)
    try:
        codecs.utf_8_decode(texts.data, "strict", True)  # noqa: FBT003 - it takes no names
    except UnicodeDecodeError as error:
        at = start + error.start
    else:
        return
    for column, one in enumerate(cells):
        (which,) = np.nonzero((one.starts <= at) & (at < one.starts + one.lengths))
        if len(which):
            first = int(one.starts[which[0]])
            raise NotUTF8(column, bytes(buffer[first : first + int(one.lengths[which[0]])]))
    raise Broken("bytes between the cells of a row")


def _within(cells: Sequence[Cells], start: int, end: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    """For each byte from ``start`` to ``end`` whether it is of one of these cells; no two of which touch."""
    steps = np.zeros(end - start + 1, dtype=np.int8)
    for one in cells:
        kept = one.lengths > 0
        begins = one.starts[kept] - start
        steps[begins] = 1
        steps[begins + one.lengths[kept]] = -1
    return np.cumsum(steps[:-1], dtype=np.int8)
