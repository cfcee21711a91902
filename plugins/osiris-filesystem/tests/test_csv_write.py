"""Writing CSV files: byte for byte what an independent writer of the documented format gives, and back again."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import subprocess
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osiris_core.errors import DriverError

from .conftest import findings, tuples

# The independent writer: the format of the component's documentation, in plain Python.

NEWLINES = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}


def fraction(micros):
    return f".{micros:06}".rstrip("0") if micros else ""


def text_of(value, kind):
    if kind == "float":
        return repr(value)
    if kind == "bool":
        return "true" if value else "false"
    if kind == "ts":
        return f"{value:%Y-%m-%dT%H:%M:%S}".zfill(19) + fraction(value.microsecond)
    if kind == "tz":
        return text_of(value.astimezone(dt.UTC).replace(tzinfo=None), "ts") + "Z"
    if kind == "time":
        return f"{value:%H:%M:%S}" + fraction(value.microsecond)
    if kind == "date":
        return value.isoformat()
    if kind == "blob":
        return value.hex()
    return str(value)


def quoted(text, kind, *, delimiter, quoting, null_text, **_):
    needs = text == null_text or any(c in text for c in (delimiter, '"', "\r", "\n", "#"))
    forced = quoting == "all" or (quoting == "non_numeric" and kind not in ("int", "float", "dec", "bool"))
    return '"' + text.replace('"', '""') + '"' if forced or needs else text


def cells_of(kinds, rows, *, null_text, **config):
    """The cells of the first column."""
    return [
        null_text if row[0] is None else quoted(text_of(row[0], kinds[0]), kinds[0], null_text=null_text, **config)
        for row in rows
    ]


def write_csv(header, kinds, rows, *, delimiter=",", quoting="minimal", newline="lf", null_text=""):
    """The whole file as text."""
    config = {"delimiter": delimiter, "quoting": quoting, "null_text": null_text}
    lines = [delimiter.join(quoted(name, "text", **config) for name in header)]
    for row in rows:
        cells = (
            null_text if value is None else quoted(text_of(value, kind), kind, **config)
            for value, kind in zip(row, kinds, strict=True)
        )
        lines.append(delimiter.join(cells))
    return "".join(line + NEWLINES[newline] for line in lines)


TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),
    "dec": pa.decimal128(20, 5),
    "bool": pa.bool_(),
    "text": pa.string(),
    "ts": pa.timestamp("us"),
    "tz": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "blob": pa.binary(),
}
READ_AS = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "dec": "DECIMAL(20,5)",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "ts": "TIMESTAMP",
    "tz": "TIMESTAMPTZ",
    "date": "DATE",
    "time": "TIME",
    "blob": "BLOB",
}
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    [
        "",
        '"',
        '""',
        ",",
        ";",
        "\n",
        "\r\n",
        "\r",
        "NULL",
        "null",
        " ",
        "#",
        "'",
        "\\",
        "=1+1",
        "\t",
        "é",
        "x\x1ay",
        "\ufeff",
    ]
)
VALUES = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, width=64)
    | st.sampled_from([0.1, 1e15, 1e16, 1e17, 1e22, 1e-4, 1e-5, -0.0, 5e-324]),
    "dec": st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**14), max_value=10**14),
    "bool": st.booleans(),
    "text": texts,
    "ts": st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)),
    "tz": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)),
    "date": st.dates(),
    "time": st.times(),
    "blob": st.binary(max_size=8),
}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=5))
    count = draw(st.integers(0, 6))
    rows = [tuple(draw(st.none() | VALUES[kind]) for kind in kinds) for _ in range(count)]
    return kinds, rows


def arrow(kinds, rows):
    names = [f"c{at}" for at in range(len(kinds))]
    columns = [pa.array([row[at] for row in rows], TYPES[kind]) for at, kind in enumerate(kinds)]
    return names, pa.table(columns, names=names)


RELAXED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.slow
@RELAXED
@given(
    table=tables(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from(["minimal", "all", "non_numeric"]),
    newline=st.sampled_from(["lf", "crlf", "cr"]),
    null_text=st.sampled_from(["", "NULL", "-"]),
)
def test_bytes_are_those_of_the_independent_writer_and_read_back(folder, table, delimiter, quoting, newline, null_text):
    kinds, rows = table
    names, data = arrow(kinds, rows)
    config = {"delimiter": delimiter, "quoting": quoting, "newline": newline, "null_text": null_text}
    expected = write_csv(names, kinds, rows, **config)
    if len(kinds) == 1 and any(line == "" for line in cells_of(kinds, rows, **config)):
        with pytest.raises(DriverError, match="blank line"):
            folder.write_stream("csv_writer", data, path="o.csv", **config)
        return
    folder.write_stream("csv_writer", data, path="o.csv", **config)
    assert folder.bytes("o.csv").decode() == expected
    back = folder.rows(
        "csv_extractor",
        path="o.csv",
        delimiter=delimiter,
        null_values=[null_text],
        types={name: READ_AS[kind] for name, kind in zip(names, kinds, strict=True)},
    )
    assert back == rows


@pytest.mark.parametrize(
    "value", [0.1, 1.0, 1e15, 1e16, 1e20, 1e-5, 3.4028235e38, 1e-45, -0.0, 16777216.0, float("inf")]
)
def test_single_precision_floats_are_shortest(folder, value):
    folder.write_stream("csv_writer", pa.table({"f": pa.array([value], pa.float32())}), path="o.csv", header=False)
    text = folder.bytes("o.csv").decode().strip()
    import struct

    assert struct.pack("f", float(text)) == struct.pack("f", value)
    assert len(text.replace("-", "").replace(".", "").replace("e", "").replace("+", "").strip("0")) <= 11


def test_documented_forms(folder):
    folder.write(
        "csv_writer",
        "SELECT 1 AS i, 1.50::DECIMAL(10,3) AS d, 1e16::DOUBLE AS f, true AS b, NULL AS n, '' AS e, 'a,b' AS q,"
        " DATE '2026-01-31' AS day, TIMESTAMP '2026-01-31 10:00:00' AS t, TIMESTAMP '2026-01-31 10:00:00.120' AS t3,"
        " TIMESTAMPTZ '2026-01-31 10:00:00+02' AS z, TIMESTAMP_NS '2026-01-31 10:00:00.000000001' AS ns,"
        " TIME '10:00:00.5' AS tm, '\\x00\\xFF'::BLOB AS bin, UUID '6f9619ff-8b86-d011-b42d-00cf4fc964ff' AS u",
        path="o.csv",
    )
    assert folder.bytes("o.csv").decode() == (
        "i,d,f,b,n,e,q,day,t,t3,z,ns,tm,bin,u\n"
        '1,1.500,1e+16,true,,"","a,b",2026-01-31,2026-01-31T10:00:00,2026-01-31T10:00:00.12,2026-01-31T08:00:00Z,'
        "2026-01-31T10:00:00.000000001,10:00:00.5,00ff,6f9619ff-8b86-d011-b42d-00cf4fc964ff\n"
    )
    folder.write("csv_writer", "SELECT '\\x00\\xFF'::BLOB AS bin", path="o.csv", binary="base64", header=False)
    assert folder.bytes("o.csv") == b"AP8=\n"


def test_times_before_the_first_year_and_without_end(folder):
    sql = "SELECT DATE '0044-03-15 (BC)' d, TIMESTAMP '0044-03-15 (BC) 10:00:00' t, 'infinity'::TIMESTAMP i, '-infinity'::DATE j"
    folder.write("csv_writer", sql, path="o.csv", header=False)
    assert folder.bytes("o.csv") == b"0044-03-15 (BC),0044-03-15 (BC) 10:00:00,infinity,-infinity\n"
    read = folder.read(
        "csv_extractor",
        path="o.csv",
        header=False,
        names=["d", "t", "i", "j"],
        types={"d": "DATE", "t": "TIMESTAMP", "i": "TIMESTAMP", "j": "DATE"},
    )
    folder.write_stream("csv_writer", read, path="p.csv", header=False)
    assert folder.bytes("p.csv") == folder.bytes("o.csv")


def test_columns_sorted_or_chosen(folder):
    folder.write("csv_writer", "SELECT 1 b, 2 a, 3 C", path="o.csv", sort_columns=True)
    assert folder.bytes("o.csv") == b"C,a,b\n3,2,1\n"
    folder.write("csv_writer", "SELECT 1 b, 2 a, 3 C", path="o.csv", columns=["a", "b"])
    assert folder.bytes("o.csv") == b"a,b\n2,1\n"
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", "SELECT 1 b", path="o.csv", columns=["bb"])
    assert (caught.value.code, caught.value.hint) == ("OSR-FS-021", "did you mean 'b'?")
    assert folder.bytes("o.csv") == b"a,b\n2,1\n"


def test_nested_values_are_refused_or_json(folder):
    sql = "SELECT [1, NULL] l, {'a': TIMESTAMP '2026-01-01 10:00:00', 'b': 1.10::DECIMAL(5,2)} s, NULL::INTEGER[] n"
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", sql, path="o.csv")
    assert caught.value.message == "the column 'l' is INTEGER[], which CSV cannot hold"
    folder.write("csv_writer", sql, path="o.csv", nested="json")
    [_, row] = csv.reader(io.StringIO(folder.bytes("o.csv").decode()))
    assert row == ["[1,null]", '{"a":"2026-01-01T10:00:00","b":1.10}', ""]


def test_text_that_a_spreadsheet_would_run(folder):
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "", "\uff1d1"]
    data = pa.table({"=t": cells, "n": list(range(-4, 5))})
    folder.write_stream("csv_writer", data, path="o.csv", excel_safe=True)
    [header, *rows] = csv.reader(io.StringIO(folder.bytes("o.csv").decode(), newline=""))
    assert header == ["'=t", "n"]
    assert [row[0] for row in rows] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "x=1", "", "'\uff1d1"]
    assert [row[1] for row in rows] == [str(n) for n in range(-4, 5)]
    folder.write_stream("csv_writer", data, path="o.csv")
    [header, first, *_] = csv.reader(io.StringIO(folder.bytes("o.csv").decode(), newline=""))
    assert (header[0], first[0]) == ("=t", "=1+1")


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_byte_order_mark(folder, compression):
    folder.write("csv_writer", "SELECT 1 a", path="o.csv", byte_order_mark=True, compression=compression)
    raw = folder.bytes("o.csv")
    if compression == "gzip":
        raw = gzip.decompress(raw)
    if compression == "zstd":
        found = duckdb.connect().sql(
            f"SELECT line FROM read_csv('{folder.path}/o.csv', columns={{'line':'VARCHAR'}}, header=false, auto_detect=false, compression='zstd')"
        )
        assert found.fetchall() == [("a",), ("1",)]
    else:
        assert raw == b"\xef\xbb\xbfa\n1\n"
    assert folder.rows("csv_extractor", path="o.csv") == [(1,)]


def test_no_rows_leave_a_header(folder):
    for path, expected in {"o.csv": b"a,b\n", "o.csv.gz": None, "o.csv.zst": None}.items():
        folder.write("csv_writer", "SELECT 1 a, 'x' b WHERE false", path=path)
        assert expected is None or folder.bytes(path) == expected
        table = folder.read("csv_extractor", path=path)
        assert (table.num_rows, table.schema.names) == (0, ["a", "b"])
    folder.write("csv_writer", "SELECT 1 a WHERE false", path="o.csv", header=False)
    assert folder.bytes("o.csv") == b""


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("component", ["csv_writer", "jsonl_writer"])
def test_bytes_follow_from_rows_alone(folder, component, compression):
    sql = "SELECT range n, 'x' || (range * 7919 % 1000) s, CASE WHEN range % 3 = 0 THEN NULL ELSE range / 7 END f FROM range(260000)"
    table = duckdb.connect().sql(sql).to_arrow_table()
    digests = set()
    for threads, batch in ((1, 1000), (2, 4096), (2, 100_000)):
        folder.threads = threads
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch))
        folder.write_stream(component, reader, path="o", compression=compression)
        digests.add(hashlib.sha256(folder.bytes("o")).hexdigest())
    assert len(digests) == 1
    if compression == "gzip":
        assert folder.bytes("o")[4:8] == b"\0\0\0\0"  # no time of day in it
        subprocess.run(["gzip", "-t"], input=folder.bytes("o"), check=True)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("component", ["csv_writer", "jsonl_writer"])
def test_joined_parts_hold_the_rows_of_all(folder, component, compression):
    streams = [
        duckdb.connect().sql(f"SELECT range n FROM range({a}, {b})")
        for a, b in ((0, 3000), (3000, 3001), (3001, 10000))
    ]
    report = folder.write_stream(component, *streams, path="many", compression=compression)
    assert report.rows == 10000
    assert folder.names() == ["many"]
    found = folder.read(component.replace("writer", "extractor"), path="many")
    assert [n for (n,) in tuples(found)] == list(range(10000))
    if compression == "none":
        folder.write(component, "SELECT range n FROM range(10000)", path="one", compression=compression)
        assert folder.bytes("many") == folder.bytes("one")


def test_compression_goes_by_the_ending(folder):
    for path, start in {"a.csv": b"a\n", "a.csv.gz": b"\x1f\x8b", "a.csv.zst": b"\x28\xb5\x2f\xfd"}.items():
        folder.write("csv_writer", "SELECT 1 a", path=path)
        assert folder.bytes(path).startswith(start)


def test_decimals_keep_all_digits(folder):
    value = Decimal("12345678901234567890123456.789012345678")
    folder.write_stream(
        "csv_writer", pa.table({"d": pa.array([value], pa.decimal128(38, 12))}), path="o.csv", header=False
    )
    assert folder.bytes("o.csv").decode().strip() == str(value)


@pytest.mark.parametrize("component", ["csv_writer", "parquet_writer", "jsonl_writer"])
def test_modes_that_files_do_not_have_are_refused_with_the_reason(component):
    assert findings(f"filesystem.{component}", {"path": "o", "mode": "upsert"}) == [
        "'mode' must be 'replace' or 'append', not \"upsert\""
    ]
    assert findings(f"filesystem.{component}", {"path": "o", "mode": "append"}) == [
        "append needs layout: folder, because a file cannot be appended to in one step"
    ]


def test_dialects_that_cannot_work_are_refused():
    for config in ({"delimiter": '"'}, {"delimiter": "\n"}, {"delimiter": "é"}, {"null_text": "a,b"}, {"quote": ","}):
        assert findings("filesystem.csv_writer", {"path": "o", **config})
