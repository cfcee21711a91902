"""Finds planted secrets in whatever a command has left: every byte, decoded by format, down to the last layer.

It shares no code with the redactor: what it decodes, it decodes with the format's own library. A plain search misses a
secret in a compressed block, a database page or a quoted string; so each layer that is recognised is undone and what
comes out is searched again. ``test_scanner.py`` is its positive control.
"""

from __future__ import annotations

import ast
import base64
import binascii
import bz2
import contextlib
import gzip
import html
import io
import json
import lzma
import re
import shlex
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote, unquote_plus

import attrs
import duckdb
import pyarrow as pa

DEPTH = 7
LARGEST = 256 << 20

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){6,}")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")


@attrs.frozen
class Hit:
    """A secret by its name, and the way to it: file, then each layer that was undone."""

    secret: str
    trail: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.secret} in {' > '.join(self.trail)}"


class Scanner:
    """Looks for secrets, given by name. The ``published`` texts are taken out of what is scanned before it is decoded:
    a page's style and scripts are most of it, and are the same in all of them.
    """

    def __init__(self, secrets: dict[str, str], *, published: tuple[bytes, ...] = ()) -> None:
        self._published = published
        self._needles = {}
        for name, secret in secrets.items():
            forms = {secret.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")}
            if secret.isascii():
                forms |= {secret[::-1].encode(), secret.swapcase().encode()}
            self._needles[name] = forms
        self._shortest = min(len(secret) for secret in secrets.values())

    def scan(self, data: bytes | str, where: str = "text") -> list[Hit]:
        """Every secret in ``data``, each once for each place."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        for known in self._published:
            raw = raw.replace(known, b"")
        hits: dict[Hit, None] = {}
        self._look(raw, (where,), hits, set())
        return list(hits)

    def scan_tree(self, folder: Path, *, skip: tuple[str, ...] = ()) -> list[Hit]:
        """Every secret in the files below ``folder`` and in their names, but in the files named in ``skip``."""
        hits: list[Hit] = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            hits += self.scan(name, "the name of a file")
            if path.is_symlink():
                hits += self.scan(str(path.readlink()), f"{name} (the link's target)")
            elif path.is_file() and name not in skip:
                assert path.stat().st_size <= LARGEST, f"{name} is too large to be searched"
                hits += self.scan(path.read_bytes(), name)
        return hits

    def _look(self, data, trail, hits, seen):
        key = hash(data)
        if len(data) < self._shortest or len(trail) > DEPTH or key in seen:
            return
        if len({hit.secret for hit in hits}) == len(self._needles):
            return  # all of them are here: looking deeper tells nothing more
        seen.add(key)
        for name, forms in self._needles.items():
            if any(form in data for form in forms):
                hits[Hit(name, trail)] = None
        for layer, inner in _layers(data):
            self._look(inner, (*trail, layer), hits, seen)


def _layers(data):
    """What is inside ``data``: pairs of the layer's name and its content."""
    for layer, magic, open_ in _CONTAINERS:
        if magic(data):
            try:
                yield from ((f"{layer}{name}", inner) for name, inner in open_(data))
            except (
                OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile,
                RuntimeError, sqlite3.Error, duckdb.Error, pa.ArrowException,
            ):  # fmt: skip
                continue  # it only looked like one, or is damaged: the raw bytes have been searched
    if _is_text(data):
        yield from _text_layers(data)


def _compressed(decompress):
    return lambda data: [("", decompress(data))]


def _zstd(data):
    return [("", pa.input_stream(io.BytesIO(data), compression="zstd").read())]


def _tar(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            yield f" {member.name}", f"{member.name} {member.linkname} {member.pax_headers}".encode("utf-8", "replace")
            if member.isfile():
                yield f" {member.name}", archive.extractfile(member).read()


def _zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            yield f" {name}", name.encode()
            yield f" {name}", archive.read(name)


def _on_disk(data, suffix, read):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"copy{suffix}"
        path.write_bytes(data)
        yield from list(read(path))


def _sqlite(data):
    def read(path):
        connection = sqlite3.connect(path)
        try:
            yield " dump", "\n".join(connection.iterdump()).encode("utf-8", "surrogateescape")
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
                yield f" {table}", _rows(rows)
        finally:
            connection.close()

    return _on_disk(data, ".sqlite", read)


def _duckdb(data):
    def read(path):
        with duckdb.connect(str(path), read_only=True) as connection:
            yield " schema", _rows(connection.execute("SELECT * FROM duckdb_tables()").fetchall())
            yield " views", _rows(connection.execute("SELECT view_name, sql FROM duckdb_views()").fetchall())
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            for schema, table in tables:
                yield f" {table}", _rows(connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall())

    return _on_disk(data, ".duckdb", read)


def _parquet(data):
    def read(path):
        with duckdb.connect() as connection:
            path = str(path)
            yield " rows", _rows(connection.execute("SELECT * FROM read_parquet($1)", [path]).fetchall())
            yield " metadata", _rows(connection.execute("SELECT * FROM parquet_kv_metadata($1)", [path]).fetchall())

    return _on_disk(data, ".parquet", read)


def _arrow(data):
    source = pa.BufferReader(data)
    reader = pa.ipc.open_file(source) if data.startswith(b"ARROW1") else pa.ipc.open_stream(source)
    table = reader.read_all()
    yield " schema", f"{table.schema} {table.schema.metadata}".encode()
    yield " rows", _rows(table.to_pylist())


def _rows(rows):
    """Rows as bytes, each value once: text and binary as they are, everything else as Python writes it."""
    pieces = {}
    pending = list(rows)
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            pending += value
        else:
            piece = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "replace")
            pieces[piece] = None
    return b"\n".join(pieces)


_CONTAINERS = (
    ("gzip", lambda d: d.startswith(b"\x1f\x8b"), _compressed(gzip.decompress)),
    ("bzip2", lambda d: d.startswith(b"BZh"), _compressed(bz2.decompress)),
    ("xz", lambda d: d.startswith(b"\xfd7zXZ"), _compressed(lzma.decompress)),
    ("zlib", lambda d: d[:2] in (b"\x78\x01", b"\x78\x9c", b"\x78\xda"), _compressed(zlib.decompress)),
    ("zstd", lambda d: d.startswith(b"\x28\xb5\x2f\xfd"), _zstd),
    ("tar", lambda d: d[257:262] == b"ustar", _tar),
    ("zip", lambda d: d.startswith((b"PK\x03\x04", b"PK\x05\x06")), _zip),
    ("sqlite", lambda d: d.startswith(b"SQLite format 3\0"), _sqlite),
    ("duckdb", lambda d: d[8:12] == b"DUCK", _duckdb),
    ("parquet", lambda d: d.startswith(b"PAR1"), _parquet),
    ("arrow", lambda d: d.startswith((b"ARROW1", b"\xff\xff\xff\xff")), _arrow),
)


def _is_text(data):
    sample = data[: 1 << 16]
    controls = sum(sample.count(code) for code in range(32) if code not in (9, 10, 13, 27))
    return controls * 50 <= len(sample) and len(sample.decode("utf-8", "ignore").encode()) * 10 >= len(sample) * 9


def _text_layers(data):
    # Decoded tokens are searched together; only what may hold more layers is looked into by itself.
    decoded = [("base64", inner) for inner in _base64_tokens(data)]
    decoded += [("hexadecimal", binascii.unhexlify(match.group())) for match in _HEX.finditer(data)]
    for layer in ("base64", "hexadecimal"):
        yield layer, b"\0" * 64 + b"\0".join(inner for name, inner in decoded if name == layer)
    for layer, inner in decoded:
        if any(magic(inner) for _, magic, _ in _CONTAINERS) or (
            len(inner) > 16 and inner.isascii() and _is_text(inner)
        ):
            yield layer, inner
    text = data.decode("utf-8", "replace")
    yield from _if_changed(text, "percent encoding", unquote(text))
    yield from _if_changed(text, "form encoding", unquote_plus(text))
    yield from _if_changed(text, "html", html.unescape(text))
    yield from _if_changed(text, "doubled quotes", text.replace("''", "'").replace('""', '"').replace("``", "`"))
    yield from _if_changed(text, "wrapped lines", re.sub(r"\n[ \t]*", "", text))
    yield from _if_changed(text, "terminal escapes", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))
    if "\\" in text:
        yield "backslashes", re.sub(r"\\(.)", r"\1", text).encode("utf-8", "replace")
        for match in _QUOTED.finditer(text):
            yield from _quoted(match.group())
    if "'" in text:
        with contextlib.suppress(ValueError):
            yield "shell", " ".join(shlex.split(text, comments=False)).encode("utf-8", "replace")


def _base64_tokens(data):
    for match in _BASE64.finditer(data):
        token = match.group().rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        # the text may begin in the middle of a token: a URL, a path, an identifier before it
        for start in range(min(4, len(token))):
            part = token[start:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            yield base64.b64decode(part + b"=" * (-len(part) % 4))


def _quoted(quoted):
    """A quoted text as JSON and as Python would read it."""
    if quoted.startswith('"'):
        with contextlib.suppress(ValueError, UnicodeEncodeError):
            yield "json", json.loads(quoted, strict=False).encode("utf-8", "surrogatepass")
    for prefix in ("", "b"):
        try:
            value = ast.literal_eval(prefix + quoted)
        except (ValueError, SyntaxError, MemoryError):
            continue
        yield "python", value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def _if_changed(text, layer, changed):
    if changed != text:
        yield layer, changed.encode("utf-8", "replace")
