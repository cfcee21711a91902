"""What each type becomes, that every value comes back as it was, and what is refused by name rather than changed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from osiris_core.errors import DriverError

D, T = dt.datetime, dt.time
pytestmark = pytest.mark.matrix

BIG = Decimal("9" * 38)

MADE = {
    "BOOLEAN": ("tinyint(1)", "true, false", [1, 0]),
    "TINYINT": ("tinyint(4)", "-128, 127", [-128, 127]),
    "UTINYINT": ("tinyint(3) unsigned", "0, 255", [0, 255]),
    "SMALLINT": ("smallint(6)", "-32768, 32767", [-32768, 32767]),
    "USMALLINT": ("smallint(5) unsigned", "65535", [65535]),
    "INTEGER": ("int(11)", "-2147483648, 2147483647", [-(2**31), 2**31 - 1]),
    "UINTEGER": ("int(10) unsigned", "4294967295", [2**32 - 1]),
    "BIGINT": ("bigint(20)", "-9223372036854775808, 9223372036854775807", [-(2**63), 2**63 - 1]),
    "UBIGINT": ("bigint(20) unsigned", "18446744073709551615", [2**64 - 1]),
    "DECIMAL(38,0)": ("decimal(38,0)", f"'{BIG}', '-{BIG}'", [BIG, BIG.copy_negate()]),
    "DECIMAL(38,38)": ("decimal(38,38)", f"'0.{BIG}'", [Decimal(f"0.{BIG}")]),
    "DECIMAL(30,12)": ("decimal(30,12)", "'-0.000000000001', '1.5'", [Decimal("-1E-12"), Decimal("1.500000000000")]),
    "DOUBLE": (
        "double",
        "1e-12, 1e300, 1.7976931348623157e308, 5e-324, '-0.0', 0.1, 9007199254740993, 0.30000000000000004",
        [1e-12, 1e300, 1.7976931348623157e308, 5e-324, -0.0, 0.1, 9007199254740992.0, 0.1 + 0.2],
    ),
    "DATE": ("date", "'0001-01-01', '9999-12-31'", [dt.date.min, dt.date.max]),
    "TIME": ("time(6)", "'00:00:00', '23:59:59.999999'", [dt.timedelta(0), dt.timedelta(days=1, microseconds=-1)]),
    "TIMESTAMP": (
        "datetime(6)",
        "'0001-01-01', '1969-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999'",
        [D.min, D(1969, 12, 31, 23, 59, 59, 999999), D.max],
    ),
    "TIMESTAMP_MS": ("datetime(3)", "'2024-02-29 01:02:03.456'", [D(2024, 2, 29, 1, 2, 3, 456000)]),
    "TIMESTAMP_S": ("datetime", "'2024-02-29 01:02:03'", [D(2024, 2, 29, 1, 2, 3)]),
    "TIMESTAMPTZ": (
        "datetime(6)",
        "'2024-03-31 02:30:00.000001+02', '2050-01-01 00:00:00+00'",
        [D(2024, 3, 31, 0, 30, 0, 1), D(2050, 1, 1)],
    ),
    "VARCHAR": ("longtext", "'', 'NULL', 'é'", ["", "NULL", "é"]),
    "BLOB": ("longblob", "''::BLOB, '\\x00\\xFF\\x0A,\"'::BLOB", [b"", b'\x00\xff\n,"']),
    "UUID": ("longtext", "'00000000-0000-0000-0000-00000000000a'", ["00000000-0000-0000-0000-00000000000a"]),
}


@pytest.fixture(params=["load_data", "insert"])
def way(request, bench, mariadb):
    """Both ways in which rows are sent."""
    if request.param == "load_data":
        yield request.param
        return
    mariadb.execute("SET GLOBAL local_infile = OFF")
    try:
        yield request.param
    finally:
        mariadb.execute("SET GLOBAL local_infile = ON")


def values(kind, text):
    """SQL for rows (n, v) of a type: the listed values and a NULL."""
    items = _split(text)
    rows = ", ".join(f"({at}, CAST({item} AS {kind}))" for at, item in enumerate([*items, "NULL"]))
    return f"SELECT * FROM (VALUES {rows}) t(n, v)"


def _split(text):
    return [part.strip() for part in text.split(", ")]


def column_type(bench, column="v"):
    ((found,),) = bench.sql(
        "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' "
        f"AND COLUMN_NAME = '{column}'"
    )
    return found


@pytest.mark.extra
@pytest.mark.parametrize("kind", MADE)
def test_made_types(bench, way, kind):
    made, text, expected = MADE[kind]
    bench.write("writer", values(kind, text), table="t", mode="append")
    assert column_type(bench) == made
    assert [value for _, value in bench.content()] == [*expected, None]
    assert bench.events("write_published")[0]["details"]["sent_by"] == way
    # The table that was made takes the same rows through a stage of its types.
    bench.write("writer", values(kind, text), table="t", mode="upsert", primary_key=["n"])
    assert [value for _, value in bench.content()] == [*expected, None]


def test_floats_keep_all_their_digits(bench, way):
    texts = "16777216, 1234567.875, 3.4028235e38, 1.1754944e-38, 0.1, -1e-40"
    bench.write("writer", values("FLOAT", texts), table="t", mode="append")
    assert column_type(bench) == "float"
    expected = [float(text) for text in _split(texts)]
    import struct

    narrow = [struct.unpack("f", struct.pack("f", value))[0] for value in expected]
    assert [value for (value,) in bench.sql("SELECT v + 0e0 FROM t ORDER BY n")] == [*narrow, None]


def test_moments_in_utc_are_said_to_be_so(bench):
    bench.write("writer", values("TIMESTAMPTZ", "'2024-01-01 01:00:00+01'"), table="t", mode="append")
    assert bench.events("write_published")[0]["details"]["written_in_utc"] == ["v"]
    bench.sql("DROP TABLE t", "CREATE TABLE t (n INT, v TIMESTAMP(6) NULL)")
    bench.write("writer", values("TIMESTAMPTZ", "'2024-01-01 01:00:00+01'"), table="t", mode="append")
    assert "written_in_utc" not in bench.events("write_published")[0]["details"]
    assert bench.sql("SET time_zone = '+05:00'", "SELECT v FROM t ORDER BY n") == ((D(2024, 1, 1, 5),), (None,))


NASTY = [
    "",
    " ",
    "NULL",
    "null",
    "\\N",
    "\\",
    "\\n",
    "\\'",
    "'",
    "''",
    '"',
    '""',
    '","',
    '"\n"',
    "a,b",
    "a\nb",
    "a\r\nb",
    "\r",
    "\n",
    "\t",
    "\x1a",
    "\0",
    "a\0b",
    "x'41'",
    "@osiris_0",
    "😀",
    "é\u0301",
    "\ufeff",
    "\u2028",
    "trailing ",
    "`",
    "%s",
    "--",
    "/*!",
    "x" * 70_000,
]


def nasty_rows(kind="VARCHAR"):
    rows = ", ".join(f"({at}, '{value.encode().hex()}')" for at, value in enumerate(NASTY))
    value = "decode(unhex(h))" if kind == "VARCHAR" else "unhex(h)"
    return f"SELECT n, {value} AS v, 'after' AS w FROM (VALUES {rows}) t(n, h)"


@pytest.mark.parametrize("kind", ["VARCHAR", "BLOB"])
def test_nasty_values(bench, way, kind):
    for config in ({"mode": "append"}, {"mode": "upsert", "primary_key": ["n"]}):
        bench.write("writer", nasty_rows(kind), table="t", **config)
        found = bench.content(order="n")
        wanted = NASTY if kind == "VARCHAR" else [value.encode() for value in NASTY]
        assert [row[1] for row in found] == wanted
        assert {row[2] for row in found} == {"after"}


def test_both_ways_leave_the_same(bench, mariadb):
    columns = ", ".join(
        f'CAST({_split(text)[0]} AS {kind}) AS "{kind}"' for kind, (_, text, _) in MADE.items() if kind != "UUID"
    )
    dumps = []
    for allowed in ("ON", "OFF"):
        mariadb.execute(f"SET GLOBAL local_infile = {allowed}")
        try:
            bench.write("writer", f"SELECT {columns} UNION ALL SELECT {columns}", table="t", mode="replace")
        finally:
            mariadb.execute("SET GLOBAL local_infile = ON")
        dumps.append((bench.content(), bench.sql("CHECKSUM TABLE t")))
    assert dumps[0] == dumps[1]


REFUSED_TYPES = {
    "INTERVAL": "INTERVAL 1 DAY",
    "INTEGER[]": "[1]",
    "STRUCT(a INTEGER)": "{'a': 1}",
    "MAP(VARCHAR, INTEGER)": "MAP {'a': 1}",
    "TIMESTAMP_NS": "TIMESTAMP_NS '2024-01-01 00:00:00.123456789'",
}


@pytest.mark.parametrize("kind", REFUSED_TYPES)
def test_types_that_mysql_has_not(bench, kind):
    with pytest.raises(DriverError, match="column 'v': MySQL has no type") as caught:
        bench.write("writer", f"SELECT 1 AS n, {REFUSED_TYPES[kind]} AS v", table="t", mode="append")
    assert caught.value.code == "OSR-MYSQL-060"
    assert bench.tables() == []


def test_a_column_of_nothing_but_null(bench):
    with pytest.raises(DriverError, match="would have no type"):
        bench.write("writer", "SELECT 1 AS n, NULL AS v", table="t", mode="append")
    bench.sql("CREATE TABLE t (n INT, v DATE)")
    bench.write("writer", "SELECT 1 AS n, NULL AS v", table="t", mode="append")
    assert bench.content() == [(1, None)]


REFUSED_VALUES = [
    ("DOUBLE", "'nan'", "double", "column 'v': nan is no number"),
    ("FLOAT", "'-inf'", "float", "column 'v': -inf is no number"),
    ("DATE", "'infinity'", "date", "outside the years 1 to 9999"),
    ("DATE", "'0044-03-15 (BC)'", "date", "outside the years 1 to 9999"),
    ("DATE", "'10000-01-01'", "date", "outside the years 1 to 9999"),
    ("TIMESTAMP", "'infinity'", "datetime(6)", "outside the years 1 to 9999"),
    ("TIMESTAMPTZ", "'-infinity'", "datetime(6)", "outside the years 1 to 9999"),
    ("TIMESTAMP", "'2024-01-01 00:00:00.5'", "datetime", "finer parts of a second than DATETIME"),
    ("TIMESTAMP", "'2024-01-01 00:00:00.0005'", "datetime(3)", "finer parts of a second"),
    ("TIME", "'00:00:00.000001'", "time(5)", "finer parts of a second"),
    ("TIMESTAMPTZ", "'1969-12-31 00:00:00+00'", "timestamp(6)", "'v' at row 2"),
    ("TIMESTAMPTZ", "'2040-01-01 00:00:00+00'", "timestamp(6)", "'v' at row 2"),
    ("VARCHAR", "'ab '", "char(5)", "ends with a space"),
    ("VARCHAR", "'abcdef'", "char(5)", "'v' at row 2"),
    ("VARCHAR", "'abcdef'", "varchar(5)", "column 'v' at row 2"),
    ("VARCHAR", "'abc   '", "varchar(5)", "'v' at row 2"),
    ("VARCHAR", "repeat('x', 256)", "tinytext", "'v' at row 2"),
    ("VARCHAR", "'€ō'", "varchar(9) CHARACTER SET latin1", "'v' at row 2"),
    ("VARCHAR", "'😀'", "varchar(9) CHARACTER SET utf8mb3", "'v' at row 2"),
    ("VARCHAR", "'2'", "enum('a','b')", "none of the values of the ENUM"),
    ("VARCHAR", "'A'", "enum('a','b')", "none of the values of the ENUM"),
    ("BLOB", "'a'::BLOB", "binary(2)", "is not of 2 bytes"),
    ("BLOB", "'abc'::BLOB", "varbinary(2)", "'v' at row 2"),
    ("VARCHAR", "'{'", "json", ""),
    ("VARCHAR", "'00000000-0000-0000-0000-00000000000A'", "uuid", "is no UUID in lower case"),
    ("SMALLINT", "5", "year", "outside the years 1901 to 2155"),
    ("VARCHAR", "NULL", "varchar(9) not null", "NULL in a column that takes no NULL"),
    ("INTEGER", "NULL", "int not null default 5", "NULL in a column that takes no NULL"),
    ("TIMESTAMPTZ", "NULL", "timestamp not null default current_timestamp", "NULL in a column that takes no NULL"),
]


@pytest.mark.extra
@pytest.mark.parametrize(("kind", "value", "column", "words"), REFUSED_VALUES)
def test_values_that_would_change_are_refused(bench, way, kind, value, column, words):
    # By one way into a stage, by the other into a table that would take the place of this one.
    mode = {"load_data": "append", "insert": "replace"}[way]
    good = {
        "DATE": "DATE '2024-01-01'",
        "TIME": "TIME '01:00:00'",
        "VARCHAR": "'a'",
        "SMALLINT": "2000",
        "INTEGER": "1",
    }
    good |= {"DOUBLE": "1.5", "FLOAT": "1.5", "BLOB": "'ab'::BLOB"}
    good |= dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ"), "TIMESTAMP '2024-01-01 00:00:00'")
    fine = {"json": "'{}'", "uuid": "'00000000-0000-0000-0000-00000000000a'"}.get(column, good[kind])
    bench.sql(f"CREATE TABLE t (n INT, v {column})")
    bench.write("writer", f"SELECT 1 AS n, CAST({fine} AS {kind}) AS v", table="t", mode="append")
    before = bench.content()
    rows = f"SELECT * FROM (VALUES (1, CAST({fine} AS {kind})), (2, CAST({value} AS {kind}))) t(n, v)"
    with pytest.raises(DriverError) as caught:
        bench.write("writer", rows, table="t", mode=mode)
    assert caught.value.code in ("OSR-MYSQL-054", "OSR-MYSQL-062")
    assert words in caught.value.message
    assert "_osiris_" not in caught.value.message
    assert bench.content() == before
    assert [name for name in bench.tables() if name not in ("t", "_osiris_loads")] == []


def test_the_row_of_a_long_load_is_named(bench, way):
    bench.sql("CREATE TABLE t (i INT, v VARCHAR(3))")
    rows = "SELECT i::INT AS i, CASE WHEN i = 29999 THEN 'long' ELSE 'abc' END AS v FROM range(40000) r(i)"
    with pytest.raises(DriverError, match="column 'v' at row 30000"):
        bench.write("writer", rows, table="t", mode="append")


LOSSY = [
    ("BIGINT", "int"),
    ("INTEGER", "int unsigned"),
    ("UBIGINT", "bigint"),
    ("BIGINT", "decimal(18,0)"),
    ("BIGINT", "double"),
    ("INTEGER", "float"),
    ("INTEGER", "varchar(20)"),
    ("INTEGER", "bit(8)"),
    ("DECIMAL(10,2)", "decimal(10,1)"),
    ("DECIMAL(10,2)", "decimal(9,2)"),
    ("DECIMAL(10,2)", "double"),
    ("DECIMAL(10,2)", "decimal(12,2) unsigned"),
    ("DOUBLE", "float"),
    ("DOUBLE", "double(10,2)"),
    ("FLOAT", "float(7,2)"),
    ("VARCHAR", "int"),
    ("VARCHAR", "blob"),
    ("VARCHAR", "set('a','b')"),
    ("VARCHAR", "date"),
    ("BLOB", "text"),
    ("TIMESTAMP", "timestamp(6)"),
    ("TIMESTAMP", "date"),
    ("DATE", "timestamp"),
    ("TIME", "datetime"),
    ("TIMESTAMPTZ", "varchar(40)"),
]


@pytest.mark.parametrize(("kind", "column"), LOSSY)
def test_columns_that_cannot_hold_a_type(bench, kind, column):
    bench.sql(f"CREATE TABLE t (v {column})")
    with pytest.raises(DriverError, match="'t' cannot hold every value of 'v'") as caught:
        bench.write("writer", f"SELECT CAST(NULL AS {kind}) AS v", table="t", mode="append")
    assert caught.value.code == "OSR-MYSQL-052"


HELD = [
    ("BOOLEAN", "true, false", "bit(1)", [b"\x01", b"\x00"]),
    ("INTEGER", "5", "bigint", [5]),
    ("UINTEGER", "4294967295", "bigint", [2**32 - 1]),
    ("INTEGER", "-2147483648", "decimal(10,0)", [Decimal(-(2**31))]),
    ("INTEGER", "2147483647", "double", [2147483647.0]),
    ("SMALLINT", "2155, 1901", "year", [2155, 1901]),
    ("DECIMAL(9,0)", "999999999", "int", [999999999]),
    ("DECIMAL(9,2)", "1.25", "decimal(20,10)", [Decimal("1.25")]),
    ("FLOAT", "0.1", "double", [0.10000000149011612]),
    ("VARCHAR", "'b', 'a'", "enum('a','b')", ["b", "a"]),
    ("VARCHAR", "'abc  '", "varchar(5)", ["abc  "]),
    ("VARCHAR", "'ab'", "char(5)", ["ab"]),
    ("VARCHAR", "'é'", "varchar(5) CHARACTER SET latin1", ["é"]),
    ("VARCHAR", '\'{"b":1.10,"a":2}\'', "json", ['{"b":1.10,"a":2}']),
    ("UUID", "'00000000-0000-0000-0000-00000000000a'", "uuid", ["00000000-0000-0000-0000-00000000000a"]),
    ("BLOB", "'ab'::BLOB", "binary(2)", [b"ab"]),
    ("DATE", "'2024-01-01'", "datetime", [D(2024, 1, 1)]),
    ("TIMESTAMP", "'2024-01-01 01:02:03'", "datetime", [D(2024, 1, 1, 1, 2, 3)]),
    ("TIMESTAMPTZ", "'2038-01-19 03:14:07.999999+00'", "timestamp(6)", [D(2038, 1, 19, 3, 14, 7, 999999)]),
    ("TIME", "'01:02:03.5'", "time(1)", [dt.timedelta(hours=1, minutes=2, seconds=3.5)]),
]


@pytest.mark.parametrize(("kind", "text", "column", "expected"), HELD)
def test_columns_that_are_there(bench, way, kind, text, column, expected):
    bench.sql(f"CREATE TABLE t (n INT, v {column} NULL)")
    bench.write("writer", values(kind, text), table="t", mode="append")
    found = bench.sql("SET time_zone = '+00:00'", "SELECT v FROM t ORDER BY n")
    assert [value for (value,) in found] == [*expected, None]


def test_wide_rows(bench, way):
    """A row of some megabytes goes through whole; one that a packet cannot take is refused by its number."""
    sql = "SELECT i AS n, repeat(chr(65 + i::INT), 3000000) AS v FROM range(6) r(i)"
    bench.write("writer", sql, table="t", mode="append")
    assert bench.sql("SELECT n, LENGTH(v), LEFT(v, 1) FROM t ORDER BY n") == tuple(
        (at, 3_000_000, chr(65 + at)) for at in range(6)
    )


def test_a_row_too_long_for_a_packet(bench, mariadb):
    mariadb.execute("SET GLOBAL local_infile = OFF", "SET GLOBAL max_allowed_packet = 2097152")
    try:
        rows = "SELECT repeat('x', 3000000 * i::INT) AS v FROM range(2) r(i)"
        with pytest.raises(DriverError, match=r"row 2 is of 3,000,00\d bytes"):
            bench.write("writer", rows, table="t", mode="append")
    finally:
        mariadb.execute("SET GLOBAL local_infile = ON", "SET GLOBAL max_allowed_packet = 67108864")
    assert bench.tables() == []


def test_what_is_read_can_be_written_and_is_the_same(bench):
    """From table to table, through both components: same columns, same values."""
    columns = ", ".join(f'CAST({_split(text)[0]} AS {kind}) AS "{kind}"' for kind, (_, text, _) in MADE.items())
    bench.write("writer", f"SELECT 1 AS n, 0.1::FLOAT AS f, {columns}", table="t", mode="append")
    bench.write_stream("writer", bench.read("extractor", table="t"), table="copy", mode="append")
    assert bench.content("copy") == bench.content()
    bench.sql("CREATE TABLE same LIKE t")
    bench.write_stream("writer", bench.read("extractor", table="t"), table="same", mode="append")
    assert bench.content("same") == bench.content()
    assert bench.sql("CHECKSUM TABLE same")[0][1] == bench.sql("CHECKSUM TABLE t")[0][1]
