"""Column lineage: what it says of hand-made queries, and that DuckDB agrees.

The witness is DuckDB itself: when lineage says that a source column has no part in a column, then changing the source
must not change the column. For a few queries the edges are written down, so that "everything influences everything"
would be seen, too.
"""

from __future__ import annotations

import pytest
import sqlglot

from osiris_core.report.influence import Influence, Kind, Source, united
from osiris_core.report.lineage import MAX_TOKENS, lineage_of
from osiris_core.report.sql_expressions import AGGREGATES
from osiris_core.report.sql_reads import Budget
from tests.report.lineage_workshop import Witness, kinds, manifest, over, step

SETUP = """
    CREATE TABLE t (a INTEGER, b INTEGER, c VARCHAR, d DATE, l INTEGER[], s STRUCT(x INTEGER, y VARCHAR));
    INSERT INTO t VALUES
      (1, 10, 'one', '2026-01-01', [1, 2], {x: 1, y: 'p'}), (2, 20, 'two', '2026-01-02', [3], {x: 2, y: 'q'}),
      (3, 30, 'two', '2026-01-03', [4, 5, 6], {x: 3, y: 'q'}), (4, NULL, NULL, NULL, [], NULL),
      (5, 50, 'five', '2026-01-05', [7], {x: 5, y: 'r'}), (5, 55, 'six', '2026-01-05', NULL, {x: 6, y: 'p'});
    CREATE TABLE u (a INTEGER, e INTEGER, f VARCHAR);
    INSERT INTO u VALUES (1, 100, 'x'), (2, 200, 'y'), (5, 500, 'x'), (7, 700, NULL), (2, 250, 'z');
    CREATE TABLE v (a INTEGER, g INTEGER);
    INSERT INTO v VALUES (1, 5), (3, 6), (9, 7);
    CREATE TABLE j (k VARCHAR, i INTEGER);
    INSERT INTO j VALUES ('{"a": [1, 2]}', 1), ('{"a": []}', 2), (NULL, 3);
    CREATE TABLE odd ("Mixed Case" INTEGER, "select" INTEGER, "a.b" INTEGER);
    INSERT INTO odd VALUES (1, 2, 3), (4, 5, 6);
"""

QUERIES = """
SELECT a, b + 1 AS x, upper(c) AS y FROM t
SELECT * FROM t
FROM t
FROM t SELECT b, c WHERE a > 2
SELECT t.* FROM t JOIN u ON t.a = u.a
SELECT * EXCLUDE (l, s) FROM t
SELECT * EXCLUDE (l, s) REPLACE (b * a AS b) FROM t
SELECT * RENAME (b AS bb) FROM t WHERE bb IS NULL OR bb > 10
SELECT t.* EXCLUDE (l) FROM t
SELECT "mixed case" AS x, "SELECT" + 1 AS y FROM odd
SELECT "a.b" AS z FROM odd WHERE "Mixed Case" > 1
SELECT T.A AS q FROM t AS T
SELECT x: a + b, y: c FROM t
SELECT a AS z, z + b AS zz FROM t
SELECT a + 1 AS a, a AS k FROM t
SELECT a AS k FROM t WHERE k > 1
SELECT b AS a, a AS o FROM t ORDER BY a
SELECT CASE WHEN a > 2 THEN b ELSE length(c) END AS x FROM t
SELECT CASE c WHEN 'two' THEN b END AS x, if(a > 1, b, NULL) AS y, coalesce(b, a) AS z FROM t
SELECT a::VARCHAR AS x, CAST(d AS VARCHAR) AS y, b IS NULL AS n FROM t
SELECT a, count(*) AS n FROM t GROUP BY a
SELECT c, sum(b) AS n FROM t GROUP BY ALL
SELECT c, sum(b) FILTER (a > 2) AS n, count(DISTINCT a) AS m FROM t GROUP BY 1 HAVING max(a) < 5
SELECT upper(c) AS k, sum(b) AS n FROM t GROUP BY k ORDER BY n DESC, k
SELECT sum(b) AS n FROM t WHERE a > 1
SELECT product(b) AS p, mad(a) AS m, arg_max(c, a) AS w FROM t
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b) AS m, array_agg(c ORDER BY a) AS l FROM t
SELECT any_value(c ORDER BY b) AS k FROM t
SELECT c, a, sum(b) AS n FROM t GROUP BY GROUPING SETS ((c), (a))
SELECT c, a, count(*) AS n FROM t GROUP BY ROLLUP (c, a)
SELECT c, a, count(*) AS n FROM t GROUP BY CUBE (c, a)
SELECT a, row_number() OVER (ORDER BY b, a) AS r FROM t
SELECT a, sum(b) OVER (PARTITION BY c) AS r, lag(b) OVER (ORDER BY a, b) AS p FROM t
SELECT a, sum(b) OVER w AS r FROM t WINDOW w AS (PARTITION BY c ORDER BY a)
SELECT a, first_value(b IGNORE NULLS) OVER (ORDER BY a, c) AS r FROM t
SELECT a, b FROM t QUALIFY row_number() OVER (PARTITION BY c ORDER BY b) = 1
SELECT a, rank() OVER (ORDER BY b) AS r FROM t QUALIFY r <= 2
SELECT t.a, u.e FROM t JOIN u ON t.a = u.a
SELECT a, e FROM t JOIN u USING (a)
SELECT a, b, e FROM t LEFT JOIN u USING (a)
SELECT a, b, e FROM t RIGHT JOIN u USING (a)
SELECT a, b, e FROM t FULL JOIN u USING (a)
SELECT t.a AS l, u.a AS r, a FROM t FULL JOIN u USING (a)
SELECT * FROM t JOIN u USING (a)
SELECT * FROM t FULL JOIN u USING (a) LEFT JOIN v USING (a)
SELECT * EXCLUDE (l, s, d) FROM t NATURAL JOIN u
SELECT a, g, e FROM t JOIN u USING (a) JOIN v USING (a)
SELECT t.b, u.e FROM t, u WHERE t.a = u.a
SELECT t.b FROM t SEMI JOIN u ON t.a = u.a AND u.e > 150
SELECT t.b FROM t ANTI JOIN u USING (a)
SELECT t.b, v.g FROM t POSITIONAL JOIN v
SELECT t.b, u.e FROM t ASOF JOIN u ON t.b >= u.e
SELECT t.b, z.m FROM t CROSS JOIN (SELECT max(g) AS m FROM v) z
SELECT x.b, x.e FROM (t JOIN u USING (a)) x
SELECT t.b, u.e FROM (t JOIN u USING (a))
SELECT t.b, z.q FROM t, LATERAL (SELECT t.b + e AS q FROM u WHERE u.a = t.a) z
SELECT b, q FROM t, (SELECT max(e) AS q FROM u WHERE u.a = t.a)
SELECT a, x FROM t, unnest(l) AS w(x)
SELECT a, unnest(l) AS x FROM t
SELECT a, list_transform(l, lambda y: y + b) AS x FROM t
SELECT a, list_filter(l, lambda a : a > 1) AS x FROM t
SELECT a, [y + b FOR y IN l IF y > a] AS x FROM t
SELECT json_array_length(k -> '$.a') AS x, json_extract(k, '$.a[0]') AS y, k->>'$.a' AS z FROM j
SELECT i, list_transform([1], lambda k: k + i) AS x FROM j
SELECT CASE WHEN c[1] = 'z' THEN concat(c -> '$.a', b) END AS x FROM t
SELECT s.x AS p, t.s.y AS q FROM t
SELECT s['x'] AS p, struct_pack(i := a, j := b) AS q, {'k': c} AS r FROM t
SELECT struct_extract(s, 'y') AS p FROM t
SELECT v FROM v
SELECT to_json(v) AS j FROM v
SELECT count(v) AS n, count(*) AS m FROM v
SELECT a FROM t UNION ALL SELECT e FROM u
SELECT a, b FROM t UNION SELECT a, e FROM u
SELECT a, b FROM t UNION ALL BY NAME SELECT e AS b, f FROM u
SELECT a FROM t EXCEPT SELECT a FROM u
SELECT a FROM t INTERSECT SELECT a FROM v
(SELECT a, b FROM t) UNION ALL (SELECT a, g FROM v) ORDER BY 2 LIMIT 4
SELECT DISTINCT c FROM t
SELECT DISTINCT ON (c) c, b FROM t ORDER BY c, b DESC
SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE e > 100)
SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND f = 'x')
SELECT a FROM t WHERE b > ALL (SELECT g FROM v)
SELECT a, (SELECT max(e) FROM u WHERE u.a = t.a) AS m FROM t
SELECT a, EXISTS (SELECT 1 FROM v WHERE v.a = t.a) AS m FROM t
SELECT a, a IN (SELECT a FROM v) AS m FROM t
SELECT a FROM t ORDER BY (SELECT max(g) FROM v WHERE v.a = t.a), a LIMIT 2
SELECT a, b FROM t ORDER BY c, a LIMIT 3
SELECT a, b FROM t ORDER BY ALL LIMIT 2
SELECT a FROM t ORDER BY a LIMIT (SELECT count(*) FROM v WHERE g > 5)
WITH x AS (SELECT a, sum(b) AS n FROM t GROUP BY a), y AS (SELECT * FROM x WHERE n > 10) SELECT n FROM y
WITH x(p, q) AS (SELECT a, b FROM t) SELECT q FROM x
WITH x AS MATERIALIZED (SELECT a FROM t) SELECT x.a, u.e FROM x JOIN u USING (a)
WITH t AS (SELECT e AS a FROM u) SELECT a FROM t
WITH RECURSIVE r AS (SELECT a AS n, b FROM t UNION ALL SELECT n + 1, b FROM r WHERE n < 5) SELECT n FROM r
WITH RECURSIVE r AS (SELECT a, g FROM v UNION SELECT u.a, r.g + u.e FROM r JOIN u ON u.a = r.a + 1) SELECT * FROM r
SELECT q FROM (SELECT a AS p, b AS q FROM t) WHERE p > 1
SELECT n FROM (SELECT c, count(*) AS n FROM t GROUP BY c)
SELECT a, a_1 FROM (SELECT a, b AS a FROM t)
SELECT p FROM (VALUES (1, 2), (3, 4)) AS w(p, q)
SELECT w.i, v.g FROM v, range(v.a) AS w(i)
SELECT a FROM t TABLESAMPLE reservoir(100%)
SELECT random() < 2 AS r, current_date = current_date AS k FROM t
SELECT * FROM v PIVOT (sum(g) FOR a IN (1, 3))
SELECT * FROM (SELECT a, e, f FROM u) PIVOT (max(e) FOR f IN ('x', 'y') GROUP BY a)
PIVOT (SELECT a, e, f FROM u) ON f USING sum(e) GROUP BY a
SELECT * FROM v UNPIVOT (val FOR name IN (a, g))
UNPIVOT v ON a, g INTO NAME n VALUE val
SELECT COLUMNS(*) FROM v
SELECT COLUMNS('a|g') + 1 FROM v
SELECT * LIKE 'a%' FROM v
SELECT min(COLUMNS(*)) FROM v
SELECT a AS "A.B", b AS "x y" FROM t
SELECT a, count_star() FROM (SELECT a FROM t) GROUP BY a
SELECT a + 1, b FROM t
SELECT "(a + 1)" AS x FROM (SELECT a + 1 FROM t)
SELECT unnest(s) FROM t
SELECT regexp_extract(c, '(.)(.)', ['i', 'j']) AS r FROM t
SELECT min(a) OVER (ORDER BY b RANGE BETWEEN 10 PRECEDING AND CURRENT ROW) AS m FROM t
SELECT a FROM t WHERE d BETWEEN DATE '2026-01-01' AND (SELECT max(d) FROM t WHERE c = 'two')
SELECT histogram(a) AS h, list(b ORDER BY a, b) AS l FROM t
SELECT t.a FROM t JOIN u ON t.a = u.a JOIN v ON v.a = u.a AND v.g > 4
SELECT x.a FROM t x JOIN t y ON x.a = y.b - 9
""".strip().splitlines()

UNKNOWN = {
    "SELECT COLUMNS(*) FROM v": "COLUMNS",
    "SELECT COLUMNS('a|g') + 1 FROM v": "COLUMNS",
    "SELECT * LIKE 'a%' FROM v": "LIKE",
    "SELECT min(COLUMNS(*)) FROM v": "COLUMNS",
    'SELECT "(a + 1)" AS x FROM (SELECT a + 1 FROM t)': "is called '(a + 1)' is not known",
    "SELECT unnest(s) FROM t": "UNNEST",
}
"""Of which DuckDB knows more than can be read."""


@pytest.fixture(scope="module")
def witness():
    return Witness(SETUP)


def derived(witness, query):
    schemas = {**witness.tables, "q": witness.columns(query)}
    return lineage_of(over(witness.tables, query), schemas).step("w")


@pytest.mark.parametrize("query", QUERIES)
def test_what_has_no_part_in_a_column_cannot_change_it(witness, query):
    found = derived(witness, query)
    assert found.unknown is None
    assert [column.name for column in found.columns] == witness.columns(query)
    reasons = {reason for column in found.columns for reason in (column.influence | found.rows).unknown}
    if query in UNKNOWN:
        assert all(UNKNOWN[query] in reason for reason in reasons)
        assert reasons
        return
    assert not reasons
    refuted(witness, query, found)


def refuted(witness, query, found):
    """Look for a source column that changes a column of which it has no part, and for an identity that is none."""
    before = witness.answer(query)
    for table, columns in witness.tables.items():
        for column in columns:
            free = [
                one.name
                for one in found.columns
                if (table, column) not in {(s.dataset, s.column) for s, _ in found.column(one.name).edges}
            ]
            if not free:
                continue
            for after in witness.changed(table, column, query):
                for name in free:
                    assert after[name] == before[name], f"{table}.{column} changes {name}"


def test_the_unknown_are_queries_of_the_list():
    assert UNKNOWN.keys() <= set(QUERIES)


@pytest.mark.parametrize(
    ("query", "columns", "rows"),
    [
        (
            "SELECT a, b + 1 AS x, c AS y FROM t WHERE d > DATE '2026-01-02' ORDER BY b",
            {"a": {"t.a": {"IDENTITY"}}, "x": {"t.b": {"TRANSFORMATION"}}, "y": {"t.c": {"IDENTITY"}}},
            {"t.d": {"FILTER"}, "t.b": {"SORT"}},
        ),
        (
            "SELECT c, sum(b) FILTER (a > 2) AS n, round(avg(b), 1) AS m FROM t GROUP BY c",
            {
                "c": {"t.c": {"IDENTITY"}},
                "n": {"t.b": {"AGGREGATION"}, "t.a": {"CONDITIONAL"}},
                "m": {"t.b": {"AGGREGATION"}},
            },
            {"t.c": {"GROUP_BY"}},
        ),
        (
            "SELECT a, sum(b) OVER (PARTITION BY c ORDER BY d) AS s, lag(b) OVER (ORDER BY d) AS p FROM t",
            {
                "a": {"t.a": {"IDENTITY"}},
                "s": {"t.b": {"AGGREGATION"}, "t.c": {"WINDOW"}, "t.d": {"WINDOW"}},
                "p": {"t.b": {"TRANSFORMATION"}, "t.d": {"WINDOW"}},
            },
            {},
        ),
        (
            "SELECT a, e, CASE WHEN f = 'x' THEN b END AS k FROM t LEFT JOIN u USING (a)",
            {
                "a": {"t.a": {"IDENTITY"}},
                "e": {"u.e": {"IDENTITY"}},
                "k": {"t.b": {"TRANSFORMATION"}, "u.f": {"CONDITIONAL"}},
            },
            {"t.a": {"JOIN"}, "u.a": {"JOIN"}},
        ),
        (
            "WITH x AS (SELECT c, max(b) AS m FROM t GROUP BY c) SELECT m AS n, m + 1 AS o FROM x UNION ALL SELECT e, a FROM u",
            {
                "n": {"t.b": {"AGGREGATION"}, "u.e": {"IDENTITY"}},
                "o": {"t.b": {"AGGREGATION"}, "u.a": {"IDENTITY"}},
            },
            {"t.c": {"GROUP_BY"}},
        ),
    ],
)
def test_the_edges_and_their_kinds(witness, query, columns, rows):
    found = derived(witness, query)
    assert {column.name: kinds(column.influence) for column in found.columns} == columns
    assert kinds(found.rows) == rows


def test_the_aggregates_are_those_of_duckdb(witness):
    """Every aggregate of DuckDB is one to sqlglot, or in our list of those that are not."""
    rows = witness.connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
    )
    missing = set()
    for (name,) in rows.fetchall():
        try:
            tree = sqlglot.parse_one(f"SELECT {name}(x)", dialect="duckdb")
        except sqlglot.errors.ParseError:
            tree = sqlglot.parse_one(f"SELECT {name}(x, y)", dialect="duckdb")
        if not tree.find(sqlglot.exp.AggFunc, sqlglot.exp.AnyValue):
            missing.add(name)
    assert missing - {"count_star"} <= AGGREGATES
    assert missing >= AGGREGATES - {"arg_max_null"}


# What is not known.


def mysql(query, **config):
    return manifest(step("e", "mysql.extractor", "extract", (), "shop", query=query, **config))


@pytest.mark.parametrize(
    ("query", "seen", "expected"),
    [
        (
            "SELECT * FROM orders",
            ["id", "total"],
            {"id": {"orders.id": {"IDENTITY"}}, "total": {"orders.total": {"IDENTITY"}}},
        ),
        ("SELECT o.* FROM shop.orders o WHERE x > 1", ["id"], {"id": {"shop.orders.id": {"IDENTITY"}}}),
        (
            "SELECT ID, id + 1 AS n FROM orders",
            ["ID", "n"],
            {"ID": {"orders.ID": {"IDENTITY"}}, "n": {"orders.ID": {"TRANSFORMATION"}}},
        ),
        (
            "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.c",
            ["id", "name"],
            {"id": {"orders.id": {"IDENTITY"}}, "name": {"customers.name": {"IDENTITY"}}},
        ),
        ("SELECT id FROM orders JOIN customers USING (id)", ["id"], {"id": {"orders.id": {"IDENTITY"}}}),
        ("SELECT name FROM orders o JOIN customers c ON c.id = o.c", ["name"], "may be a column of several"),
        ("SELECT * FROM a, b", ["x", "y"], "by a star"),
        ("SELECT mine(id) AS m FROM orders", ["m"], "function mine()"),
        ("SELECT id FROM orders", ["id", "more"], "other columns than were recorded"),
        ("SELECT id FROM", ["id"], "cannot be read"),
        ("SELECT 1 AS one; SELECT 2", ["one"], "not one statement"),
        ("SHOW TABLES", ["t"], "not followed"),
    ],
)
def test_a_query_over_tables_whose_columns_nobody_told(query, seen, expected):
    found = lineage_of(mysql(query), {"e": seen}, {"e": "mysql"}).step("e")
    assert [column.name for column in found.columns] == seen
    if isinstance(expected, str):
        assert all(expected in " ".join(column.influence.unknown | found.rows.unknown) for column in found.columns)
    else:
        assert {column.name: kinds(column.influence) for column in found.columns} == expected
        assert not any(column.influence.unknown for column in found.columns)


def test_a_dialect_that_is_not_known_is_not_guessed():
    found = lineage_of(mysql("SELECT id FROM orders"), {"e": ["id"]}).step("e")
    assert found.columns[0].influence == Influence.not_known("the dialect of its SQL is not known")


def test_postgres_tells_quoted_names_apart():
    query = 'SELECT Id, "Id" AS other FROM T'
    made = manifest(step("e", "supabase.extractor", "extract", (), "p", query=query))
    found = lineage_of(made, {"e": ["id", "other"]}, {"e": "postgres"}).step("e")
    assert {column.name: kinds(column.influence) for column in found.columns} == {
        "id": {"t.id": {"IDENTITY"}},
        "other": {"t.Id": {"IDENTITY"}},
    }


def test_an_alias_that_may_be_a_column_is_not_guessed():
    """PostgreSQL groups by a column of that name if there is one, and by the alias if not."""
    query = "SELECT date_trunc('day', at) AS day, count(*) AS n FROM t GROUP BY day"
    made = manifest(step("e", "supabase.extractor", "extract", (), "p", query=query))
    found = lineage_of(made, {"e": ["day", "n"]}, {"e": "postgres"}).step("e")
    assert kinds(found.columns[0].influence) == {"t.at": {"TRANSFORMATION"}}
    assert found.rows.unknown


def test_tables_files_and_cursors():
    made = manifest(
        step("f", "filesystem.csv_extractor", "extract", path="in/*.csv", filename_column="file"),
        step("t", "mysql.extractor", "extract", (), "shop", table="orders", database="old", where="state <> 'x'"),
        step("i", "duckdb.extractor", "extract", (), "d", table="t", schema="main", incremental={"cursor": "at"}),
        step("n", "other.extractor", "extract", things="x"),
        step("p", "other.processor", "transform", ["f"]),
        step("w", "filesystem.csv_writer", "write", ["t"], path="out.csv", columns=["total", "gone"]),
    )
    schemas = {"f": ["a", "file"], "t": ["id", "total"], "i": ["at", "b"], "p": ["z"]}
    found = lineage_of(made, schemas, {"t": "mysql"})
    file, table, incremental, other, processor, written = found.steps
    assert [kinds(column.influence) for column in file.columns] == [{"in/*.csv.a": {"IDENTITY"}}, {}]
    assert kinds(table.rows) == {"old.orders.state": {"FILTER"}}
    assert kinds(table.column("id")) == {"old.orders.id": {"IDENTITY"}, "old.orders.state": {"FILTER"}}
    assert kinds(incremental.rows) == {"main.t.at": {"FILTER"}}
    assert other.columns == ()
    assert other.unknown
    assert processor.columns[0].influence.unknown == {"how other.processor makes its columns is not known"}
    assert [column.name for column in written.columns] == ["total", "gone"]
    assert kinds(written.column("total"))["old.orders.total"] == {"IDENTITY"}
    assert written.columns[1].influence.unknown
    assert found.destinations == ("w",)
    source = next(iter(written.columns[0].influence.edges))[0]
    assert source.to_json() == {
        "step": "t",
        "component": "mysql.extractor",
        "connection": "@db.shop",
        "dataset": "old.orders",
        "column": "total",
    }
    with pytest.raises(KeyError):
        written.column("nothing")


def test_a_missing_schema_is_said_and_what_follows_still_known():
    query = "SELECT a, b + 1 AS c FROM df"
    made = manifest(
        step("e", "duckdb.extractor", "extract", (), "d", table="t"),
        step("q", "duckdb.processor", "transform", ["e"], query=query),
        step("s", "duckdb.processor", "transform", ["e"], query="FROM df"),
    )
    found = lineage_of(made, {})
    assert found.step("e").unknown
    assert found.step("s").unknown
    assert found.step("q").unknown is None
    assert {one.name: kinds(one.influence) for one in found.step("q").columns} == {
        "a": {"t.a": {"IDENTITY"}},
        "c": {"t.b": {"TRANSFORMATION"}},
    }


# Limits.


def test_500_columns_through_50_ctes():
    names = [f"c{number}" for number in range(500)]
    ctes = [f"x0 AS (SELECT {', '.join(names)} FROM t)"]
    ctes += [
        f"x{number} AS (SELECT * REPLACE (c0 + 1 AS c0) FROM x{number - 1} WHERE c1 > {number})"
        for number in range(1, 50)
    ]
    found = lineage_of(over({"t": names}, f"WITH {', '.join(ctes)} SELECT * FROM x49"), {"t": names, "q": names}).step(
        "w"
    )
    assert len(found.columns) == 500
    assert kinds(found.columns[0].influence) == {"t.c0": {"TRANSFORMATION"}}
    assert kinds(found.columns[1].influence) == {"t.c1": {"IDENTITY"}}
    assert kinds(found.rows) == {"t.c1": {"FILTER"}}
    assert not found.rows.unknown


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT " + "(" * 5000 + "a" + ")" * 5000 + " AS x FROM t", "too deep"),
        ("SELECT a" + " + a" * MAX_TOKENS + " AS x FROM t", "too long"),
        ("SELECT '" + "x" * 17 * MAX_TOKENS + "' AS x FROM t", "too long"),
        ("SELECT 'x", "cannot be read"),
    ],
)
def test_what_is_too_large_is_not_known(query, reason):
    found = lineage_of(over({"t": ["a"]}, query), {"t": ["a"], "q": ["x"]}).step("w")
    assert [column.name for column in found.columns] == ["x"]
    assert reason in " ".join(found.columns[0].influence.unknown)


def test_the_limit_is_one_of_work_and_holds_for_the_whole_pipeline():
    query = "SELECT a AS x FROM t"
    budget = Budget(left=3)
    found = lineage_of(over({"t": ["a"]}, query), {"t": ["a"], "q": ["x"]}, budget=budget).step("w")
    assert found.columns[0].influence.unknown == {"the pipeline's SQL is too large to be followed"}


# The algebra.

SOURCE = Source(step="s", component="c", connection="", dataset="t", column="a")


@pytest.mark.parametrize("inner", Kind)
@pytest.mark.parametrize("outer", Kind)
def test_kinds_follow_on_each_other(inner, outer):
    kind = inner.then(outer)
    assert kind in (inner, outer)
    assert kind.direct == (inner.direct and outer.direct)
    if kind is Kind.IDENTITY:
        assert inner is outer is Kind.IDENTITY
    assert Influence.of(SOURCE).through(inner).through(outer).edges == {(SOURCE, kind)}


def test_plain_data_is_in_a_fixed_order():
    one, other = (Influence.of(SOURCE).through(kind) for kind in (Kind.FILTER, Kind.IDENTITY))
    both = united([one, other, Influence.not_known("why")])
    assert both.to_json() == {
        "sources": [{**SOURCE.to_json(), "kinds": ["DIRECT:IDENTITY", "INDIRECT:FILTER"]}],
        "unknown": ["why"],
    }
    assert (one | other | Influence.not_known("why")) == both
