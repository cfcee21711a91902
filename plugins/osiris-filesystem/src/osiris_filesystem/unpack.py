"""The bytes of a file, unpacked: gzip (RFC 1952) and Zstandard (RFC 8878), proved whole, in pieces of bounded size."""

from __future__ import annotations

import os
import sys
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal

from osiris_core.api import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_filesystem.listing import InputFile

Compression = Literal["none", "gzip", "zstd"]

CHUNK: Final = 1 << 20
_PACKED_CHUNK: Final = 1 << 16
"""Smaller: what follows a gzip member or zstd frame is copied, and a hostile file has thousands of tiny ones."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP_BITS: Final = 31


def detect(descriptor: int) -> Compression:
    """How the open file is compressed, by its first bytes."""
    head = os.pread(descriptor, 4, 0)
    if head.startswith(_GZIP):
        return "gzip"
    return "zstd" if head == _ZSTD else "none"


def unpacked(descriptor: int, file: InputFile, compression: Compression) -> Iterator[bytes]:
    """The file's bytes; raises DriverError for data that is damaged or cut off."""
    if compression == "none":
        return _chunks(descriptor, CHUNK)
    packed = _chunks(descriptor, _PACKED_CHUNK)
    return _gunzipped(packed, file) if compression == "gzip" else _frames(packed, file)


def _chunks(descriptor: int, size: int) -> Iterator[bytes]:
    at = 0
    while chunk := os.pread(descriptor, size, at):
        at += len(chunk)
        yield chunk


def _gunzipped(chunks: Iterator[bytes], file: InputFile) -> Iterator[bytes]:
    """The members of a gzip file, each with its checksum and length compared."""
    member: Any = None
    for chunk in chunks:
        data = chunk
        while data:
            if member is None:
                member = zlib.decompressobj(_GZIP_BITS)
            try:
                out = member.decompress(data, CHUNK)
            except zlib.error as error:
                raise DriverError("OSR-FS-029", f"'{file.path}' is no sound gzip data: {error}") from error
            if out:
                yield out
            data = member.unconsumed_tail
            if member.eof:
                data = member.unused_data.lstrip(b"\0")
                member = None
    if member is not None:
        raise DriverError("OSR-FS-029", f"'{file.path}' is cut off: its gzip data has no end")


def _frames(chunks: Iterator[bytes], file: InputFile) -> Iterator[bytes]:
    """The frames of a Zstandard file, each with its checksum compared where it has one."""
    zstd = _zstd()
    frame: Any = None
    for chunk in chunks:
        data = chunk
        while data or not (frame is None or frame.needs_input):
            if frame is None:
                frame = zstd.ZstdDecompressor()
            try:
                out = frame.decompress(data, CHUNK)
            except zstd.ZstdError as error:
                raise DriverError("OSR-FS-029", f"'{file.path}' is no sound zstd data: {error}") from error
            if out:
                yield out
            data = b""
            if frame.eof:
                data = frame.unused_data
                frame = None
    if frame is not None:
        raise DriverError("OSR-FS-029", f"'{file.path}' is cut off: its zstd data has no end")


def _zstd() -> Any:
    """The module that unpacks Zstandard; imported when a file needs it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
