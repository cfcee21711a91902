"""Arrow C streams, in and out, such that producers and consumers may sit on any thread.

Why not arro3's own reader on both sides: a stream made from a Python iterator by a Rust extension (PyO3) assumes that
a thread which already stands in one of its frames holds the interpreter lock. DuckDB releases that lock while it pulls
its input, so a stream inside a stream on one thread crashes the process (seen with arro3 0.9 and DuckDB 2.0). Here the
exported stream's callbacks are ctypes callbacks, which take the lock properly, and foreign streams are pulled through
nanoarrow, which holds no such assumption. See ADR "Arrow streams between steps".

Format: Arrow C stream interface, https://arrow.apache.org/docs/format/CStreamInterface.html.
"""

from __future__ import annotations

import ctypes
import errno
import re
from typing import TYPE_CHECKING, Any, Final

import nanoarrow
from arro3.core import RecordBatch, Schema
from nanoarrow._utils import NanoarrowException

from osiris_core.errors import DriverError
from osiris_core.spec.behave import BatchSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCHEMA_SIZE: Final = 72
_ARRAY_SIZE: Final = 80
_ARRAY_RELEASE: Final = 64
_SCHEMA_RELEASE: Final = 56
_POINTER_SIZE: Final = ctypes.sizeof(ctypes.c_void_p)
_STREAM_NAME: Final = b"arrow_array_stream"
_ARRAY_NAME: Final = b"arrow_array"
_PREFIX: Final = re.compile(r"\A[\w:]+\(\) failed \(\d+\): (?:External error: )?")


class _CStream(ctypes.Structure):
    """``struct ArrowArrayStream``; function pointers as addresses, so that nothing hangs on ctypes' own objects."""

    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.c_void_p),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _State:
    """What an exported stream holds until its consumer releases it."""

    __slots__ = ("batches", "close", "message", "schema")

    def __init__(self, schema: Schema, batches: Iterator[RecordBatch], close: Callable[[], None]) -> None:
        self.schema = schema
        self.batches = batches
        self.close = close
        self.message: ctypes.Array[ctypes.c_char] | None = None


_python = ctypes.pythonapi
_capsule_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", _python)
)
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _python)
)
_capsule_pointer_of_address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _python)
)
_capsule_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _python))
_increment = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", _python))
_decrement = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_DecRef", _python))
_allocate = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(("PyMem_RawMalloc", _python))
_free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("PyMem_RawFree", _python))

_FILL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_CStream), ctypes.c_void_p)
_TEXT = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_CStream))
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(_CStream))
_LET_GO = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_DESTROY = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)


def _state(stream: Any) -> _State:
    state = ctypes.cast(stream.contents.private_data, ctypes.py_object).value
    assert isinstance(state, _State)
    return state


def _remember(state: _State, error: BaseException) -> int:
    text = f"{type(error).__name__}: {error}".encode("utf-8", "replace").replace(b"\0", b" ")
    state.message = ctypes.create_string_buffer(text)
    return errno.EIO


def _move(capsule: object, name: bytes, out: int, size: int, release_offset: int) -> None:
    """Move the struct inside ``capsule`` to ``out``, leaving the capsule marked as released."""
    source = _capsule_pointer(capsule, name)
    ctypes.memmove(out, source, size)
    ctypes.memset(source + release_offset, 0, _POINTER_SIZE)


def _get_schema(stream: Any, out: int) -> int:
    state = _state(stream)
    try:
        _move(state.schema.__arrow_c_schema__(), b"arrow_schema", out, _SCHEMA_SIZE, _SCHEMA_RELEASE)
    except BaseException as error:  # noqa: BLE001 - a C callback cannot raise; the error goes the C way
        return _remember(state, error)
    return 0


def _get_next(stream: Any, out: int) -> int:
    state = _state(stream)
    try:
        batch = next(state.batches, None)
        if batch is None:
            ctypes.memset(out, 0, _ARRAY_SIZE)
        else:
            _, array = batch.__arrow_c_array__()
            _move(array, _ARRAY_NAME, out, _ARRAY_SIZE, _ARRAY_RELEASE)
    except BaseException as error:  # noqa: BLE001 - as above
        return _remember(state, error)
    return 0


def _get_last_error(stream: Any) -> int | None:
    message = _state(stream).message
    return ctypes.addressof(message) if message is not None else None


def _release(stream: Any) -> None:
    state = _state(stream)
    stream.contents.release = None
    stream.contents.private_data = None
    try:
        state.close()
    finally:
        _decrement(state)


def _destroy(capsule: int) -> None:
    if not _capsule_is_valid(capsule, _STREAM_NAME):
        return
    address = _capsule_pointer_of_address(capsule, _STREAM_NAME)
    stream = ctypes.cast(address, ctypes.POINTER(_CStream))
    if stream.contents.release:
        _release(stream)
    _free(address)


def _destroy_array(capsule: int) -> None:
    if not _capsule_is_valid(capsule, _ARRAY_NAME):
        return
    address = _capsule_pointer_of_address(capsule, _ARRAY_NAME)
    release = ctypes.c_void_p.from_address(address + _ARRAY_RELEASE).value
    if release:
        _LET_GO(release)(address)
    _free(address)


# Kept for the life of the process: a consumer may call them whenever it lets go of its stream.
_CALLBACKS: Final = (
    _FILL(_get_schema),
    _FILL(_get_next),
    _TEXT(_get_last_error),
    _RELEASE(_release),
    _DESTROY(_destroy),
    _DESTROY(_destroy_array),
)
_ADDRESSES: Final = tuple(ctypes.cast(callback, ctypes.c_void_p).value for callback in _CALLBACKS)


def export_stream(schema: Schema, batches: Iterator[RecordBatch], close: Callable[[], None]) -> object:
    """An ``arrow_array_stream`` capsule over ``batches``; ``close`` is called once, when the consumer lets go.

    ``batches`` is advanced on whatever thread the consumer pulls from. What it raises reaches the consumer as an
    Arrow error text only, so ``batches`` keeps the exception itself where the runtime finds it.
    """
    state = _State(schema, batches, close)
    address = _allocate(ctypes.sizeof(_CStream))
    stream = ctypes.cast(address, ctypes.POINTER(_CStream)).contents
    stream.get_schema, stream.get_next, stream.get_last_error, stream.release = _ADDRESSES[:4]
    stream.private_data = id(state)
    _increment(state)
    return _capsule_new(address, _STREAM_NAME, _ADDRESSES[4])


class _Moved:
    """An array of nanoarrow's (0.9), moved on: its own export copies, and writes beyond the buffers of text views."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        source = self._array._addr()  # noqa: SLF001 - the address of the C struct, which nothing public gives
        address = _allocate(_ARRAY_SIZE)
        ctypes.memmove(address, source, _ARRAY_SIZE)
        ctypes.memset(source + _ARRAY_RELEASE, 0, _POINTER_SIZE)
        return self._array.schema.__arrow_c_schema__(), _capsule_new(address, _ARRAY_NAME, _ADDRESSES[5])


class Pull:
    """A driver's stream being read: its schema, then its batches. To be used by one thread at a time.

    A stream with ``batches`` (:class:`osiris_core.spec.behave.BatchSource`) is read through that, so that its errors
    arrive as they are; any other through its C stream.
    """

    def __init__(self, stream: Any) -> None:
        self._foreign: Any = None
        if isinstance(stream, BatchSource):
            self.schema = Schema.from_arrow(stream.schema)
            self._batches = stream.batches()
        else:
            self._foreign = nanoarrow.c_array_stream(stream)
            self.schema = Schema.from_arrow(self._foreign.get_schema())
            self._batches = self._arrays()

    def __iter__(self) -> Iterator[RecordBatch]:
        return self

    def __next__(self) -> RecordBatch:
        return next(self._batches)

    def _arrays(self) -> Iterator[RecordBatch]:
        while True:
            try:
                array = self._foreign.get_next()
            except StopIteration:
                return
            except NanoarrowException as error:
                text = _PREFIX.sub("", str(error)).strip()
                raise DriverError("OSR-RUN-009", f"the driver's stream failed: {text}") from error
            yield RecordBatch.from_arrow(_Moved(array))

    def close(self) -> None:
        """Release the stream at its producer."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
        if self._foreign is not None:
            self._foreign.release()
