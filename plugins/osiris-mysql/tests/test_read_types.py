"""Every type of the server, at its ends: what arrives is exactly what is there, or a refusal that names it."""

from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal
from math import isfinite
from random import Random

import pyarrow as pa
import pytest

from osiris_core.api import DriverError
from tests.bench import Bench, tuples

pytestmark = pytest.mark.matrix

D = Decimal
UTC = dt.UTC


@pytest.fixture(scope="module")
def database(mariadb):
    with mariadb.database() as name:
        yield name


@pytest.fixture
def bench(mariadb, database, tmp_path):
    bench = Bench(tmp_path, "mysql")
    bench.connect(**mariadb.connection(database=database))
    return bench


def made(mariadb, database, columns, *rows):
    """A table ``t`` of these columns and rows (SQL texts), in a session that takes zero dates."""
    mariadb.execute(
        "SET SESSION sql_mode = '', time_zone = '+00:00'",
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t (k INT AUTO_INCREMENT PRIMARY KEY, {columns})",
        *(f"INSERT INTO t VALUES (NULL, {row})" for row in rows),
        database=database,
    )


def column(bench, **config):
    """The Arrow type and the values of column ``c``."""
    table = bench.read("extractor", **{"table": "t", **config})
    field = next(field for field in table.schema if field.name == "c")
    return pa.field(field).type, [row[[f.name for f in table.schema].index("c")] for row in tuples(table)]


CASES = [
    ("TINYINT", ["-128", "127"], pa.int8(), [-128, 127]),
    ("TINYINT UNSIGNED", ["0", "255"], pa.uint8(), [0, 255]),
    ("TINYINT(1)", ["2", "-128"], pa.int8(), [2, -128]),
    ("BOOLEAN", ["TRUE", "FALSE"], pa.int8(), [1, 0]),
    ("SMALLINT", ["-32768", "32767"], pa.int16(), [-32768, 32767]),
    ("SMALLINT UNSIGNED", ["65535"], pa.uint16(), [65535]),
    ("MEDIUMINT", ["-8388608", "8388607"], pa.int32(), [-8388608, 8388607]),
    ("MEDIUMINT UNSIGNED", ["16777215"], pa.uint32(), [16777215]),
    ("INT", ["-2147483648", "2147483647"], pa.int32(), [-2147483648, 2147483647]),
    ("INT UNSIGNED", ["4294967295"], pa.uint32(), [4294967295]),
    ("INT(8) ZEROFILL", ["42"], pa.uint32(), [42]),
    ("BIGINT", ["-9223372036854775808", "9223372036854775807"], pa.int64(), [-(2**63), 2**63 - 1]),
    ("BIGINT UNSIGNED", ["18446744073709551615"], pa.uint64(), [2**64 - 1]),
    ("DECIMAL(10,2)", ["-99999999.99", "0.01"], pa.decimal128(10, 2), [D("-99999999.99"), D("0.01")]),
    ("DECIMAL(10,2) UNSIGNED", ["99999999.99"], pa.decimal128(10, 2), [D("99999999.99")]),
    ("DECIMAL(5,5)", ["-0.00001", "0.99999"], pa.decimal128(5, 5), [D("-0.00001"), D("0.99999")]),
    ("DECIMAL(38,0)", ["9" * 38, "-" + "9" * 38], pa.decimal128(38, 0), [D("9" * 38), D("-" + "9" * 38)]),
    (
        "DECIMAL(38,38)",
        [f"0.{'9' * 38}", f"-0.{'1' * 38}"],
        pa.decimal128(38, 38),
        [D(f"0.{'9' * 38}"), D(f"-0.{'1' * 38}")],
    ),
    (
        "DECIMAL(30,12)",
        ["123456789012345678.123456789012"],
        pa.decimal128(30, 12),
        [D("123456789012345678.123456789012")],
    ),
    ("DECIMAL(39,1)", ["9" * 38 + ".9"], pa.string(), ["9" * 38 + ".9"]),
    ("DECIMAL(65,30)", ["1" * 35 + "." + "2" * 30], pa.string(), ["1" * 35 + "." + "2" * 30]),
    ("FLOAT", ["16777216", "1234567.875", "1e-45", "3.4028235e38", "-0.1"], pa.float32(), None),
    ("FLOAT UNSIGNED", ["0.3"], pa.float32(), None),
    ("FLOAT(7,3)", ["1234.567"], pa.float32(), None),
    (
        "DOUBLE",
        ["1e-12", "1e300", "2.2250738585072014e-308", "0.1", "-1.7976931348623157e308"],
        pa.float64(),
        [1e-12, 1e300, 2.2250738585072014e-308, 0.1, -1.7976931348623157e308],
    ),
    ("DOUBLE(10,2)", ["12345678.91"], pa.float64(), [12345678.91]),
    ("BIT(1)", ["b'1'", "b'0'"], pa.uint64(), [1, 0]),
    ("BIT(10)", ["b'1000000001'"], pa.uint64(), [513]),
    ("BIT(64)", ["0xffffffffffffffff"], pa.uint64(), [2**64 - 1]),
    ("YEAR", ["1901", "2155", "0"], pa.int16(), [1901, 2155, 0]),
    (
        "DATE",
        ["'1000-01-01'", "'9999-12-31'", "'1969-12-31'"],
        pa.date32(),
        [dt.date(1000, 1, 1), dt.date(9999, 12, 31), dt.date(1969, 12, 31)],
    ),
    ("DATETIME", ["'1000-01-01 00:00:00'"], pa.timestamp("us"), [dt.datetime(1000, 1, 1)]),
    (
        "DATETIME(6)",
        ["'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.000001'"],
        pa.timestamp("us"),
        [dt.datetime(9999, 12, 31, 23, 59, 59, 999999), dt.datetime(1969, 12, 31, 23, 59, 59, 1)],
    ),
    ("DATETIME(3)", ["'2024-02-29 12:00:00.125'"], pa.timestamp("us"), [dt.datetime(2024, 2, 29, 12, 0, 0, 125000)]),
    (
        "TIMESTAMP NULL",
        ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-03-31 02:30:00'"],
        pa.timestamp("us", "UTC"),
        [
            dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            dt.datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
            dt.datetime(2024, 3, 31, 2, 30, tzinfo=UTC),
        ],
    ),
    (
        "TIMESTAMP(6) NULL",
        ["'2024-05-06 07:08:09.123456'"],
        pa.timestamp("us", "UTC"),
        [dt.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)],
    ),
    ("TIME", ["'00:00:00'", "'23:59:59'"], pa.time64("us"), [dt.time(0), dt.time(23, 59, 59)]),
    ("TIME(6)", ["'23:59:59.999999'"], pa.time64("us"), [dt.time(23, 59, 59, 999999)]),
    ("CHAR(5)", ["'ab'", "''", "'NULL'"], pa.string(), ["ab", "", "NULL"]),
    ("VARCHAR(20) CHARACTER SET latin1", ["'é€'"], pa.string(), ["é€"]),
    ("VARCHAR(20) CHARACTER SET utf16", ["'日本😀'"], pa.string(), ["日本😀"]),
    ("VARCHAR(20)", ["'😀\\\\'", "' x '", "'\\0\\n'"], pa.string(), ["😀\\", " x ", "\0\n"]),
    ("TINYTEXT", ["'x'"], pa.string(), ["x"]),
    ("TEXT", ["'é'"], pa.string(), ["é"]),
    ("MEDIUMTEXT", ["'é'"], pa.string(), ["é"]),
    ("LONGTEXT", ["'é'"], pa.string(), ["é"]),
    ("ENUM('a','ü')", ["'ü'"], pa.string(), ["ü"]),
    ("SET('x','y','z')", ["'x,z'", "''"], pa.string(), ["x,z", ""]),
    ("JSON", ['\'{"b": 1, "a": 1.10}\''], pa.string(), ['{"b": 1, "a": 1.10}']),
    ("UUID", ["'123e4567-e89b-12d3-a456-426655440000'"], pa.string(), ["123e4567-e89b-12d3-a456-426655440000"]),
    ("INET6", ["'::1'"], pa.string(), ["::1"]),
    ("INET4", ["'127.0.0.1'"], pa.string(), ["127.0.0.1"]),
    ("BINARY(4)", ["x'0001'"], pa.binary(), [b"\0\1\0\0"]),
    ("VARBINARY(20)", ["x'00ff00'", "''"], pa.binary(), [b"\0\xff\0", b""]),
    ("TINYBLOB", ["x'fe'"], pa.binary(), [b"\xfe"]),
    ("BLOB", ["x'fbfcfdfeff'"], pa.binary(), [b"\xfb\xfc\xfd\xfe\xff"]),
    ("MEDIUMBLOB", ["x'00'"], pa.binary(), [b"\0"]),
    ("LONGBLOB", ["x'00'"], pa.binary(), [b"\0"]),
    ("POINT", ["ST_GeomFromText('POINT(1 2)', 4326)"], pa.binary(), [struct.pack("<BIdd", 1, 1, 1.0, 2.0)]),
    (
        "GEOMETRY",
        ["ST_GeomFromText('LINESTRING(0 0,1 1)')"],
        pa.binary(),
        [struct.pack("<BIIdddd", 1, 2, 2, 0, 0, 1, 1)],
    ),
]


@pytest.fixture(scope="module")
def every(mariadb, database, tmp_path_factory):
    """One table with a column of each case, read once: its Arrow types, and its values by column."""
    declared = ", ".join(f"c{at} {case[0]}" for at, case in enumerate(CASES))
    height = max(len(case[1]) for case in CASES) + 1
    rows = [", ".join((*case[1], *["NULL"] * height)[at] for case in CASES) for at in range(height)]
    mariadb.execute(
        "SET SESSION sql_mode = '', time_zone = '+00:00'",
        f"CREATE TABLE every (k INT AUTO_INCREMENT PRIMARY KEY, {declared})",
        *(f"INSERT INTO every VALUES (NULL, {row})" for row in rows),
        database=database,
    )
    bench = Bench(tmp_path_factory.mktemp("every"), "mysql")
    bench.connect(**mariadb.connection(database=database))
    table = bench.read("extractor", table="every", columns=[f"c{at}" for at in range(len(CASES))])
    return [pa.field(field).type for field in table.schema], list(zip(*tuples(table), strict=True))


@pytest.mark.parametrize("at", range(len(CASES)), ids=[case[0] for case in CASES])
def test_a_column_of_each_type(every, at):
    _, cells, arrow, wanted = CASES[at]
    types, values = every
    if wanted is None:
        wanted = [struct.unpack("<f", struct.pack("<f", float(cell)))[0] for cell in cells]
    assert types[at] == arrow
    assert list(values[at][: len(wanted)]) == wanted
    assert set(values[at][len(wanted) :]) == {None}


def test_every_type_is_known_and_none_comes_with_no_rows(mariadb, database, bench):
    declared = ", ".join(f"c{at} {case[0]}" for at, case in enumerate(CASES))
    mariadb.execute("DROP TABLE IF EXISTS w", f"CREATE TABLE w ({declared})", database=database)
    table = bench.read("extractor", table="w")
    assert (table.num_rows, [pa.field(field).type for field in table.schema]) == (0, [case[2] for case in CASES])
    ctx = bench.context("extractor")
    config = bench.configured("extractor", {"table": "w"})
    bound = bench.driver("extractor").bind(step_id="step", config=config, inputs={}, ctx=ctx)["df"]
    assert list(bound) == list(table.schema)


LENGTHS = [0, 1, 11, 12, 13, 249, 250, 251, 252, 253, 254, 255, 256, 65534, 65535, 65536, 70000, 3 << 20, 5 << 20]


@pytest.mark.parametrize("declared", ["LONGTEXT", "LONGBLOB"])
def test_cells_of_every_length(mariadb, database, bench, declared):
    made(mariadb, database, f"c {declared}, d INT", *(f"REPEAT('ab', {length}) , {length}" for length in LENGTHS))
    mariadb.execute("UPDATE t SET c = LEFT(c, d)", database=database)
    _, values = column(bench)
    whole = "ab" * (3 << 20)
    wanted = [whole[:length] for length in LENGTHS]
    assert values == (wanted if declared == "LONGTEXT" else [text.encode() for text in wanted])


@pytest.mark.parametrize("size", [(1 << 24) - 10, (1 << 24) - 1 - 9, (1 << 24) - 1, 1 << 24, 17 << 20, 33 << 20])
def test_a_row_of_many_packets(mariadb, database, bench, size):
    """16 MB is where a row becomes two packets; at the edge the second one is empty."""
    query = f"SELECT 1 AS a, REPEAT('x', {size}) AS c, NULL AS n, 'end' AS z UNION ALL SELECT 2, 'short', NULL, 'last'"
    (first, second) = bench.rows("extractor", query=query)
    assert (first[0], len(first[1]), first[1].strip("x"), *first[2:]) == (1, size, "", None, "end")
    assert second == (2, "short", None, "last")


def test_many_columns_and_many_rows_keep_their_order(mariadb, database, bench, numbers):
    values = "seq AS n, CONCAT('row ', seq) AS t, IF(seq % 3 = 0, NULL, seq * 1.5) AS h"
    query = f"SELECT {values} FROM {numbers(200_000)} ORDER BY n"
    rows = bench.rows("extractor", query=query)
    assert rows == [(n, f"row {n}", None if n % 3 == 0 else D(n) * D("1.5")) for n in range(1, 200_001)]


def test_a_float_in_a_query_is_refused_with_the_way_out(mariadb, database, bench):
    made(mariadb, database, "c FLOAT", "1234567.875")
    with pytest.raises(DriverError) as caught:
        bench.rows("extractor", query="SELECT c FROM t")
    assert caught.value.code == "OSR-MYSQL-024"
    assert "+ 0e0" in caught.value.hint
    assert bench.rows("extractor", query="SELECT c + 0e0 AS c FROM t") == [(1234567.875,)]


VIEW = "CREATE OR REPLACE VIEW v AS SELECT k, IF(k, c, c) AS c FROM t"


@pytest.mark.parametrize("query", ["SELECT c FROM t", "SELECT c FROM v", "SELECT COALESCE(c, c) AS c FROM t"])
@pytest.mark.parametrize("window", [{}, {"incremental": {"cursor": "c"}}])
def test_a_bit_in_a_query_is_refused_with_the_way_out(mariadb, database, bench, query, window):
    made(mariadb, database, "c BIT(16)", "513")
    mariadb.execute(VIEW, database=database)
    with pytest.raises(DriverError) as caught:
        bench.rows("extractor", query=query, **window)
    assert caught.value.code == "OSR-MYSQL-024"
    assert "(… + 0) AS c" in caught.value.hint
    assert bench.rows(
        "extractor", query=query.replace("SELECT c", "SELECT c + 0 AS c").replace(") AS", ") + 0 AS")
    ) == [(513,)]


@pytest.mark.parametrize("window", [{}, {"incremental": {"cursor": "c"}}])
def test_bits_that_a_view_computes(mariadb, database, bench, window):
    made(mariadb, database, "c BIT(16)", "1", "513", "0x3131", "NULL")
    mariadb.execute(VIEW, database=database)
    arrow, values = column(bench, table="v", **window)
    assert (arrow, values) == (pa.uint64(), [1, 513, 0x3131, None])


ZERO = [
    ("DATE", "'0000-00-00'", "0000-00-00"),
    ("DATE", "'2024-00-10'", "2024-00-10"),
    ("DATE", "'2024-02-00'", "2024-02-00"),
    ("DATETIME", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
    ("DATETIME(6)", "'2024-00-00 01:02:03'", "2024-00-00 01:02:03.000000"),
    ("TIMESTAMP NULL", "0", "0000-00-00 00:00:00"),
    ("DATE", "'0000-01-01'", "0000-01-01"),
]


@pytest.mark.parametrize(("declared", "cell", "shown"), ZERO)
def test_zero_dates_by_policy(mariadb, database, bench, declared, cell, shown):
    made(mariadb, database, f"c {declared}", "'2024-05-06'", cell, "NULL")
    with pytest.raises(DriverError) as caught:
        column(bench)
    assert caught.value.code == "OSR-MYSQL-023"
    assert f"'{shown}'" in caught.value.message
    assert "'c'" in caught.value.message
    assert "zero_dates" in caught.value.hint
    arrow, values = column(bench, zero_dates="null")
    assert (arrow != pa.string(), values[0].year, values[1:]) == (True, 2024, [None, None])
    arrow, values = column(bench, zero_dates="text")
    assert (arrow, values[1:]) == (pa.string(), [shown, None])


@pytest.mark.parametrize("cell", ["-838:59:59", "838:59:59", "24:00:00", "25:00:00", "-00:00:01", "100:00:00"])
def test_long_times_by_policy(mariadb, database, bench, cell):
    made(mariadb, database, "c TIME", "'12:00:00'", f"'{cell}'", "NULL")
    with pytest.raises(DriverError) as caught:
        column(bench)
    assert (caught.value.code, f"'{cell}'" in caught.value.message) == ("OSR-MYSQL-023", True)
    assert "long_times" in caught.value.hint
    assert column(bench, long_times="null") == (pa.time64("us"), [dt.time(12), None, None])
    assert column(bench, long_times="text") == (pa.string(), ["12:00:00", cell, None])


def test_tinyint1_as_boolean_takes_no_other_number(mariadb, database, bench):
    made(mariadb, database, "c TINYINT(1), d TINYINT(4)", "0, 5", "1, 6", "NULL, 7")
    assert column(bench, tinyint1="boolean") == (pa.bool_(), [False, True, None])
    mariadb.execute("INSERT INTO t VALUES (NULL, 2, 8)", database=database)
    with pytest.raises(DriverError) as caught:
        column(bench, tinyint1="boolean")
    assert (caught.value.code, "'2'" in caught.value.message) == ("OSR-MYSQL-023", True)


def test_timestamps_are_utc_whatever_the_servers_zone(mariadb, database, bench):
    mariadb.execute(
        "SET SESSION time_zone = '+02:00'",
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (c TIMESTAMP NULL, d DATETIME)",
        "INSERT INTO t VALUES ('2024-07-01 02:30:00', '2024-07-01 02:30:00')",
        database=database,
    )
    assert bench.rows("extractor", table="t") == [
        (dt.datetime(2024, 7, 1, 0, 30, tzinfo=UTC), dt.datetime(2024, 7, 1, 2, 30))
    ]


def test_the_plan_of_a_read_is_recorded(mariadb, database, bench):
    made(mariadb, database, "c DECIMAL(65,30), d FLOAT", "1, 2")
    column(bench)
    (event,) = bench.events("mysql.read_plan")
    assert event["columns"] == [
        {"column": "k", "type": "INT", "as": "INTEGER"},
        {"column": "c", "type": "DECIMAL", "as": "text"},
        {"column": "d", "type": "DOUBLE", "as": "FLOAT"},
    ]


def random_rows(random, count):
    """Rows of values all over the ranges of their types."""

    def double():
        while True:
            (value,) = struct.unpack("<d", random.randbytes(8))
            if isfinite(value):
                return value

    def single():
        while True:
            (value,) = struct.unpack("<f", random.randbytes(4))
            if isfinite(value):
                return value

    for _ in range(count):
        moment = dt.datetime(1000, 1, 1) + dt.timedelta(microseconds=random.randrange(283_996_800_000_000_000))
        yield (
            double(),
            single(),
            D(random.randrange(-(10**38) + 1, 10**38)).scaleb(-19),
            random.randrange(2**64),
            moment,
            moment.date(),
            moment.time(),
            random.randbytes(random.choice([0, 3, 12, 13, 40, 300])),
            "".join(
                chr(random.choice([*range(1, 0x2000), *range(0x1F600, 0x1F640)])) for _ in range(random.randrange(60))
            ),
        )


def test_values_from_all_over_their_ranges(mariadb, database, bench):
    rows = list(random_rows(Random(7), 500))
    assert len({str(row) for row in rows}) == len(rows)
    with mariadb.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION time_zone = '+00:00'")
        cursor.execute(
            "CREATE TABLE random (k INT AUTO_INCREMENT PRIMARY KEY, d DOUBLE, f FLOAT, n DECIMAL(38,19), u BIGINT UNSIGNED, "
            "m DATETIME(6), y DATE, t TIME(6), b VARBINARY(300), s VARCHAR(100))"
        )
        cursor.executemany("INSERT INTO random VALUES (NULL, %s, %s, %s, %s, %s, %s, %s, %s, %s)", rows)
    columns = ["d", "f", "n", "u", "m", "y", "t", "b", "s"]
    assert bench.rows("extractor", table="random", columns=columns) == rows
