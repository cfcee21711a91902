"""A session's record as one file to hand on, and read back.

A bundle is a zip: ``<session>/…`` as in the record, and ``bundle.json``, which says what was left out. Everything in it
has passed the redactor once more, with all secrets that the project has now; what was made of the record and cut before
they were known (:mod:`osiris_core.report.derived`) is left out. The same record and secrets give the same bytes: names
are sorted, times are fixed. No symbolic link is followed.

Reading takes the files it knows by their exact names and a bounded number of bytes; other members are not looked at.
"""

from __future__ import annotations

import codecs
import json
import os
import secrets
import struct
import tempfile
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.compile.build import MANIFEST
from osiris_core.errors import InvalidInput, RunFailed
from osiris_core.ids import SESSION_ID
from osiris_core.report.below import below
from osiris_core.report.derived import is_derived
from osiris_core.report.reader import FINAL, MAX_LINE, STATUSES, read_session, text_of
from osiris_core.run.reading import MAX_DOCUMENT, mapping_of, open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from osiris_core.redaction import Redactor
    from osiris_core.report.reader import SessionRecord

FORMAT: Final = 1
HEAD: Final = "bundle.json"
READ: Final = ("session.json", "status.json", "events.jsonl", "metrics.jsonl", f"manifest/{MANIFEST}")
"""The files that are read from a bundle."""

NO_BUNDLE: Final = "OSR-LOG-005"
TOO_LARGE: Final = "OSR-LOG-006"
UNWRITABLE: Final = "OSR-LOG-007"

MAX_ARTIFACT_MB: Final = 10
MAX_UNPACKED: Final = 256 << 20
MAX_VALUES: Final = 5_000_000
"""Values of JSON that a bundle may hold: in memory the smallest take thirty times their bytes."""

_ARTIFACTS: Final = "artifacts"
_BEGINS: Final = (b"[", b"{", b",")
"""What a value of JSON stands after, or begins with."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_PIECE: Final = 1 << 16
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, ValueError)
"""What Python's zip reader raises for an archive that is none, damaged, encrypted or of another kind."""


@attrs.frozen(kw_only=True)
class LeftOut:
    """A file of the record that is not in the bundle."""

    name: str
    why: str


@attrs.frozen(kw_only=True)
class Bundle:
    """A bundle that was written."""

    path: Path
    files: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def write_bundle(
    record: SessionRecord,
    path: Path,
    *,
    redactor: Redactor,
    artifacts: bool = False,
    max_artifact: int = MAX_ARTIFACT_MB << 20,
) -> Bundle:
    """Write ``record`` to ``path``, which appears whole or not at all.

    Files that steps have left are in it only with ``artifacts``: text redacted, other bytes as they are when no secret
    is seen in them, each of at most ``max_artifact`` bytes. Raises RunFailed when the file cannot be written.
    """
    made = _Writing(redactor, max_artifact)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with zipfile.ZipFile(beside, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, file in _files(record.path, artifacts=artifacts):
                made.add(archive, record.id, name, file)
            head = {
                "format": FORMAT,
                "session": record.id,
                "status": record.status,
                "left_out": [attrs.asdict(one) for one in made.left_out],
            }
            archive.writestr(_info(HEAD), _document(head))
        beside.replace(path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError):
            raise RunFailed(UNWRITABLE, f"the bundle '{path}' cannot be written: {error.strerror or error}") from error
        raise
    return Bundle(path=path, files=tuple(made.files), left_out=tuple(made.left_out))


@contextmanager
def open_bundle(path: Path) -> Iterator[SessionRecord]:
    """The record in the bundle ``path``; its files lie in a temporary folder as long as the context is open.

    Raises InvalidInput when it is no bundle, or unpacks to more than :data:`MAX_UNPACKED` bytes or
    :data:`MAX_VALUES` values.
    """
    with tempfile.TemporaryDirectory(prefix="osiris-bundle-") as scratch:
        try:
            with zipfile.ZipFile(path) as archive:
                folder, status = _unpack(archive, Path(scratch))
        except _BROKEN as error:
            raise _no_bundle(path, str(error)) from error
        except OSError as error:
            raise _no_bundle(path, error.strerror or str(error)) from error
        record = read_session(folder)
        # Whether a process of another machine lives cannot be asked: what it was when the bundle was made stands.
        yield record if record.status in FINAL or status is None else attrs.evolve(record, status=status)


class _Refused(Exception):
    """Why a file does not go into a bundle."""


class _Source:
    """A file of the record, as far as it reached when it was opened: what is added meanwhile is not in the bundle."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = self._left = os.fstat(file.fileno()).st_size

    def read(self, most: int) -> bytes:
        return self._took(self._file.read, most)

    def readline(self) -> bytes:
        return self._took(self._file.readline, MAX_LINE)

    def _took(self, read: Callable[[int], bytes], most: int) -> bytes:
        try:
            data = read(min(most, self._left))
        except OSError as error:
            raise _unreadable(error) from error
        self._left -= len(data)
        return data


class _Writing:
    def __init__(self, redactor: Redactor, max_artifact: int) -> None:
        self._redactor = redactor
        self._max_artifact = max_artifact
        self.files: list[str] = []
        self.left_out: list[LeftOut] = []

    def add(self, archive: zipfile.ZipFile, session: str, name: str, path: Path) -> None:
        shown = self._redactor.text(name.encode("utf-8", "backslashreplace").decode())
        try:
            if is_derived(name):
                raise _Refused("it is made of the record, and can be made of it again")
            if shown != name:
                raise _Refused("its name is no text, or looks like a secret")
            with _opened(path) as file:
                source = _Source(file)
                pieces = self._pieces(name, source)
                first = next(pieces, b"")  # what refuses a file does so before it is in the archive
                with archive.open(_info(f"{session}/{name}"), "w", force_zip64=source.size > 1 << 30) as member:
                    member.write(first)
                    for piece in pieces:
                        member.write(piece)
        except _Refused as refusal:
            self.left_out.append(LeftOut(name=shown, why=str(refusal)))
        else:
            self.files.append(name)

    def _pieces(self, name: str, source: _Source) -> Iterator[bytes]:
        """What goes into the bundle of a file."""
        if name.startswith(f"{_ARTIFACTS}/"):
            yield self._artifact(source)
        elif name.endswith(".jsonl"):
            yield from self._lines(source)
        elif name.endswith(".json") and source.size <= MAX_DOCUMENT:
            data = source.read(MAX_DOCUMENT)
            value = mapping_of(data)
            yield self._text(data) if value is None else _document(self._redactor.data(value))
        else:
            yield from self._stream(source)

    def _lines(self, source: _Source) -> Iterator[bytes]:
        while line := source.readline():
            value = mapping_of(line)
            if value is None:
                yield self._text(line)
                continue
            text = json.dumps(self._redactor.data(value), ensure_ascii=False, separators=(",", ":"))
            yield text.encode("utf-8", "backslashreplace") + b"\n"

    def _stream(self, source: _Source) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        out: list[str] = []
        stream = self._redactor.stream(out.append)
        while data := source.read(_PIECE):
            stream.feed(decoder.decode(data))
            yield _encoded("".join(out))
            out.clear()
        stream.feed(decoder.decode(b"", final=True))
        stream.close()
        yield _encoded("".join(out))

    def _artifact(self, source: _Source) -> bytes:
        if source.size > self._max_artifact:
            raise _Refused(f"it is larger than {self._max_artifact >> 20} MB")
        data = source.read(source.size)
        clean = self._text(data)
        if clean != data and not _is_text(data):
            raise _Refused("it is no text, and something in it looks like a secret")
        return clean

    def _text(self, data: bytes) -> bytes:
        return _encoded(self._redactor.text(data.decode("utf-8", "surrogateescape")))


def _opened(path: Path) -> BinaryIO:
    try:
        if path.is_symlink():
            raise _Refused("it is a symbolic link")
        return open_file(path, follow=False)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> _Refused:
    return _Refused(f"it cannot be read: {error.strerror or error}")


def _files(folder: Path, *, artifacts: bool) -> list[tuple[str, Path]]:
    """The files below ``folder`` by their names within the record; hidden ones are the run's own business."""

    def taken(name: str) -> bool:
        return not name.rpartition("/")[2].startswith(".") and (artifacts or name != _ARTIFACTS)

    entries = below(folder, taken=taken)
    return sorted((name, folder / name) for name, entry in entries if not entry.is_dir(follow_symlinks=False))


def _unpack(archive: zipfile.ZipFile, scratch: Path) -> tuple[Path, str | None]:
    """Write what is read of ``archive`` below ``scratch``; the record's folder, and how the session stood."""
    left, values = MAX_UNPACKED, MAX_VALUES
    path = Path(str(archive.filename))
    head = mapping_of(b"".join(_content(archive, HEAD, path, MAX_DOCUMENT))) or {}
    session = text_of(head, "session") or ""
    if SESSION_ID.match(session) is None:
        raise _no_bundle(path, f"{HEAD} names no session")
    folder = scratch / session
    (folder / "manifest").mkdir(parents=True)
    for name in READ:
        member = f"{session}/{name}"
        if member in archive.NameToInfo:
            with (folder / name).open("wb") as file:
                for piece in _content(archive, member, path, left):
                    left -= file.write(piece)
                    values -= sum(map(piece.count, _BEGINS))
                    if values < 0:
                        raise InvalidInput(TOO_LARGE, f"'{path}' holds more than {MAX_VALUES:,} values")
    status = text_of(head, "status")
    return folder, status if status in STATUSES else None


def _content(archive: zipfile.ZipFile, name: str, path: Path, most: int) -> Iterator[bytes]:
    """The bytes of a member; of a damaged one, those before the damage. InvalidInput when there are more than
    ``most``.
    """
    info = archive.NameToInfo.get(name)
    if info is None:
        return
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _no_bundle(path, f"{name} is compressed in another way")
    with suppress(zipfile.BadZipFile, zlib.error, EOFError), archive.open(info) as file:
        while piece := file.read(_PIECE):
            most -= len(piece)
            if most < 0:
                raise InvalidInput(TOO_LARGE, f"'{path}' unpacks to more than {MAX_UNPACKED >> 20} MB")
            yield piece


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, wherever it is made
    info.external_attr = 0o100644 << 16
    return info


def _document(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _no_bundle(path: Path, why: str) -> InvalidInput:
    return InvalidInput(NO_BUNDLE, f"'{path}' is no bundle that can be read: {why}")
