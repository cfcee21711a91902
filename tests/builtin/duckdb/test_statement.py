from __future__ import annotations

import duckdb
import pytest

from osiris_core.builtin.duckdb.statement import Query, parse_select
from osiris_core.errors import DriverError


@pytest.fixture(scope="module")
def connection():
    made = duckdb.connect()
    yield made
    made.close()


def parse(connection, query, params=None, inputs=("flights", "df")):
    return parse_select(connection, Query(text=query, params=params or {}, inputs=inputs, what="the query"))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS one",
        "FROM flights",
        "TABLE flights",
        "VALUES (1), (2)",
        "select * from FLIGHTS;",
        "SELECT 1 AS one -- ; DROP TABLE flights",
        "SELECT 1 AS one /* ; */ ;",
        "WITH a AS (SELECT * FROM flights), b AS (SELECT * FROM a) SELECT * FROM a JOIN b USING (x)",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r",
        "SELECT * FROM (SELECT * FROM flights) AS s, range(3) AS r, unnest([1, 2]) AS u",
        "SELECT * FROM flights UNION ALL BY NAME SELECT * FROM df EXCEPT SELECT * FROM df",
        "SUMMARIZE flights",
        "DESCRIBE SELECT * FROM flights",
        "FROM flights PIVOT (sum(v) FOR k IN (1, 2))",
        "PIVOT flights ON k IN (1, 2) USING sum(v)",
        "FROM flights UNPIVOT (v FOR k IN (a, b))",
        "SELECT list_transform(x, lambda e: e + 1) AS y FROM flights",
        "SELECT x[1:2] AS a, {'k':v} AS b, v::INT AS c FROM flights",
        "SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM flights QUALIFY n = 1",
        "SELECT * FROM flights ASOF JOIN df ON flights.t >= df.t",
        "SELECT (SELECT max(v) FROM df WHERE df.k = flights.k) AS m FROM flights",
        "SELECT * FROM flights, LATERAL (SELECT flights.v + 1 AS w)",
        "SELECT COLUMNS('a.*') FROM flights",
    ],
)
def test_one_select_over_its_inputs_is_accepted(connection, query):
    parse(connection, query)


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("", "OSR-DUCKDB-002", "the query is empty"),
        ("-- nothing", "OSR-DUCKDB-002", "the query is empty"),
        (";;", "OSR-DUCKDB-002", "the query is empty"),
        ("SELEC 1", "OSR-DUCKDB-001", 'does not parse: syntax error at or near "SELEC"'),
        ("SELECT 1; SELECT 2", "OSR-DUCKDB-002", "has 2 statements; it must be exactly one SELECT"),
        ("SELECT 1; DROP TABLE flights", "OSR-DUCKDB-002", "has 2 statements"),
        ("INSERT INTO flights VALUES (1)", "OSR-DUCKDB-002", "is a statement of kind INSERT"),
        ("DELETE FROM flights", "OSR-DUCKDB-002", "is a statement of kind DELETE"),
        ("UPDATE flights SET a = 1", "OSR-DUCKDB-002", "is a statement of kind UPDATE"),
        ("CREATE TABLE t AS SELECT 1", "OSR-DUCKDB-002", "is a statement of kind CREATE"),
        ("DROP TABLE flights", "OSR-DUCKDB-002", "is a statement of kind DROP"),
        ("ALTER TABLE flights ADD COLUMN x INT", "OSR-DUCKDB-002", "is a statement of kind ALTER"),
        ("COPY flights TO 'x.csv'", "OSR-DUCKDB-002", "is a statement of kind COPY"),
        ("ATTACH 'x.db'", "OSR-DUCKDB-002", "is a statement of kind ATTACH"),
        ("INSTALL httpfs", "OSR-DUCKDB-002", "is a statement of kind LOAD"),
        ("SET threads = 1", "OSR-DUCKDB-002", "is a statement of kind SET"),
        ("PRAGMA database_list", "OSR-DUCKDB-002", "is a statement of kind"),
        ("CALL pragma_version()", "OSR-DUCKDB-002", "is a statement of kind CALL"),
        ("EXPLAIN SELECT 1", "OSR-DUCKDB-002", "is a statement of kind EXPLAIN"),
        ("BEGIN", "OSR-DUCKDB-002", "is a statement of kind TRANSACTION"),
        ("EXECUTE x", "OSR-DUCKDB-002", "is a statement of kind EXECUTE"),
        ("PREPARE x AS SELECT 1", "OSR-DUCKDB-002", "is a statement of kind PREPARE"),
        ("PIVOT flights ON k USING sum(v)", "OSR-DUCKDB-002", "is a PIVOT whose columns depend on the data"),
        ("SHOW TABLES", "OSR-DUCKDB-002", "shows the catalog"),
        ("SHOW ALL TABLES", "OSR-DUCKDB-002", "shows the catalog"),
        ("WITH x AS (DELETE FROM flights RETURNING *) FROM x", "OSR-DUCKDB-002", "contains DELETE; it must read only"),
        ("WITH x AS (INSERT INTO flights SELECT 1 RETURNING *) FROM x", "OSR-DUCKDB-002", "contains INSERT"),
        ("WITH x AS (UPDATE flights SET a = 1 RETURNING *) FROM x", "OSR-DUCKDB-002", "contains UPDATE"),
        ("SELECT * FROM 'file.csv'", "OSR-DUCKDB-003", "reads 'file.csv', which is not one of its inputs"),
        (
            "SELECT * FROM fligths",
            "OSR-DUCKDB-003",
            "reads 'fligths', which is not one of its inputs ('df', 'flights')",
        ),
        ("SELECT * FROM main.flights", "OSR-DUCKDB-003", "reads 'main.flights'"),
        ("SELECT * FROM information_schema.tables", "OSR-DUCKDB-003", "reads 'information_schema.tables'"),
        ("SELECT * FROM sqlite_master", "OSR-DUCKDB-003", "reads 'sqlite_master'"),
        (
            "SELECT (WITH duckdb_views AS (SELECT 1 AS a) SELECT a FROM duckdb_views), sql FROM duckdb_views",
            "OSR-DUCKDB-003",
            "reads 'duckdb_views', which is a catalog of DuckDB's",
        ),
        ("SELECT * FROM __osiris_rows_0", "OSR-DUCKDB-003", "reads '__osiris_rows_0'"),
        ("SELECT (SELECT x FROM secrets) AS x", "OSR-DUCKDB-003", "reads 'secrets'"),
        ("SELECT * FROM read_csv('x')", "OSR-DUCKDB-004", "calls the table function 'read_csv', which is not allowed"),
        ("SELECT * FROM query('SELECT 1')", "OSR-DUCKDB-004", "calls the table function 'query'"),
        ("SELECT * FROM query_table('flights')", "OSR-DUCKDB-004", "calls the table function 'query_table'"),
        ("SELECT * FROM system.main.duckdb_settings()", "OSR-DUCKDB-004", "table function 'duckdb_settings'"),
        ("SELECT current_setting('temp_directory') AS d", "OSR-DUCKDB-004", "calls 'current_setting'"),
        ("SELECT flights.x.current_setting() AS d FROM flights", "OSR-DUCKDB-004", "calls 'current_setting'"),
        ("SELECT sleep_ms(10) AS s", "OSR-DUCKDB-004", "calls 'sleep_ms'"),
        ("SELECT ? AS a", "OSR-DUCKDB-005", "has a placeholder without a name"),
        ("SELECT :a AS a", "OSR-DUCKDB-005", "has no value for ':a'"),
        ("SELECT $a AS a", "OSR-DUCKDB-005", "has no value for ':a'"),
        ("SELECT x[:a] AS a FROM flights", "OSR-DUCKDB-005", "has no value for ':a'"),
    ],
)
def test_everything_else_is_refused_by_name(connection, query, code, words):
    with pytest.raises(DriverError) as caught:
        parse(connection, query)
    assert caught.value.code == code
    assert words in caught.value.message


def test_an_input_may_have_the_name_of_a_catalog(connection):
    parse(connection, "SELECT * FROM tables JOIN columns USING (i)", inputs=("tables", "columns"))


def test_a_misspelled_input_brings_a_suggestion(connection):
    with pytest.raises(DriverError) as caught:
        parse(connection, "SELECT * FROM fligths")
    assert caught.value.hint == "did you mean 'flights'?"


def test_placeholders_are_bound_and_all_used(connection):
    select = parse(connection, "SELECT :a + $b AS x, ':c' AS y, a::INT AS z -- :d", {"a": 1, "b": 2})
    assert select.placeholders == {"a", "b"}
    assert select.sql == "SELECT $a + $b AS x, ':c' AS y, a::INT AS z -- :d"
    with pytest.raises(DriverError, match="query_params has 'c', which the query does not use"):
        parse(connection, "SELECT :a + $b AS x, ':c' AS y", {"a": 1, "b": 2, "c": 3})


@pytest.mark.parametrize(
    ("query", "volatile"),
    [
        ("SELECT now() AS t, current_date AS d", ("current_date", "now")),
        ("SELECT random() AS r, gen_random_uuid() AS u", ("gen_random_uuid", "random")),
        ("SELECT * FROM flights USING SAMPLE 10%", ("sample",)),
        ("SELECT * FROM flights TABLESAMPLE 10 ROWS", ("sample",)),
        ("SELECT * FROM flights USING SAMPLE reservoir(10 ROWS) REPEATABLE (7)", ()),
        ("SELECT flights.now AS n FROM flights", ()),
        ("SELECT sum(v) AS s FROM flights", ()),
    ],
)
def test_what_makes_results_vary_is_known(connection, query, volatile):
    assert parse(connection, query).volatile == volatile


def test_volatile_functions_are_those_of_the_engine(connection):
    """Every function that DuckDB calls volatile is refused, or known to vary, or harmless by name here."""
    from osiris_core.builtin.duckdb import reach

    constant_here = {
        "current_database",
        "current_query",
        "current_schema",
        "current_schemas",
        "error",
        "in_search_path",
        "vector_type",
    }
    unstable = {
        name
        for (name,) in connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
        ).fetchall()
    }
    assert unstable - reach._VOLATILE - reach._REFUSED_FUNCTIONS - constant_here == set()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (" SELECT 1 ; -- x ;", "SELECT 1"),
        ("SELECT 'ž;ž' AS x;;/* ; */;", "SELECT 'ž;ž' AS x"),
        ("SELECT $$;$$ AS x -- ;", "SELECT $$;$$ AS x -- ;"),
        ('SELECT 1 AS "a;b"\n;\n', 'SELECT 1 AS "a;b"'),
    ],
)
def test_the_end_of_the_statement_is_found(connection, query, text):
    assert parse(connection, query).sql == text


def test_deep_nesting_is_refused_not_crashed(connection):
    query = "SELECT " + "(" * 5000 + "1" + ")" * 5000 + " AS x"
    with pytest.raises(DriverError):
        parse(connection, query)


def test_text_that_is_no_text_is_refused(connection):
    with pytest.raises(DriverError):
        parse(connection, "SELECT '\ud800' AS x")
