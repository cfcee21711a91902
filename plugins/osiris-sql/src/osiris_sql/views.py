"""Cells that lie in a buffer of bytes as Arrow columns of text and binary *views*, without touching a cell in Python.

A view column holds 16 bytes a cell: its length, and either the bytes themselves (up to twelve) or their first four, the
number of a data buffer, and the offset there. So a buffer as it came from a server's socket can *be* the column's data:
only the views are made, with numpy, for all cells of a column at once.

Formats: https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout and
https://arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from arro3.core import DataType, Field, RecordBatch, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PADDING: Final = 16
"""Bytes that a data buffer must have after its last cell, so that the start of a cell can be read in one piece."""

_INLINE: Final = 12
_HEADS: Final = np.array([((1 << 8 * min(length, 4)) - 1) << 32 for length in range(_INLINE + 1)], dtype="<u8")
_TAILS: Final = np.array([(1 << 8 * max(0, length - 4)) - 1 for length in range(_INLINE + 1)], dtype="<u8")
"""For each length up to twelve, what keeps a cell's own bytes and clears what follows them: of the first four, in the
upper half of a view's first word, and of the other eight, its second word.
"""


@attrs.frozen
class Cells:
    """Where the cells of one column lie: offsets and lengths in bytes (int64), ``valid`` False for NULL (None: there is
    none).
    """

    starts: np.ndarray[Any, Any]
    lengths: np.ndarray[Any, Any]
    valid: np.ndarray[Any, Any] | None = None


def view_schema(columns: Iterable[tuple[str, bool]]) -> Schema:
    """The Arrow schema of columns given as (name, whether it is text); text is UTF-8, which the server promises."""
    return Schema(
        [Field(name, DataType.string_view() if is_text else DataType.binary_view()) for name, is_text in columns]
    )


def padded(data: bytes | bytearray) -> np.ndarray[Any, Any]:
    """``data`` as a buffer that views can point into."""
    buffer = np.zeros(len(data) + PADDING, dtype=np.uint8)
    buffer[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    return buffer


def view_batch(schema: Schema, buffer: np.ndarray[Any, Any], columns: Sequence[Cells], *, rows: int) -> RecordBatch:
    """A batch of ``rows`` rows of a :func:`view_schema`, whose cells stay where they are: in ``buffer`` (uint8, below
    2 GiB, with :data:`PADDING`), which the batch keeps alive.
    """
    # The eight bytes from any byte on.
    words = np.ndarray((len(buffer) - 7,), dtype="<u8", buffer=buffer.data, strides=(1,))
    children = [_column(cells, buffer, words) for cells in columns]
    return RecordBatch.from_arrow(_Export(schema, _array(rows, 0, (None,), children=children)))


def _column(cells: Cells, buffer: np.ndarray[Any, Any], words: np.ndarray[Any, Any]) -> _Array:
    rows, starts, lengths, validity, nulls = len(cells.starts), cells.starts, cells.lengths, None, 0
    if cells.valid is not None and (nulls := rows - int(np.count_nonzero(cells.valid))):
        validity = np.packbits(cells.valid, bitorder="little")
        starts, lengths = np.where(cells.valid, starts, 0), np.where(cells.valid, lengths, 0)
    views = np.empty((rows, 2), dtype="<u8")
    if rows:
        _fill(views, starts, lengths, words)
    sizes = np.array([len(buffer)], dtype=np.int64)
    return _array(rows, nulls, (validity, views, buffer, sizes))


def _fill(views: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], words: Any) -> None:
    """Write the views of cells: length and first four bytes; then eight more, or where a long cell begins."""
    least, most = int(lengths.min()), int(lengths.max())
    # One mask for all where it is the same for all.
    kept = min(most, _INLINE) if least == most else np.minimum(lengths, _INLINE)
    head = words[starts]
    head <<= np.uint64(32)
    head &= _HEADS[kept]
    np.bitwise_or(head, lengths.view("<u8"), out=views[:, 0])
    if least > _INLINE:
        np.left_shift(starts.view("<u8"), np.uint64(32), out=views[:, 1])
        return
    np.bitwise_and(words[starts + 4], _TAILS[kept], out=views[:, 1])
    if most > _INLINE:
        (long,) = np.nonzero(lengths > _INLINE)
        views[long, 1] = starts[long].view("<u8") << np.uint64(32)


class _Array(ctypes.Structure):
    """``struct ArrowArray``."""


_Release = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))
_Array._fields_ = (
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
)

_held: dict[int, object] = {}
"""What exported arrays point to, until whoever has them lets go; by a number that the array carries."""
_numbers = itertools.count(1)


def _array(
    rows: int,
    nulls: int,
    buffers: Sequence[np.ndarray[Any, Any] | None],
    *,
    children: Sequence[_Array] = (),
) -> _Array:
    """An array as C sees it; every array, also a child, can be moved away and released by itself."""
    addresses = (ctypes.c_void_p * len(buffers))(*(None if one is None else one.ctypes.data for one in buffers))
    pointers = (ctypes.POINTER(_Array) * len(children))(*(ctypes.pointer(child) for child in children))
    number = next(_numbers)
    _held[number] = (buffers, addresses, pointers, children)
    made = _Array(length=rows, null_count=nulls, n_buffers=len(buffers), n_children=len(children))
    made.buffers = addresses
    made.children = pointers
    made.release = _RELEASE_ADDRESS
    made.private_data = number
    return made


def _release(pointer: Any) -> None:
    array = pointer.contents
    for at in range(array.n_children):
        child = array.children[at]
        if child.contents.release:
            _release(child)
    number = array.private_data
    array.release = None
    array.private_data = None
    _held.pop(number, None)


# Kept for the life of the process: a consumer may call it whenever it lets go of an array.
_RELEASE: Final = _Release(_release)
_RELEASE_ADDRESS: Final = ctypes.cast(_RELEASE, ctypes.c_void_p).value
_capsule_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)


class _Export:
    """An array of our own as an object of the PyCapsule protocol; to be taken before this object goes."""

    def __init__(self, schema: Schema, array: _Array) -> None:
        self._schema = schema
        self._array = array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        capsule = _capsule_new(ctypes.addressof(self._array), b"arrow_array", None)
        return self._schema.__arrow_c_schema__(), capsule

    def __del__(self) -> None:
        if self._array.release:
            _release(ctypes.pointer(self._array))
