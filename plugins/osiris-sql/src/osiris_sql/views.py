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
_MASKS: Final = np.array([[0xFF] * kept + [0] * (_INLINE - kept) for kept in range(_INLINE + 1)], dtype=np.uint8).view(
    "<u4"
)
"""For each length up to twelve: three words that keep the cell's own bytes and clear what follows them."""


@attrs.frozen
class Cells:
    """Where the cells of one column lie: offsets and lengths in bytes, ``valid`` False for NULL (None: there is none),
    and ``second`` True for a cell in the second buffer (None: none is).
    """

    starts: np.ndarray[Any, Any]
    lengths: np.ndarray[Any, Any]
    valid: np.ndarray[Any, Any] | None = None
    second: np.ndarray[Any, Any] | None = None


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


def view_batch(
    schema: Schema,
    buffer: np.ndarray[Any, Any],
    columns: Sequence[Cells],
    *,
    rows: int,
    second: np.ndarray[Any, Any] | None = None,
) -> RecordBatch:
    """A batch of ``rows`` rows of a :func:`view_schema`, whose cells stay where they are: in ``buffer`` and, where a
    column says so, in ``second`` (both uint8, below 2 GiB, with :data:`PADDING`), which the batch keeps alive.
    """
    data = (buffer,) if second is None else (buffer, second)
    words = [np.ndarray((len(one) - _INLINE,), dtype="V12", buffer=one.data, strides=(1,)) for one in data]
    children = [_column(cells, data, words) for cells in columns]
    return RecordBatch.from_arrow(_Export(schema, _array(rows, 0, (None,), children=children)))


def _column(cells: Cells, data: Sequence[np.ndarray[Any, Any]], words: Sequence[np.ndarray[Any, Any]]) -> _Array:
    rows = len(cells.starts)
    starts = cells.starts if cells.valid is None else np.where(cells.valid, cells.starts, 0)
    lengths = cells.lengths if cells.valid is None else np.where(cells.valid, cells.lengths, 0)
    views = np.empty((rows, 4), dtype="<u4")
    views[:, 0] = lengths
    if cells.second is None:
        heads = words[0][starts]
    else:
        heads = np.empty(rows, dtype="V12")
        for number, one in enumerate(words):
            here = cells.second if number else ~cells.second
            heads[here] = one[starts[here]]
    least, most = (int(lengths.min()), int(lengths.max())) if rows else (0, 0)
    # What is left of a cell's first twelve bytes; one mask for all where it is the same for all.
    kept = _MASKS[min(most, _INLINE)] if least == most else _MASKS.take(np.minimum(lengths, _INLINE), axis=0)
    np.bitwise_and(heads.view("<u4").reshape(rows, 3), kept, out=views[:, 1:])
    if most > _INLINE:
        # A long cell keeps its first four bytes, and says where the rest is.
        (long,) = np.nonzero(lengths > _INLINE)
        views[long, 2] = 0 if cells.second is None else cells.second[long]
        views[long, 3] = starts[long]
    sizes = np.array([len(one) for one in data], dtype=np.int64)
    validity, nulls = None, 0
    if cells.valid is not None:
        nulls = rows - int(np.count_nonzero(cells.valid))
        validity = np.packbits(cells.valid, bitorder="little") if nulls else None
    return _array(rows, nulls, (validity, views, *data, sizes))


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
