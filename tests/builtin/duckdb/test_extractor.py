"""The extractor: what it reads, and that it reads only."""

from __future__ import annotations

import threading
import time

import pytest

from osiris_core.builtin.duckdb.config import Extractor
from osiris_core.builtin.duckdb.extractor import ExtractorDriver
from osiris_core.errors import Cancelled, ConnectionUnusable, DriverError
from osiris_core.model.structure import structure


@pytest.fixture
def shop(bench):
    bench.sql(
        "CREATE TABLE orders (id BIGINT, day DATE, total DECIMAL(9,2))",
        "INSERT INTO orders SELECT range, DATE '2024-01-01' + range::INTEGER, range * 1.5 FROM range(10)",
        "CREATE SCHEMA sales",
        'CREATE TABLE sales."Odd name" AS SELECT 1 AS "a""b", 2 AS "C"',
        "CREATE VIEW big AS SELECT * FROM orders WHERE total > 10",
        "CREATE VIEW thief AS SELECT * FROM (SELECT 1 AS a)",
    )
    return bench


def read(shop, fetch, **config):
    return fetch(shop.extract(**config))


def test_a_table(shop, fetch):
    assert len(read(shop, fetch, table="orders")) == 10
    assert shop.extract(table="ORDERS").schema.names == ["id", "day", "total"]


def test_some_columns_in_this_order(shop, fetch):
    stream = shop.extract(table="orders", columns=("TOTAL", "id"), limit=2)
    assert stream.schema.names == ["total", "id"]
    assert [(int(i), float(t)) for t, i in fetch(stream)] == [(0, 0.0), (1, 1.5)]


def test_odd_names_and_schemas(shop, fetch):
    assert read(shop, fetch, table="Odd name", schema="sales", columns=("c", 'a"b')) == [(2, 1)]


def test_a_view(shop, fetch):
    assert len(read(shop, fetch, table="big")) == 3


def test_a_query_with_values_and_a_limit(shop, fetch):
    query = "SELECT id FROM orders WHERE day >= CAST(:since AS DATE) ORDER BY id; -- newest"
    assert read(shop, fetch, query=query, query_params={"since": "2024-01-05"}) == [(i,) for i in range(4, 10)]
    assert read(shop, fetch, query=query, query_params={"since": "2024-01-05"}, limit=2) == [(4,), (5,)]
    assert read(shop, fetch, query=query, query_params={"since": "2024-01-05"}, limit=0) == []


def test_a_query_over_several_schemas(shop, fetch):
    assert read(shop, fetch, query='SELECT count(*) AS n FROM orders, sales."Odd name"') == [(10,)]


def test_rows_come_in_the_order_of_the_table(shop):
    shop.sql("CREATE TABLE long AS SELECT range AS i FROM range(300000)")
    values = [value for batch in shop.extract(table="long").batches() for value in batch.column("i").to_pylist()]
    assert values == list(range(300_000))


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        ({"table": "nope"}, "OSR-DUCKDB-030", "there is no table 'nope' in schema 'main'"),
        (
            {"table": "orders", "columns": ("id", "x")},
            "OSR-DUCKDB-006",
            "has no column 'x'; it has 'id', 'day', 'total'",
        ),
        ({"query": "SELECT * FROM nope"}, "OSR-DUCKDB-006", "nope"),
        ({"query": "SELECT 1; SELECT 2"}, "OSR-DUCKDB-002", "has 2 statements"),
        ({"query": "DELETE FROM orders"}, "OSR-DUCKDB-002", "kind DELETE"),
        ({"query": "WITH x AS (DELETE FROM orders RETURNING *) FROM x"}, "OSR-DUCKDB-002", "contains DELETE"),
        ({"query": "SELECT * FROM read_text('/etc/passwd')"}, "OSR-DUCKDB-004", "'read_text'"),
        ({"query": "SELECT * FROM '/etc/passwd'"}, "OSR-DUCKDB-006", "Table with name /etc/passwd does not exist"),
        ({"query": "SELECT * FROM duckdb_databases()"}, "OSR-DUCKDB-004", "'duckdb_databases'"),
        ({"query": "SELECT id, day AS ID FROM orders"}, "OSR-DUCKDB-007", "two columns named 'ID'"),
    ],
)
def test_everything_else_is_refused(shop, config, code, words):
    with pytest.raises(DriverError) as caught:
        shop.extract(**config)
    assert caught.value.code == code
    assert words in caught.value.message
    assert str(shop.root) not in caught.value.message


def test_a_missing_file_is_a_connection_that_cannot_be_used(bench):
    with pytest.raises(ConnectionUnusable, match=r"there is no database file 'w\.duckdb'") as caught:
        bench.extract(table="t")
    assert caught.value.code == "OSR-DUCKDB-020"
    assert not bench.file.exists()


def test_the_file_is_not_changed_by_reading(shop, fetch):
    before = shop.file.read_bytes()
    read(shop, fetch, table="orders")
    assert shop.file.read_bytes() == before
    assert sorted(path.name for path in shop.root.iterdir()) == ["scratch", "w.duckdb"]


def test_the_file_is_let_go_after_the_last_row(shop, fetch):
    read(shop, fetch, table="orders")
    shop.sql("INSERT INTO orders VALUES (99, NULL, NULL)")


def test_the_file_is_let_go_when_the_reader_stops_early(shop):
    shop.sql("CREATE TABLE long AS SELECT range AS i FROM range(300000)")
    batches = shop.extract(table="long").batches()
    next(batches)
    batches.close()
    shop.sql("INSERT INTO long VALUES (1)")


def test_cancelling_stops_the_query(shop):
    ctx = shop.ctx()
    stream = shop.extract(query="SELECT count(*) AS n FROM orders a, range(100000000000) b", ctx=ctx)
    threading.Timer(0.4, ctx.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        list(stream.batches())
    assert time.monotonic() - started < 10


def test_results_that_vary_are_said_to(shop):
    ctx = shop.ctx()
    shop.extract(query="SELECT id, now() AS t FROM orders", ctx=ctx)
    assert ctx.events == [("duckdb.result_varies", {"because": ["now"]})]


def test_the_columns_are_known_without_rows(shop):
    bound = ExtractorDriver().bind(step_id="s", config=Extractor(table="orders"), inputs={}, ctx=shop.ctx())["df"]
    assert bound == shop.extract(table="orders").schema


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "give either 'query' or 'table'"),
        ({"query": "SELECT 1", "table": "t"}, "give either 'query' or 'table', not both"),
        ({"table": "t", "query_params": {"a": 1}}, "'query_params' belong to 'query'"),
        ({"query": "SELECT 1", "columns": ["a"]}, "'columns' belongs to 'table'"),
        ({"table": "t", "columns": []}, "'columns' names no column"),
        ({"table": "t", "columns": ["a", "A"]}, "'columns' names a column twice"),
        ({"table": "t", "limit": -1}, "limit"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config, words):
    made, findings = structure(Extractor, config)
    assert made is None
    assert any(words in f"{finding.message} {finding.path}" for finding in findings), findings
