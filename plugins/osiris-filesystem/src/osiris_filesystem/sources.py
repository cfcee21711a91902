"""A text file made readable for DuckDB: as UTF-8, unpacked, and proved whole.

Two ways. Plain UTF-8 is read by DuckDB from the open descriptor. Everything else - other encodings, and compressed
files, as DuckDB compares no gzip checksums and takes a cut Zstandard stream for its end - is pumped through a pipe by a
thread that unpacks, verifies and transcodes.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING, Final, Literal, Protocol

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.roots import engine_path
from osiris_filesystem.unpack import CHUNK, Compression, detect, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root

_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_PIPE_BYTES: Final = 1 << 20
_PATIENCE: Final = 0.2
_SET_PIPE_SIZE: Final = 1031


@attrs.frozen(kw_only=True)
class TextFormat:
    """How a text file is stored. ``mark_allowed``: the reader knows a UTF-8 byte order mark from text.

    ``max_line_bytes``: longer lines are refused here, as DuckDB leaves out a last line longer than its buffer.
    """

    encoding: str
    compression: Literal["auto", "none", "gzip", "zstd"]
    refuse_nul: bool = True
    mark_allowed: bool = True
    max_line_bytes: int | None = None


class Source(Protocol):
    """An input that DuckDB can read under ``path``, once."""

    path: str

    @property
    def failure(self) -> BaseException | None:
        """What went wrong so far on the way to DuckDB, if anything did."""
        ...

    def verify(self) -> None:
        """Called when DuckDB has read to the end: raises DriverError when that was not the whole, sound file."""
        ...

    def close(self) -> None:
        """Release everything; safe to call more than once."""
        ...


def open_source(root: Root, file: InputFile, form: TextFormat) -> Source:
    """``file`` as a source; raises DriverError."""
    descriptor = root.open_file(file.parts)
    try:
        compression = _compression_of(descriptor, form)
        plain = form.encoding in ("utf-8", "utf-8-sig")
        marked = not form.mark_allowed and os.pread(descriptor, 3, 0) == codecs.BOM_UTF8
        if compression != "none" or not plain or marked:
            source: Source = _Pumped(descriptor, file, form, compression)
        else:
            source = _Direct(descriptor, engine_path(descriptor, root.path.joinpath(*file.parts)), file, form)
    except BaseException:
        os.close(descriptor)
        raise
    return source


@contextlib.contextmanager
def open_sources(root: Root, files: Iterable[InputFile], form: TextFormat) -> Iterator[list[Source]]:
    """Sources over ``files``. A source that knows why reading failed raises that instead of what DuckDB made of it."""
    sources: list[Source] = []
    try:
        for file in files:
            sources.append(open_source(root, file, form))  # noqa: PERF401 - each is closed below, also when one fails
        yield sources
    except DriverError:
        raise
    except Exception as error:
        for source in sources:
            if source.failure is not None:
                raise source.failure from error
        raise
    finally:
        for source in sources:
            source.close()


def text_chunks(root: Root, file: InputFile, form: TextFormat) -> Iterator[str]:
    """The decoded text of a file, in pieces; raises DriverError."""
    descriptor = root.open_file(file.parts)
    try:
        raw = unpacked(descriptor, file, _compression_of(descriptor, form))
        yield from _decoded(raw, file, form)
    finally:
        os.close(descriptor)


class _Direct:
    """A file that DuckDB reads itself; a thread looks for NUL bytes meanwhile."""

    def __init__(self, descriptor: int, path: str, file: InputFile, form: TextFormat) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._file = file
        self._fault: DriverError | None = None
        self._lines = _Lines(form.max_line_bytes)
        self._stopped = False
        self._thread: threading.Thread | None = None
        if form.refuse_nul:
            self._thread = threading.Thread(target=self._look, name="osiris-nul", daemon=True)
            self._thread.start()

    @property
    def failure(self) -> BaseException | None:
        """None: DuckDB reads the file itself."""
        return None

    def verify(self) -> None:
        """Raise DriverError when the file holds NUL bytes or a long line, or has changed since it was listed."""
        if self._thread is not None:
            self._thread.join()
        if self._fault is not None:
            raise self._fault
        assert self._descriptor is not None
        require_unchanged(self._descriptor, self._file)

    def close(self) -> None:
        """Stop the thread and close the file."""
        self._stopped = True
        if self._thread is not None:
            self._thread.join()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _look(self) -> None:
        at = 0
        assert self._descriptor is not None
        while not self._stopped and (chunk := os.pread(self._descriptor, CHUNK, at)):
            found = chunk.find(b"\0")
            if found >= 0:
                self._fault = nul_error(self._file, _lines_before(self._descriptor, at + found) + 1)
                return
            at += len(chunk)
            if self._lines.too_long(chunk):
                self._fault = self._lines.error(self._file, _lines_before(self._descriptor, self._lines.start) + 1)
                return


class _Pumped:
    """A file that a thread unpacks and transcodes into a pipe, from which DuckDB reads."""

    def __init__(self, descriptor: int, file: InputFile, form: TextFormat, compression: Compression) -> None:
        self._descriptor: int | None = descriptor
        self._file = file
        self._form = form
        self._packed = compression
        self._stopped = False
        self.failure: BaseException | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        with contextlib.suppress(OSError, ImportError):
            import fcntl

            fcntl.fcntl(self._writer, _SET_PIPE_SIZE, _PIPE_BYTES)
        self.path = f"/dev/fd/{self._reader}"
        self._thread = threading.Thread(target=self._pump, name="osiris-pump", daemon=True)
        self._thread.start()

    def verify(self) -> None:
        """Raise what the pump met: DriverError about damaged data, encoding or NUL bytes."""
        self._thread.join()
        if self.failure is not None:
            raise self.failure
        assert self._descriptor is not None
        require_unchanged(self._descriptor, self._file)

    def close(self) -> None:
        """Let the pump end and close both ends."""
        if self._descriptor is None:
            return
        self._stopped = True
        os.close(self._reader)
        self._thread.join()
        os.close(self._descriptor)
        self._descriptor = None

    def _pump(self) -> None:
        assert self._descriptor is not None
        try:
            raw = unpacked(self._descriptor, self._file, self._packed)
            if self._form.encoding in ("utf-8", "utf-8-sig"):
                chunks: Iterator[bytes] = self._without_nul(raw)
            else:
                chunks = (text.encode("utf-8") for text in _decoded(raw, self._file, self._form))
            lines, count = _Lines(self._form.max_line_bytes), 1
            for chunk in chunks:
                if lines.too_long(chunk):
                    raise lines.error(self._file, count)
                count += chunk.count(b"\n")
                self._write(chunk)
        except BrokenPipeError:
            pass  # the reader has seen enough
        except BaseException as error:  # noqa: BLE001 - raised again by verify()
            self.failure = error
        finally:
            os.close(self._writer)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._writer, view) :]
            except BlockingIOError:
                select.select((), (self._writer,), (), _PATIENCE)
                if self._stopped:
                    raise BrokenPipeError from None

    def _without_nul(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        lines = 0
        first = True
        for chunk in chunks:
            if self._form.refuse_nul and (found := chunk.find(b"\0")) >= 0:
                raise nul_error(self._file, lines + chunk.count(b"\n", 0, found) + 1)
            lines += chunk.count(b"\n")
            yield chunk.removeprefix(codecs.BOM_UTF8) if first else chunk
            first = False


class _Lines:
    """Watches a text given in pieces for a line of more than ``limit`` bytes; ``start`` is where the last one begins.

    A line is known to be too long once a whole piece lies inside it, so those a little longer may pass.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._at = 0
        self.start = 0

    def too_long(self, chunk: bytes) -> bool:
        """Take the next piece; whether it lies in a line that is too long."""
        last = chunk.rfind(b"\n") if b"\n" in chunk else chunk.rfind(b"\r")
        if last >= 0:
            self.start = self._at + last + 1
        self._at += len(chunk)
        return self._limit is not None and last < 0 and self._at - self.start > self._limit

    def error(self, file: InputFile, line: int) -> DriverError:
        """What is raised for the line that is too long."""
        return DriverError("OSR-FS-027", f"'{file.path}' line {line:,} is longer than {self._limit:,} bytes")


def nul_error(file: InputFile, line: int) -> DriverError:
    """What is raised for a NUL byte in ``line``."""
    return DriverError("OSR-FS-026", f"'{file.path}' line {line:,} holds a NUL byte")


def require_unchanged(descriptor: int, file: InputFile) -> None:
    """Raise DriverError when the open file is not as it was when it was listed."""
    status = os.fstat(descriptor)
    if (status.st_size, status.st_mtime_ns) != (file.size, file.changed):
        raise DriverError("OSR-FS-035", f"'{file.path}' was changed while it was read")


def _decoded(chunks: Iterator[bytes], file: InputFile, form: TextFormat) -> Iterator[str]:
    encoding, lines, decoder = form.encoding, 0, None
    for chunk, final in _with_final(chunks):
        if decoder is None:
            encoding = _codec(form.encoding, chunk)
            chunk = chunk[2:] if form.encoding == "utf-16" and chunk[:2] in _UTF16 else chunk  # noqa: PLW2901
            decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding.removesuffix("-sig"), "replace")
            raise DriverError(
                "OSR-FS-025",
                f"'{file.path}' line {lines + before.count(chr(10)) + 1:,} is not {form.encoding}: {error.reason}",
            ) from error
        if form.refuse_nul and (found := text.find("\0")) >= 0:
            raise nul_error(file, lines + text.count("\n", 0, found) + 1)
        lines += text.count("\n")
        yield text


def _compression_of(descriptor: int, form: TextFormat) -> Compression:
    return detect(descriptor) if form.compression == "auto" else form.compression


def _codec(encoding: str, head: bytes) -> str:
    """The codec for text that begins with ``head``: a byte order mark says which UTF-16 it is, and is not text."""
    if encoding == "utf-16":
        return _UTF16.get(head[:2], "utf-16-le")
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _with_final(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def _lines_before(descriptor: int, end: int) -> int:
    lines = at = 0
    while at < end:
        chunk = os.pread(descriptor, min(CHUNK, end - at), at)
        if not chunk:
            break
        lines += chunk.count(b"\n")
        at += len(chunk)
    return lines
