"""Every PostgreSQL type as it arrives: exact, as the server's text, or refused by name."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest

from osiris_core.api import DriverError
from tests.bench import tuples, types

# SQL of a value, the Arrow type it becomes, what it is in Python
EXACT = [
    ("true", "Boolean", True),
    ("(-32768)::int2", "Int16", -32768),
    ("32767::int2", "Int16", 32767),
    ("(-2147483648)::int4", "Int32", -(2**31)),
    ("(-9223372036854775808)::int8", "Int64", -(2**63)),
    ("9223372036854775807::int8", "Int64", 2**63 - 1),
    ("4294967295::oid", "UInt32", 4294967295),
    ("3.4028235e38::float4", "Float32", 3.4028234663852886e38),
    ("1.17549435e-38::float4", "Float32", 1.1754943508222875e-38),
    ("16777217::float4", "Float32", 16777216.0),
    ("1234567.875::float4", "Float32", 1234567.875),
    ("1e-307::float8", "Float64", 1e-307),
    ("0.1::float8", "Float64", 0.1),
    ("1.7976931348623157e308::float8", "Float64", 1.7976931348623157e308),
    ("'Infinity'::float8", "Float64", float("inf")),
    ("'-Infinity'::float4", "Float32", float("-inf")),
    ("12345.67::numeric(12,2)", "Decimal128(12, 2)", Decimal("12345.67")),
    ("(-0.00000000000000000001)::numeric(38,20)", "Decimal128(38, 20)", Decimal("-0.00000000000000000001")),
    ("99999999999999999999999999999999999999::numeric(38,0)", "Decimal128(38, 0)", Decimal("9" * 38)),
    ("0.00123::numeric(3,5)", "Decimal128(5, 5)", Decimal("0.00123")),
    ("12345::numeric(3,-2)", "Decimal128(5, 0)", Decimal(12300)),
    ("1234567890123456789012345678901234567890.5::numeric", "Utf8", "1234567890123456789012345678901234567890.5"),
    ("'NaN'::numeric", "Utf8", "NaN"),
    ("1::numeric(50,10)", "Utf8", "1.0000000000"),
    ("''::text", "Utf8", ""),
    ("'NULL'::text", "Utf8", "NULL"),
    (r"'\N'::text", "Utf8", "\\N"),
    (r"'\\N\\'::text", "Utf8", "\\\\N\\\\"),
    (r"E'a\tb\nc\rd\be\ff\x0bg\\'::text", "Utf8", "a\tb\nc\rd\be\ff\x0bg\\"),
    ("'ab'::char(5)", "Utf8", "ab   "),
    ("'ab '::varchar(5)", "Utf8", "ab "),
    ("'ž🎉'::text", "Utf8", "ž🎉"),
    ("repeat('x', 12)", "Utf8", "x" * 12),
    ("repeat('x', 13)", "Utf8", "x" * 13),
    (r"repeat(E'\\\n', 100000)", "Utf8", "\\\n" * 100000),
    (r"'\x00ff5c0a09'::bytea", "Binary", b"\x00\xff\x5c\x0a\x09"),
    (r"'\x'::bytea", "Binary", b""),
    ("date '1969-12-31'", "Date32", dt.date(1969, 12, 31)),
    ("date '9999-12-31'", "Date32", dt.date(9999, 12, 31)),
    ("timestamp '1969-12-31 23:59:59.999999'", "Timestamp(µs)", dt.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    (
        "timestamptz '2024-03-10 02:30:00.5-05'",
        'Timestamp(µs, "UTC")',
        dt.datetime(2024, 3, 10, 7, 30, 0, 500000, tzinfo=dt.UTC),
    ),
    ("time '23:59:59.999999'", "Time64(µs)", dt.time(23, 59, 59, 999999)),
    ("timetz '04:05:06.7+05:30'", "Utf8", "04:05:06.7+05:30"),
    (
        "interval '-1 year 2 mons -3 days 04:05:06.7'",
        "Utf8",
        "-10 mons -3 days +04:05:06.7",
    ),
    ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "Utf8", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("""'{"b":1,  "a":"\\\\x","f":1.10}'::json""", "Utf8", '{"b":1,  "a":"\\\\x","f":1.10}'),
    ("""'{"b":1,"a":2,"f":1.10}'::jsonb""", "Utf8", '{"a": 2, "b": 1, "f": 1.10}'),
    ("array[[1,2],[3,null]]", "Utf8", "{{1,2},{3,NULL}}"),
    ("""array['a,b','"','\\','NULL',null]""", "Utf8", '{"a,b","\\"","\\\\","NULL",NULL}'),
    ("B'1011'", "Utf8", "1011"),
    ("1234.5::money", "Utf8", "$1,234.50"),
    ("'192.168.0.1/24'::inet", "Utf8", "192.168.0.1/24"),
    ("'08:00:2b:01:02:03'::macaddr", "Utf8", "08:00:2b:01:02:03"),
    ("int4range(1,10)", "Utf8", "[1,10)"),
    ("point(1.5,-2)", "Utf8", "(1.5,-2)"),
    ("'<a>x</a>'::xml", "Utf8", "<a>x</a>"),
    ("to_tsvector('simple','a b')", "Utf8", "'a':1 'b':2"),
    ("row(1,'a b')::pair", "Utf8", '(1,"a b")'),
    ("null", "Utf8", None),
    ("'sad'::mood", "Utf8", "sad"),
    ("7::positive", "Int32", 7),
    ("'pg_class'::regclass", "Utf8", "pg_class"),
    ("'x'::name", "Utf8", "x"),
    ("""'y'::"char" """, "Utf8", "y"),
]


@pytest.fixture
def typed(bench):
    bench.sql(
        "CREATE TYPE mood AS ENUM ('sad','ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS int4 CHECK (VALUE > 0)"
    )
    return bench


def test_every_value_of_every_type_is_exact(typed):
    items = ", ".join(f"{sql} AS c{at}" for at, (sql, _, _) in enumerate(EXACT))
    typed.sql(f"CREATE TABLE every AS SELECT {items}; INSERT INTO every DEFAULT VALUES")
    found = typed.read("extractor", table="every")
    values, nulls = tuples(found)
    arrow = types(found)
    for at, (sql, kind, value) in enumerate(EXACT):
        assert (arrow[f"c{at}"].split("<", 1)[1].strip(">\n"), values[at]) == (kind, value), sql
        assert nulls[at] is None


SPECIAL = [
    ("date 'infinity'", "infinity", "DATE"),
    ("timestamp '-infinity'", "-infinity", "TIMESTAMP"),
    ("timestamptz 'infinity'", "infinity", "TIMESTAMPTZ"),
    ("'NaN'::numeric(10,2)", "NaN", "DECIMAL(10,2)"),
    ("time '24:00'", "24:00:00", "TIME"),
]


@pytest.mark.parametrize(("sql", "text", "kind"), SPECIAL)
def test_a_value_that_arrow_does_not_have_is_an_error_or_null_or_text(bench, sql, text, kind):
    bench.sql(f"CREATE TABLE t AS SELECT 1 AS id, {sql} AS v; INSERT INTO t SELECT 2, NULL")
    with pytest.raises(DriverError, match=f"column 'v' holds '{text}', which {kind.split('(')[0]}") as caught:
        bench.read("extractor", table="t")
    assert caught.value.code == "OSR-PG-022"
    assert bench.rows("extractor", table="t", special_values="null") == [(1, None), (2, None)]
    assert bench.rows("extractor", table="t", special_values="text") == [(1, text), (2, None)]


def test_days_before_christ_and_far_ahead_are_counted_exactly(bench):
    found = bench.read(
        "extractor",
        query="SELECT date '0044-03-15 BC' AS a, date '4713-01-01 BC' AS b, date '5874897-12-31' AS c, "
        "timestamp '0044-03-15 12:00:00.5 BC' AS d, timestamptz '294246-01-01 00:00:00+00' AS e",
    )
    ((a, b, c, d, e),) = bench.sql(
        "SELECT date '0044-03-15 BC' - date '1970-01-01', date '4713-01-01 BC' - date '1970-01-01', "
        "date '5874897-12-31' - date '1970-01-01', "
        "(extract(epoch FROM timestamp '0044-03-15 12:00:00.5 BC') * 1000000)::int8, "
        "(extract(epoch FROM timestamptz '294246-01-01 00:00:00+00') * 1000000)::int8"
    )
    raw = pa.table(found)
    assert [raw.column(at).cast(pa.int32()).to_pylist() for at in range(3)] == [[a], [b], [c]]
    assert [raw.column(at).cast(pa.int64()).to_pylist() for at in (3, 4)] == [[d], [e]]


def test_a_timestamp_beyond_what_arrow_counts_is_refused_by_name(bench):
    with pytest.raises(DriverError, match=r"column 'late' holds '294276-12-31 00:00:00', which is no TIMESTAMP"):
        bench.read("extractor", query="SELECT timestamp '294276-12-31' AS late")


def test_texts_say_what_they_were(bench):
    found = bench.read("extractor", query="SELECT gen_random_uuid() AS u, '{}'::jsonb AS j, 'x' AS t")
    notes = [found.schema.field(at).metadata.get(b"osiris:duckdb_type") for at in range(3)]
    assert notes == [b"UUID", b"JSON", None]
    (event,) = bench.events("supabase.read_plan")
    assert [column["read_as"] for column in event["columns"]] == ["UUID", "JSON", "VARCHAR"]


def test_nan_is_kept_among_floats(bench):
    ((single, double),) = bench.rows("extractor", query="SELECT 'NaN'::float4 AS a, 'NaN'::float8 AS b")
    assert math.isnan(single)
    assert math.isnan(double)
