"""Every Arrow type as it arrives in PostgreSQL: exact in a table made for it, or refused by name."""

from __future__ import annotations

import pyarrow as pa
import pytest

from osiris_core.api import DriverError
from osiris_supabase.postgres.types_out import holds
from tests.bench import tuples

# DuckDB's SQL of a value, the column made for it, and what the server calls that value
pytestmark = pytest.mark.matrix

VALUES = [
    ("true", "boolean", "true"),
    ("(-128)::TINYINT", "smallint", "-128"),
    ("(-32768)::SMALLINT", "smallint", "-32768"),
    ("(-2147483648)::INTEGER", "integer", "-2147483648"),
    ("(-9223372036854775808)::BIGINT", "bigint", "-9223372036854775808"),
    ("255::UTINYINT", "smallint", "255"),
    ("65535::USMALLINT", "integer", "65535"),
    ("4294967295::UINTEGER", "bigint", "4294967295"),
    ("18446744073709551615::UBIGINT", "numeric(20,0)", "18446744073709551615"),
    ("(-12345.67)::DECIMAL(9,2)", "numeric(9,2)", "-12345.67"),
    (f"'{'9' * 38}'::DECIMAL(38,0)", "numeric(38,0)", "9" * 38),
    ("'0.00000000000000000001'::DECIMAL(38,20)", "numeric(38,20)", "0.00000000000000000001"),
    ("16777216::FLOAT", "real", "1.6777216e+07"),
    ("'3.4028235e38'::FLOAT", "real", "3.4028235e+38"),
    ("'nan'::FLOAT", "real", "NaN"),
    ("0.1::DOUBLE", "double precision", "0.1"),
    ("'1.7976931348623157e308'::DOUBLE", "double precision", "1.7976931348623157e+308"),
    ("'5e-324'::DOUBLE", "double precision", "5e-324"),
    ("'-inf'::DOUBLE", "double precision", "-Infinity"),
    ("'ž🎉'", "text", "ž🎉"),
    ("''", "text", ""),
    ("'NULL'", "text", "NULL"),
    (r"'\N'", "text", "\\N"),
    (r"'\.'", "text", "\\."),
    (r"'a' || chr(10) || '\.' || chr(10) || 'b'", "text", "a\n\\.\nb"),
    ("chr(13) || chr(10) || chr(9) || '\"' || chr(39) || ',' || chr(26) || '\\'", "text", "\r\n\t\"',\x1a\\"),
    ("repeat('x', 1000000)", "text", "x" * 1000000),
    (r"'\x00\xFF\x0A'::BLOB", "bytea", "\\x00ff0a"),
    ("''::BLOB", "bytea", "\\x"),
    ("DATE '0044-03-15 (BC)'", "date", "0044-03-15 BC"),
    ("DATE '12024-02-29'", "date", "12024-02-29"),
    ("'-infinity'::DATE", "date", "-infinity"),
    ("TIME '23:59:59.999999'", "time without time zone", "23:59:59.999999"),
    ("TIMESTAMP '1969-12-31 23:59:59.999999'", "timestamp without time zone", "1969-12-31 23:59:59.999999"),
    ("TIMESTAMP '0044-03-15 (BC) 12:00:00.5'", "timestamp without time zone", "0044-03-15 12:00:00.5 BC"),
    ("'infinity'::TIMESTAMP", "timestamp without time zone", "infinity"),
    ("TIMESTAMP '2024-01-02 03:04:05.006'::TIMESTAMP_MS", "timestamp without time zone", "2024-01-02 03:04:05.006"),
    ("TIMESTAMP '2024-01-02 03:04:05'::TIMESTAMP_S", "timestamp without time zone", "2024-01-02 03:04:05"),
    ("TIMESTAMP_NS '2024-01-02 03:04:05.000006'", "timestamp without time zone", "2024-01-02 03:04:05.000006"),
    ("TIMESTAMPTZ '2024-03-10 02:30:00.5-05'", "timestamp with time zone", "2024-03-10 07:30:00.5+00"),
    ("TIMESTAMPTZ '0044-03-15 (BC) 12:00:00+00'", "timestamp with time zone", "0044-03-15 12:00:00+00 BC"),
    ("INTERVAL '-14 months 3 days -4 hours'", "interval", "-1 years -2 mons +3 days -04:00:00"),
]


def test_every_value_of_every_type_is_exact_in_a_table_made_for_it(bench):
    items = ", ".join(f"{sql} AS c{at}" for at, (sql, _, _) in enumerate(VALUES))
    nulls = ", ".join(["NULL"] * len(VALUES))
    bench.write("writer", f"SELECT 1 AS id, {items} UNION ALL SELECT 2, {nulls}", table="t", mode="replace")
    made = bench.sql(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 1 "
        "ORDER BY attnum"
    )
    assert [kind for (kind,) in made] == [kind for _, kind, _ in VALUES]
    texts = ", ".join(f"c{at}::text" for at in range(len(VALUES)))
    with bench.server.connect(bench.database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found, empty = connection.execute(f"SELECT {texts} FROM t ORDER BY id").fetchall()
    for (sql, _, expected), value in zip(VALUES, found, strict=True):
        assert value == expected, sql
    assert set(empty) == {None}


def test_what_is_read_is_written_and_read_again_the_same(bench):
    bench.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'ok');"
        "CREATE TABLE a (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(38,10), big numeric, t text,"
        " v varchar(5), c char(4), by bytea, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval,"
        " u uuid, j json, jb jsonb, arr int[], texts text[], m mood, ip inet, r int4range, x xml, bi varbit, days date[], moments timestamptz[], during tstzrange, day daterange,"
        " nums numeric[]);"
        "INSERT INTO a SELECT true, -1, 2, 3, 1.1, 0.1, 1.5, 1e50, E'a\\\\\\n\"', 'ab', 'ab', '\\x00ff', '2024-02-29',"
        " '2024-01-01 01:02:03.000004', '2024-01-01 01:02:03.000004+05', '12:00', '12:00+02', '1 mon -1 day', "
        ' gen_random_uuid(), \'{"b":1, "a":1.10}\', \'{"b":1.10}\', \'{{1,2},{3,4}}\', \'{"a,b",NULL,"\\""}\', \'ok\','
        " '10.0.0.1/8', '[1,5)', '<a/>', B'101', '{2024-02-29,NULL,0044-03-15 BC,infinity}',"
        " '{2024-01-01 01:02:03.000004+05,0044-03-15 BC}', '[2024-01-01 01:02:03.5+05,infinity)', '[2024-01-01,)',"
        " '{1.50,NaN}';"
        "INSERT INTO a DEFAULT VALUES; CREATE TABLE b (LIKE a)"
    )
    first = bench.read("extractor", table="a")
    bench.write_stream("writer", first, table="b", mode="append")
    assert bench.sql("SELECT whole::text FROM a AS whole") == bench.sql("SELECT whole::text FROM b AS whole")
    bench.write_stream("writer", first, table="fresh", mode="append")
    again = bench.read("extractor", table="fresh")
    assert tuples(again) == tuples(first)
    kinds = dict(
        bench.sql(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
            "WHERE attrelid = 'fresh'::regclass AND attnum > 0"
        )
    )
    assert (kinds["u"], kinds["j"], kinds["n"]) == ("uuid", "json", "numeric")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("TIMESTAMP_NS '2024-01-02 03:04:05.000000001'", "has a part below microseconds"),
        ("'a' || chr(0) || 'b'", "has a NUL character"),
        ("TIMESTAMP '290308-12-22 (BC) 00:00:00'", "timestamp out of range"),
    ],
)
def test_a_value_that_the_server_cannot_hold_is_named(bench, sql, said):
    with pytest.raises(DriverError, match=said) as caught:
        bench.write("writer", f"SELECT 1 AS id, {sql} AS bad", table="t", mode="append")
    assert caught.value.code == "OSR-PG-041"
    assert "bad" in caught.value.message
    assert bench.sql("SELECT to_regclass('t')") == [(None,)]


@pytest.mark.parametrize("sql", ["{'a': 1}", "MAP {'a': 1}", "[1, 2]"])
def test_nested_values_are_refused_by_name(bench, sql):
    with pytest.raises(DriverError, match="column 'bad' is of type") as caught:
        bench.write("writer", f"SELECT {sql} AS bad", table="t", mode="append")
    assert caught.value.code == "OSR-PG-036"
    assert "to_json" in caught.value.hint


def test_a_column_of_nothing_goes_into_any_column_and_makes_none(bench):
    nothing = pa.table({"id": pa.array([1], pa.int32()), "v": pa.nulls(1)})
    with pytest.raises(DriverError, match=r"'v' of 'public\.t' would have no type") as caught:
        bench.write_stream("writer", nothing, table="t", mode="append")
    assert caught.value.code == "OSR-PG-036"
    bench.sql("CREATE TABLE t (id int4, v date)")
    bench.write_stream("writer", nothing, table="t", mode="append")
    assert bench.sql("SELECT * FROM t") == [(1, None)]


@pytest.mark.parametrize(("kind", "length"), [("varchar(3)", 3), ("char(3)", 3)])
def test_a_text_that_is_too_long_is_refused_though_the_server_would_cut_its_spaces(bench, kind, length):
    bench.sql(f"CREATE TABLE t (v {kind})")
    bench.write("writer", "SELECT 'abc' AS v UNION ALL SELECT 'žžž'", table="t", mode="append")
    with pytest.raises(DriverError, match=f"column 'v': abc .*is longer than {length} characters") as caught:
        bench.write("writer", "SELECT 'abc   ' AS v", table="t", mode="append")
    assert caught.value.code == "OSR-PG-041"
    assert bench.sql("SELECT count(*) FROM t") == [(2,)]


def test_a_text_that_is_no_value_of_the_column_is_refused(bench):
    bench.sql("CREATE TABLE t (v uuid)")
    with pytest.raises(DriverError, match='invalid input syntax for type uuid: "x"'):
        bench.write("writer", "SELECT 'x' AS v", table="t", mode="append")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("interval", "1.0000009 seconds"),
        ("interval", "1.05 years"),
        ("timetz", "12:00:00.1234567+00"),
        ("timetz", "2024-01-01 12:00:00+00"),
        ("oid", "-1"),
        ("date[]", "{2024-01-01 12:34}"),
        ("timestamp[]", "{2024-01-01 12:34:56+05}"),
        ("timestamp[]", "{2024-01-01 12:34:56.1234567}"),
        ("timestamptz[]", "{2024-01-01 12:34:56}"),
        ("tsrange", "[2024-01-01 00:00:00.0000001,2024-01-02 00:00:00)"),
        ("tstzrange", "[2024-01-01 00:00:00,)"),
        ("daterange", "[2024-01-01 12:00,2024-02-01]"),
    ],
)
def test_a_text_of_which_the_server_would_drop_a_part_is_refused(bench, kind, text):
    bench.sql(f"CREATE TABLE t (v {kind})")
    with pytest.raises(DriverError, match="column 'v': ") as caught:
        bench.write("writer", f"SELECT '{text}' AS v", table="t", mode="append")
    assert caught.value.code == "OSR-PG-041"
    assert bench.sql("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("interval", "1 year 2 mons 3 days 04:05:06.000007"),
        ("interval", "00:00:01.5"),
        ("timetz", "12:00:00.123456+05:30"),
        ("oid", "4294967295"),
        ("numeric", "1.50"),
        ("numeric[]", "{1.50,NULL}"),
        ("numrange", "[1.50,2.0)"),
        ("text[]", '{a,NULL,"b c"}'),
        ("uuid[]", "{}"),
        ("date[]", '{2024-01-01,NULL,"0044-03-15 BC"}'),
        ("timestamp[]", '{"2024-01-01 12:34:56.123456"}'),
        ("timestamptz[]", '{"2024-01-01 12:34:56+00",infinity}'),
        ("tsrange", '["2024-01-01 00:00:00","2024-01-02 00:00:00")'),
        ("tsrange", "empty"),
        ("tsmultirange", '{["2024-01-01 00:00:00","2024-01-02 00:00:00")}'),
        ("daterange", "[2024-01-01,infinity)"),
    ],
)
def test_a_text_as_the_server_writes_it_is_kept(bench, kind, text):
    bench.sql(f"CREATE TABLE t (v {kind})")
    bench.write("writer", f"SELECT '{text}' AS v UNION ALL SELECT NULL", table="t", mode="append")
    with bench.server.connect(bench.database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        assert connection.execute("SELECT v::text FROM t WHERE v IS NOT NULL").fetchall() == [(text,)]


def test_a_real_is_the_same_number_as_a_double(bench):
    bench.sql("CREATE TABLE t (v float8)")
    bench.write("writer", "SELECT 0.1::FLOAT AS v UNION ALL SELECT 'nan'::FLOAT", table="t", mode="append")
    assert bench.sql("SELECT v = 0.1::float4::float8 OR v = 'NaN' FROM t") == [(True,), (True,)]


@pytest.mark.parametrize(
    ("kind", "fine", "whole"),
    [
        (pa.duration("ns"), 1_500, 2_000),
        (pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 1_999]), pa.MonthDayNano([1, 2, 2_000])),
        (pa.month_day_nano_interval(), pa.MonthDayNano([0, 0, -1]), pa.MonthDayNano([0, 0, -1_000])),
    ],
)
def test_nanoseconds_of_an_interval_are_refused_and_whole_microseconds_kept(bench, kind, fine, whole):
    for value in (fine, whole):
        rows = pa.table({"v": pa.array([None, value, None], kind)})
        if value is fine:
            with pytest.raises(DriverError, match="column 'v': 1 values have a part below microseconds") as caught:
                bench.write_stream("writer", rows, table="t", mode="append")
            assert caught.value.code == "OSR-PG-041"
        else:
            bench.write_stream("writer", rows, table="t", mode="append")
    assert bench.sql("SELECT count(*), count(v) FROM t") == [(3, 1)]


HELD = [
    ("smallint", "bigint"), ("bigint", "numeric(19,0)"), ("numeric(20,0)", "numeric"), ("numeric(5,2)", "numeric(7,3)"),
    ("numeric(18,0)", "bigint"), ("integer", "double precision"), ("real", "double precision"), ("text", "jsonb"),
    ("text", "enum"), ("text", "character varying(3)"), ("json", "jsonb"), ("unknown", "date"),
    ("date", "timestamp without time zone"), ("text", "integer[]"),
]  # fmt: skip
LOSSY = [
    ("bigint", "integer"), ("bigint", "double precision"), ("numeric(20,0)", "bigint"), ("numeric(7,2)", "numeric(7,3)"),
    ("numeric(5,2)", "integer"), ("double precision", "real"), ("text", "integer"), ("text", "date"),
    ("text", "timestamp with time zone"), ("text", "numeric(5,2)"), ("text", "name"), ("text", "money"),
    ("text", "point"), ("text", "numeric(5,2)[]"), ("text", "real[]"), ("text", "double precision[]"),
    ("text", "character varying(3)[]"), ("text", "timestamp(0) without time zone[]"), ("text", "tsvector"),
    ("timestamp without time zone", "timestamp(3) without time zone"),
    ("timestamp without time zone", "timestamp with time zone"), ("timestamp without time zone", "date"),
    ("numeric(5,2)", "real"), ("integer", "text"), ("bytea", "text"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), HELD)
def test_a_type_that_holds_another(source, target):
    assert holds(source, target)


@pytest.mark.parametrize(("source", "target"), LOSSY)
def test_a_type_that_would_lose_something_of_another(source, target):
    assert not holds(source, target)


def test_a_lossy_column_is_refused_before_anything_changes(bench):
    bench.sql("CREATE TABLE t (id int4)")
    with pytest.raises(DriverError, match="'id': bigint into integer") as caught:
        bench.write("writer", "SELECT 1::BIGINT AS id", table="t", mode="append")
    assert caught.value.code == "OSR-PG-032"
