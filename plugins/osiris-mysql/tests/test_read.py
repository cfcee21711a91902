"""Tables and queries: which columns and rows, values bound, windows of a cursor, tables in parts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from osiris_core.api import DriverError, InvalidInput, OsirisError, Window

UTC = dt.UTC


@pytest.fixture
def orders(bench):
    bench.sql(
        "CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR(20), total DECIMAL(10,2), "
        "hidden INT INVISIBLE DEFAULT 7, `odd ``col` INT DEFAULT 1)",
        "INSERT INTO orders (id, name, total) VALUES (1, 'a', 1.50), (2, 'b', 2.50), (3, NULL, NULL)",
        "CREATE VIEW dear AS SELECT id, total * 2 AS twice FROM orders WHERE total > 2",
    )
    return bench


def test_a_table_with_its_visible_columns(orders):
    assert orders.rows("extractor", table="orders") == [
        (1, "a", Decimal("1.50"), 1),
        (2, "b", Decimal("2.50"), 1),
        (3, None, None, 1),
    ]


def test_chosen_columns_in_their_order(orders):
    table = orders.read("extractor", table="orders", columns=["TOTAL", "hidden", "odd `col"], where="id < 2")
    assert table.schema.names == ["total", "hidden", "odd `col"]
    assert table.to_batches()[0].num_rows == 1


def test_a_table_of_many_columns_with_long_names(bench):
    names = [f"{'n' * 58}{at:06}" for at in range(700)]
    bench.sql(f"CREATE TABLE wide ({', '.join(f'{name} FLOAT' for name in names)})", "INSERT INTO wide () VALUES ()")
    assert bench.read("extractor", table="wide", where=f"{names[0]} IS NULL").schema.names == names


def test_a_view_and_a_table_of_another_database(orders, mariadb):
    assert orders.rows("extractor", table="dear") == [(2, Decimal("5.00"))]
    with mariadb.database() as other:
        mariadb.execute("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (5)", database=other)
        assert orders.rows("extractor", table="t", database=other) == [(5,)]


def test_a_table_is_a_name_and_nothing_else(bench):
    bench.sql("CREATE TABLE `a``; DROP TABLE t; --` (x INT)", "INSERT INTO `a``; DROP TABLE t; --` VALUES (1)")
    assert bench.rows("extractor", table="a`; DROP TABLE t; --") == [(1,)]


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ({"table": "nothing"}, "OSR-MYSQL-020", "nothing"),
        ({"table": "orders", "columns": ["id", "nope"]}, "OSR-MYSQL-020", "'nope'; it has 'id'"),
        ({"query": "SELECT nope FROM orders"}, "OSR-MYSQL-020", "nope"),
        ({"query": "SELECT * FROM nothing"}, "OSR-MYSQL-020", "nothing"),
        ({"query": "SELECT id, total AS ID FROM orders"}, "OSR-MYSQL-022", "two columns 'ID'"),
        ({"query": "SELECT a.id, b.id FROM orders a, orders b"}, "OSR-MYSQL-022", "two columns 'id'"),
        ({"query": "SELECT '' FROM orders"}, "OSR-MYSQL-022", "without a name"),
        ({"query": "SELECT id FROM orders GROUP BY"}, "OSR-MYSQL-022", "near"),
        ({"query": "SELECT id FROM"}, "OSR-MYSQL-021", "parsed"),
        ({"query": "SELECT max(1, 2) AS m"}, "OSR-MYSQL-022", "near"),
        ({"query": "SELECT ? AS a"}, "OSR-MYSQL-026", "placeholders"),
        ({"table": "orders", "where": "nope = 1"}, "OSR-MYSQL-020", "nope"),
    ],
)
def test_what_is_not_there_is_named(orders, config, code, said):
    with pytest.raises(DriverError) as caught:
        orders.read("extractor", **config)
    assert caught.value.code == code
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "either 'query' or 'table'"),
        ({"query": "SELECT 1", "table": "t"}, "not both"),
        ({"query": "SELECT 1", "where": "a"}, "'where' belongs to 'table'"),
        ({"query": "SELECT 1", "partition_on": "a"}, "'partition_on' belongs to 'table'"),
        ({"query": "SELECT 1", "columns": ["a"]}, "'columns' belongs to 'table'"),
        ({"table": "t", "query_params": {"a": 1}}, "'query_params' belong"),
        ({"table": "t", "columns": ["a", "A"]}, "a column twice"),
        ({"table": "t", "limit": 1, "partition_on": "a"}, "'limit'"),
        ({"table": "t", "limit": 1, "incremental": {"cursor": "a"}}, "'limit'"),
        ({"table": "t", "partition_on": "a", "incremental": {"cursor": "a"}}, "has to see one moment"),
    ],
)
def test_a_config_that_makes_no_sense(bench, config, said):
    assert any(said in message for message in bench.findings("extractor", config))


# -- values


VALUES = [
    1,
    -1,
    2**63 - 1,
    -(2**63),
    1.5,
    -0.1,
    1e300,
    5e-324,
    True,
    False,
    None,
    "",
    "it's",
    "back\\slash",
    'double "quoted"',
    "' OR 1=1 -- ",
    "\\' OR 1=1 -- ",
    "/*! INTO OUTFILE 'x' */",
    "line\nfeed\ttab",
    "percent %s %% :name $name ? {x}",
    "日本😀",
    "\u2028\x85",
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_arrives_as_it_is(bench, value):
    ((found,),) = bench.rows("extractor", query="SELECT :v AS v", query_params={"v": value})
    assert found == value


def test_values_stand_where_they_are_named(bench):
    query = "SELECT -:n AS m, :n + :n AS s, ':n' AS t, $n AS d, `:n` FROM (SELECT 1 AS `:n`) AS x -- :n"
    assert bench.rows("extractor", query=query, query_params={"n": -2}) == [(2, -4, ":n", -2, 1)]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "no value for ':a'"),
        ({"a": 1, "b": 2}, "no placeholder ':b'"),
        ({"a": "nul \x00"}, "NUL"),
        ({"a": float("inf")}, "inf"),
    ],
)
def test_values_that_cannot_be_bound(bench, params, said):
    with pytest.raises(InvalidInput) as caught:
        bench.rows("extractor", query="SELECT :a AS a", query_params=params)
    assert caught.value.code == "OSR-MYSQL-026"
    assert said in caught.value.message


@pytest.mark.parametrize("limit", [0, 1, 7, 100_000, 250_000])
def test_at_most_so_many_rows_in_the_querys_order(bench, limit, numbers):
    query = f"SELECT seq FROM {numbers(200_000)} ORDER BY seq DESC"
    rows = bench.rows("extractor", query=query, limit=limit)
    assert rows == [(200_000 - at,) for at in range(min(limit, 200_000))]
    with_own = bench.rows("extractor", query=f"SELECT seq FROM {numbers(100)} LIMIT 50", limit=limit)
    assert len(with_own) == min(limit, 50)


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_limit_is_of_rows_and_not_of_columns(orders, limit):
    table = orders.read("extractor", table="orders", limit=limit)
    assert table.schema.names == orders.read("extractor", table="orders").schema.names
    assert table.num_rows == limit


# -- windows


CURSORS = [
    ("BIGINT", ["-5", "3", "3", "10"], "3", "10", [3, 3]),
    (
        "BIGINT UNSIGNED",
        ["1", "18446744073709551614", "18446744073709551615"],
        "18446744073709551614",
        None,
        [2**64 - 2, 2**64 - 1],
    ),
    ("DECIMAL(30,10)", ["1.0000000001", "1.0000000002"], "1.0000000002", None, [Decimal("1.0000000002")]),
    ("DOUBLE", ["0.1", "0.3", "1e300"], "0.3", "1e300", [0.3]),
    ("YEAR", ["1999", "2001"], "2000", None, [2001]),
    ("BIT(8)", ["1", "200"], "100", None, [200]),
    ("DATE", ["'2024-01-01'", "'2024-01-02'"], "2024-01-02", None, [dt.date(2024, 1, 2)]),
    (
        "DATETIME(6)",
        ["'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'", "'2024-01-01 00:00:00.000003'"],
        "2024-01-01 00:00:00.000002",
        "2024-01-01 00:00:00.000003",
        [dt.datetime(2024, 1, 1, 0, 0, 0, 2)],
    ),
    (
        "DATETIME(6)",
        ["'2024-01-01 00:00:00.000002'", "'2024-01-01 00:00:00.000003'"],
        "2024-01-01 00:00:00.000002001",
        None,
        [dt.datetime(2024, 1, 1, 0, 0, 0, 3)],
    ),
    (
        "TIMESTAMP(3) NULL",
        ["'2024-07-01 00:30:00'", "'2024-07-01 00:30:00.001'"],
        "2024-07-01 00:30:00.001+00:00",
        None,
        [dt.datetime(2024, 7, 1, 0, 30, 0, 1000, tzinfo=UTC)],
    ),
    (
        "TIMESTAMP NULL",
        ["'2024-07-01 00:30:00'", "'2024-07-01 01:30:00'"],
        "2024-07-01T03:00:00+02:00",
        None,
        [dt.datetime(2024, 7, 1, 1, 30, tzinfo=UTC)],
    ),
    # The collation takes these for one value, and would skip what comes late.
    ("VARCHAR(10) COLLATE utf8mb4_general_ci", ["'A'", "'a'", "'B'", "'b'", "'É'"], "B", "b", ["B", "a"]),
    ("VARCHAR(10) CHARACTER SET latin1", ["'z'", "'é'"], "é", None, ["é"]),
    ("VARBINARY(4)", ["x'00ff'", "x'01'", "x'80'"], "01", "80", [b"\x01"]),
]


@pytest.mark.parametrize(("declared", "cells", "lower", "upper", "wanted"), CURSORS, ids=[case[0] for case in CURSORS])
@pytest.mark.parametrize("how", ["table", "query"])
def test_a_window_of_a_cursor(bench, declared, cells, lower, upper, wanted, how):
    bench.server.execute(
        "SET SESSION time_zone = '+00:00'",
        f"CREATE TABLE t (c {declared})",
        *(f"INSERT INTO t VALUES ({cell})" for cell in (*cells, "NULL")),
        database=bench.database,
    )
    selected = "c + 0 AS c" if declared == "BIT(8)" else "c"
    source = {"table": "t"} if how == "table" else {"query": f"SELECT {selected} FROM t -- all of them\n;"}
    config = {**source, "incremental": {"cursor": "C"}}
    window = Window(cursor="c", lower=lower, upper=upper)
    found = bench.read("extractor", window=window, **config).column(0).to_pylist()
    assert sorted(found) == wanted
    everything = bench.read("extractor", window=Window(cursor="c"), **config)
    assert everything.num_rows == len(cells) + 1
    assert everything.schema == bench.read("extractor", window=window, **config).schema


@pytest.mark.parametrize(
    ("declared", "bound", "said"),
    [
        ("INT", "1; DROP TABLE t", "a number is wanted"),
        ("INT", "1.5", "a number is wanted"),
        ("DECIMAL(5,2)", "NaN", "a number is wanted"),
        ("DATETIME", "yesterday", "a date"),
        ("DATE", "2024-13-01", "a date"),
        ("VARBINARY(4)", "xyz", "hexadecimal"),
        ("TIME", "12:00:00", "no order"),
        ("JSON", "{}", None),
        ("FLOAT", "1", "FLOAT"),
        ("POINT", "1", "no order"),
    ],
)
def test_bounds_that_are_none(bench, declared, bound, said):
    bench.sql(f"CREATE TABLE t (c {declared})")
    config = {"table": "t", "incremental": {"cursor": "c"}}
    window = Window(cursor="c", lower=bound)
    if said is None:
        # MariaDB's JSON is text, and is compared as such.
        assert bench.read("extractor", window=window, **config).num_rows == 0
        return
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", window=window, **config)
    assert (caught.value.code, said in caught.value.message) == ("OSR-MYSQL-027", True)


def test_a_cursor_that_would_be_ordered_as_text(bench):
    """A DECIMAL beyond 38 digits is read as text, in which 9 comes after 10."""
    bench.sql("CREATE TABLE t (v DECIMAL(40,0))", "INSERT INTO t VALUES (9), (10)")
    incremental = {"cursor": "v", "primary_key": ["v"]}
    with pytest.raises(DriverError, match="more digits") as caught:
        bench.read("extractor", table="t", incremental=incremental, window=Window(cursor="v"))
    assert caught.value.code == "OSR-MYSQL-027"


def test_a_cursor_that_is_not_there(bench):
    bench.sql("CREATE TABLE t (c INT)")
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", table="t", incremental={"cursor": "d"})
    assert (caught.value.code, "it has 'c'" in caught.value.message) == ("OSR-MYSQL-027", True)


# -- parts


def parts_of(bench, count=4, **config):
    value = bench.configured("extractor", config)
    return [
        split.spec
        for split in bench.driver("extractor").splits(config=value, count=count, ctx=bench.context("extractor"))
    ]


KEYS = {
    "INT": "seq",
    "BIGINT UNSIGNED": "18446744073709551615 - seq",
    "DECIMAL(20,4)": "seq / 7",
    "DATE": "'2000-01-01' + INTERVAL (seq % 9000) DAY",
    "DATETIME(6)": "'2000-01-01' + INTERVAL seq MICROSECOND",
    "TIMESTAMP(3) NULL": "'2000-01-01' + INTERVAL seq SECOND",
    "VARCHAR(40)": "CONCAT(IF(seq % 2, 'É', 'e'), \"'\\\\\", seq)",
    "VARCHAR(40) CHARACTER SET latin1": "CONCAT('é', seq)",
    "VARBINARY(40)": "UNHEX(MD5(seq))",
}


@pytest.mark.parametrize("declared", KEYS)
def test_parts_hold_every_row_once(bench, declared, numbers):
    bench.sql(
        f"CREATE TABLE t (id INT PRIMARY KEY, k {declared}, KEY (k))",
        f"INSERT INTO t SELECT seq, IF(seq % 50 = 0, NULL, {KEYS[declared]}) FROM {numbers(60_000)}",
    )
    config = {"table": "t", "partition_on": "k"}
    parts = parts_of(bench, **config)
    assert len(parts) == 4
    table = bench.read("extractor", parts=4, columns=["id"], **config)
    assert sorted(table.column(0).to_pylist()) == list(range(1, 60_001))
    counts = [event["part"] for event in bench.events("mysql.read_plan")]
    assert sorted(counts, key=str) == sorted(parts, key=str)


def test_parts_follow_the_rows_and_not_the_values(bench, numbers):
    """Keys that crowd at one end, and one key with most of the rows."""
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, k BIGINT, KEY (k))",
        "INSERT INTO t SELECT seq, CASE WHEN seq = 1 THEN 9000000000000000000 WHEN seq % 2 THEN 5 ELSE seq END "
        f"FROM {numbers(80_000)}",
    )
    config = {"table": "t", "partition_on": "k"}
    sizes = []
    for part in parts_of(bench, **config):
        lower, upper = part["lower"], part["upper"]
        sizes.append(
            bench.sql(f"SELECT COUNT(*) FROM t WHERE k >= {lower or '-9e18'} AND k < {upper or '9.1e18'}")[0][0]
        )
    assert sum(sizes) == 80_000
    assert max(sizes) < 45_000
    assert len(sizes) >= 3
    table = bench.read("extractor", parts=4, columns=["id"], **config)
    assert sorted(table.column(0).to_pylist()) == list(range(1, 80_001))


def test_zero_dates_make_no_bounds(bench, numbers):
    bench.server.execute(
        "SET SESSION sql_mode = ''",
        "CREATE TABLE t (id INT PRIMARY KEY, k DATE, KEY (k))",
        "INSERT INTO t SELECT seq, IF(seq <= 50000, '0000-00-00', '2024-01-01' + INTERVAL (seq % 100) DAY) "
        f"FROM {numbers(60_000)}",
        database=bench.database,
    )
    table = bench.read("extractor", parts=4, columns=["id"], table="t", partition_on="k")
    assert sorted(table.column(0).to_pylist()) == list(range(1, 60_001))


def test_when_a_table_is_read_as_one(bench, numbers):
    bench.sql("CREATE TABLE t (id INT PRIMARY KEY, k INT)", f"INSERT INTO t SELECT seq, 1 FROM {numbers(30_000)}")
    assert parts_of(bench, table="t") == []
    assert parts_of(bench, count=1, table="t", partition_on="id") == []
    assert len(parts_of(bench, count=8, table="t", partition_on="id")) == 3
    bench.sql("CREATE TABLE small (id INT PRIMARY KEY)", f"INSERT INTO small SELECT seq FROM {numbers(100)}")
    assert parts_of(bench, table="small", partition_on="id") == []
    bench.sql("CREATE TABLE same (k INT, KEY (k))", f"INSERT INTO same SELECT 1 FROM {numbers(30_000)}")
    assert parts_of(bench, table="same", partition_on="k") == []


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("k", "OSR-MYSQL-028"),
        ("f", "OSR-MYSQL-028"),
        ("nope", "OSR-MYSQL-020"),
        ("second", "OSR-MYSQL-028"),
        ("prefix", "OSR-MYSQL-028"),
    ],
)
def test_columns_that_make_no_parts(bench, column, code):
    bench.sql(
        "CREATE TABLE t (id INT, second INT, k INT, f DOUBLE, prefix VARCHAR(100), PRIMARY KEY (id, second), KEY (f), KEY (prefix(5)))"
    )
    with pytest.raises(OsirisError) as caught:
        parts_of(bench, table="t", partition_on=column)
    assert caught.value.code == code


def test_parts_keep_a_condition(bench, numbers):
    bench.sql("CREATE TABLE t (id INT PRIMARY KEY)", f"INSERT INTO t SELECT seq FROM {numbers(40_000)}")
    config = {"table": "t", "partition_on": "id", "where": "id % 2 = 0 OR id = :odd", "query_params": {"odd": 7}}
    table = bench.read("extractor", parts=4, **config)
    assert sorted(table.column(0).to_pylist()) == sorted([7, *range(2, 40_001, 2)])
