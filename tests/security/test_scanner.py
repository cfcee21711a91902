"""The positive control of the scanner: a secret put into every format and form is found there, and nowhere else."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import shlex
import sqlite3
import tarfile
import zipfile
import zlib
from urllib.parse import quote, quote_plus

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.security.scanner import Scanner

CANARIES = {
    "nasty": 'p@ss"wörd/+&<x>\\1',  # pragma: allowlist secret
    "plain": "canary0123456789canary",  # pragma: allowlist secret
    "six": "c4n4ry",
}


def _archive_tar(data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("a/b.txt")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _archive_zip(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", data)
    return out.getvalue()


def _sqlite(data, folder):
    path = folder / "x.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n INTEGER, x TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"filler{n % 50}" * 20) for n in range(500)])
        connection.execute("INSERT INTO t VALUES (1, ?)", [data.decode()])
    connection.close()
    return path.read_bytes()


def _duckdb(data, folder):
    path = folder / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT repeat('filler' || (i % 100), 3) AS x FROM range(100000) AS r(i)")
        connection.execute("INSERT INTO t VALUES ($1)", [data.decode()])
    return path.read_bytes()


def _parquet(data, _folder):
    out = io.BytesIO()
    table = pa.table({"x": ["filler"] * 10_000 + [data.decode()]})
    pyarrow.parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def _parquet_metadata(data, _folder):
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"x": [1]}).replace_schema_metadata({"note": data}), out)
    return out.getvalue()


def _arrow(data, _folder):
    out = io.BytesIO()
    table = pa.table({"x": [[{"deep": data.decode()}]]})
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return out.getvalue()


def _zstd(data):
    out = io.BytesIO()
    with pa.output_stream(out, compression="zstd") as stream:
        stream.write(data)
        stream.flush()
        return _finished(stream, out)


def _finished(stream, out):
    out.close = lambda: None  # pyarrow closes what it was given, and its content with it
    stream.close()
    return out.getvalue()


TEXT = {
    "plain": lambda s: s,
    "json": lambda s: json.dumps({"x": s}),
    "json in json": lambda s: json.dumps({"x": json.dumps({"y": s})}),
    "json in json in json": lambda s: json.dumps(json.dumps(json.dumps([s]))),
    "html": html.escape,
    "html in json": lambda s: json.dumps(html.escape(s)),
    "url": lambda s: f"https://h/x?p={quote(s, safe='')}&q=1",
    "form": quote_plus,
    "url twice": lambda s: quote(quote(s)),
    "repr": lambda s: repr({"x": s}),
    "repr of bytes": lambda s: repr(s.encode()),
    "shell": lambda s: f"run --x {shlex.quote(s)}",
    "sql": lambda s: "SELECT '" + s.replace("'", "''") + "'",
    "csv": lambda s: '1,"' + s.replace('"', '""') + '",2',
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "basic auth": lambda s: "Authorization: Basic " + base64.b64encode(f"me:{s}".encode()).decode(),
    "base64, one before": lambda s: base64.urlsafe_b64encode(f"x{s}".encode()).decode(),
    "base64, in a path": lambda s: f"/a{base64.b64encode(s.encode()).decode()}",
    "hexadecimal": lambda s: s.encode().hex(),
    "utf-16": lambda s: s.encode("utf-16").decode("latin-1"),
    "wrapped": lambda s: s[:3] + "\n    " + s[3:],
    "terminal": lambda s: f"{s[:2]}\x1b[0;31m{s[2:]}\x1b[0m",
}
BYTES = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zlib": zlib.compress,
    "zstd": _zstd,
    "tar.gz": _archive_tar,
    "zip": _archive_zip,
    "gzip in zip": lambda data: _archive_zip(gzip.compress(data)),
    "gzip in base64": lambda data: base64.b64encode(gzip.compress(data)),
}
FILES = {
    "sqlite": _sqlite,
    "duckdb": _duckdb,
    "parquet": _parquet,
    "parquet metadata": _parquet_metadata,
    "arrow": _arrow,
}


@pytest.fixture(scope="module")
def scanner():
    return Scanner(CANARIES)


def names(hits):
    return {hit.secret for hit in hits}


@pytest.mark.parametrize("form", TEXT)
@pytest.mark.parametrize("canary", CANARIES)
def test_text(scanner, canary, form):
    text = f"before {TEXT[form](CANARIES[canary])} after\n"
    data = text.encode("latin-1") if form == "utf-16" else text
    assert names(scanner.scan(data)) == {canary}


@pytest.mark.parametrize("form", BYTES)
@pytest.mark.parametrize("canary", CANARIES)
def test_bytes(scanner, canary, form):
    data = BYTES[form](f"before {json.dumps(CANARIES[canary])} after".encode())
    assert names(scanner.scan(data)) == {canary}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("canary", CANARIES)
def test_files(scanner, canary, form, tmp_path):
    data = FILES[form](CANARIES[canary].encode(), tmp_path)
    assert names(scanner.scan(data)) == {canary}


def test_a_tree_with_the_trail_to_each_hit(scanner, tmp_path):
    (tmp_path / "clean.txt").write_text("nothing here, c4n4r_ either")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/report.json.gz").write_bytes(gzip.compress(json.dumps({"x": CANARIES["nasty"]}).encode()))
    (tmp_path / "c4n4ry.txt").write_text("named")
    (tmp_path / "link").symlink_to("/nowhere/c4n4ry")
    (tmp_path / ".env").write_text("X=c4n4ry")
    assert [str(hit) for hit in scanner.scan_tree(tmp_path, skip=(".env",))] == [
        "six in the name of a file",
        "nasty in deep/report.json.gz > gzip > json",
        "six in link (the link's target)",
    ]


def test_masked_text_has_no_hits(scanner):
    assert scanner.scan('{"password": "***", "x": "p@ss***", "y": "eyJhIjoxfQ=="}') == []


def test_damaged_containers_are_searched_as_they_are(scanner):
    for magic in (
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"SQLite format 3\0",
        b"PAR1",
        b"ARROW1",
        b"\x28\xb5\x2f\xfd",
        b"12345678DUCK",
    ):
        assert names(scanner.scan(magic + b"garbage c4n4ry garbage")) == {"six"}
