r"""Rows in the text format of ``COPY … TO STDOUT`` taken apart for all cells at once.

Values escape what would be a tab or a line's end, so these bytes say where every cell begins and ends. ``\N`` is NULL;
a backslash before another character stands for one byte. Format: https://www.postgresql.org/docs/current/sql-copy.html.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np

PADDING: Final = 16
_TAB, _LINE, _BACKSLASH, _N = 9, 10, 92, 78

_MEANT: Final = np.arange(256, dtype=np.uint8)
for _letter, _byte in zip(b"bfnrtv", b"\b\f\n\r\t\v", strict=True):
    _MEANT[_letter] = _byte

Ints = np.ndarray[Any, np.dtype[np.intp]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class BrokenRowsError(Exception):
    """The bytes are no rows of as many cells."""


@attrs.frozen(kw_only=True)
class Cells:
    """Cells by column and row: where each begins in ``data`` (which has 16 bytes more), its length, and whether it is
    a value; the bytes of one that is NULL mean nothing.
    """

    data: Bytes
    starts: Ints
    lengths: Ints
    valid: Flags


def take_apart(rows: bytearray, columns: int) -> Cells:
    """The cells of whole ``rows``, which this takes over."""
    rows += bytes(PADDING)
    data: Bytes = np.frombuffer(rows, dtype=np.uint8)
    found = np.flatnonzero((data - _TAB) <= _LINE - _TAB)
    if len(found) % columns:
        raise BrokenRowsError
    ends: Ints = found.reshape(-1, columns)
    # As many lines end as there are rows, each with a row's last cell: so tabs end all other cells.
    if np.count_nonzero(data == _LINE) != len(ends) or not np.all(data[ends[:, -1]] == _LINE):
        raise BrokenRowsError
    # From here on column by column, as who reads them goes.
    ends = np.ascontiguousarray(ends.T)
    starts = np.empty_like(ends)
    starts[1:] = ends[:-1] + 1
    starts[0, :1] = 0
    starts[0, 1:] = ends[-1, :-1] + 1
    lengths = ends - starts
    valid = np.ones(lengths.shape, dtype=np.bool_)
    short = np.flatnonzero(lengths == 2)
    at = starts.ravel()[short]
    nulls = short[(data[at] == _BACKSLASH) & (data[at + 1] == _N)]
    valid.ravel()[nulls] = False
    slashes = np.flatnonzero(data == _BACKSLASH)
    if len(slashes) > len(nulls):
        return _unescaped(data, starts, ends, valid, slashes)
    return Cells(data=data, starts=starts, lengths=lengths, valid=valid)


def _unescaped(data: Bytes, starts: Ints, ends: Ints, valid: Flags, slashes: Ints) -> Cells:
    """The cells with each escape made the byte it stands for."""
    # In a run of backslashes every second one is escaped by the one before it.
    numbers = np.arange(len(slashes))
    begins = np.empty(len(slashes), dtype=np.bool_)
    begins[0] = True
    begins[1:] = np.diff(slashes) != 1
    run = np.maximum.accumulate(np.where(begins, numbers, 0))
    escapes = slashes[(numbers - run) % 2 == 0]
    data = data.copy()
    data[escapes + 1] = _MEANT[data[escapes + 1]]
    kept = np.ones(len(data), dtype=np.bool_)
    kept[escapes] = False
    gone = np.searchsorted(escapes, starts)
    lengths = ends - starts - (np.searchsorted(escapes, ends) - gone)
    return Cells(data=data[kept], starts=starts - gone, lengths=lengths, valid=valid)
