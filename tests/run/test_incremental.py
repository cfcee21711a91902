"""Incremental loads: ties, lag, late rows, crashes in between, and what is refused."""

from __future__ import annotations

import json

import duckdb
import pytest

from osiris_core.run.incremental import Bounds
from tests.run.workshop import sql, step


class Ledger:
    """A source table and a destination table in two DuckDB files, and the pipeline between them."""

    def __init__(self, shop):
        self.shop = shop
        (shop.folder / "osiris_connections.yaml").write_text(
            "connections: {duckdb: {source: {path: source.duckdb}, target: {path: target.duckdb}}}\n"
        )
        self.mode = "append"
        self.write = {}
        self.incremental = {"cursor": "ts", "primary_key": ["id"]}
        self.table = "orders"
        self.settings = {}

    def source(self, *statements):
        with duckdb.connect(str(self.shop.folder / "source.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def insert(self, *rows):
        with duckdb.connect(str(self.shop.folder / "source.duckdb")) as connection:
            connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)

    def make(self, kind="INTEGER", *rows):
        self.source(f"CREATE OR REPLACE TABLE orders (id INTEGER, ts {kind}, v VARCHAR)")
        if rows:
            self.insert(*rows)

    def steps(self, *between):
        keys = {"upsert": {"primary_key": ["id"]}, "delete_insert": {"replace_keys": ["ts"]}}.get(self.mode, {})
        extract = step(
            "read", "duckdb.extractor", connection="@duckdb.source", table=self.table, incremental=self.incremental
        )
        config = {"table": "copy", "mode": self.mode, **keys, **self.write}
        last = [between[-1]["id"]] if between else ["read"]
        return extract, *between, step("load", "duckdb.writer", last, "@duckdb.target", **config)

    def load(self, *between, **options):
        return self.shop.run(*self.steps(*between), settings=self.settings, **options)

    def loaded(self, *between, **options):
        ran = self.load(*between, **options)
        assert ran.outcome.error is None, ran.outcome.error
        return ran

    def refused(self, code, *between, **options):
        ran = self.load(*between, **options)
        assert ran.outcome.error is not None
        assert ran.outcome.error.code == code, ran.outcome.error
        return ran.outcome.error

    def target(self, query="SELECT id, ts, v FROM copy ORDER BY ALL"):
        with duckdb.connect(str(self.shop.folder / "target.duckdb")) as connection:
            return connection.execute(query).fetchall()

    def states(self):
        return [json.loads(text) for (text,) in self.target("SELECT state FROM _osiris_loads WHERE state NOT NULL")]


@pytest.fixture
def ledger(shop):
    return Ledger(shop)


def test_rows_at_the_last_value_are_read_again_and_appended_once(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"), (3, 2, "c"))
    first = ledger.loaded()
    (began,) = first.events("incremental_started")
    assert (began["origin"], began["lower"], began["state"]) == ("beginning", None, None)
    (committed,) = first.events("state_committed")
    assert (committed["step"], committed["extract"], committed["value"]) == ("load", "read", "2")
    assert (committed["type"], committed["rows_known"]) == ("integer", 2)

    ledger.insert((4, 2, "late"), (5, 3, "new"))
    second = ledger.loaded()
    (began,) = second.events("incremental_started")
    assert (began["origin"], began["lower"]) == ("state", "2")
    (read,) = second.events("incremental_read")
    assert (read["rows"], read["dropped"], read["last"]) == (4, 2, "3")
    assert ledger.target() == [(1, 1, "a"), (2, 2, "b"), (3, 2, "c"), (4, 2, "late"), (5, 3, "new")]
    assert {m["metric"]: m["value"] for m in second.metrics if m["step"] == "read"}["rows_dropped"] == 2


def test_a_load_of_nothing_new_keeps_the_state(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.loaded()
    ledger.source("DELETE FROM orders")
    ledger.loaded()
    ledger.insert((2, 2, "b"), (3, 2, "c"))
    ledger.loaded()
    assert ledger.target() == [(1, 1, "a"), (2, 2, "b"), (3, 2, "c")]
    assert [state["value"] for state in ledger.states()] == ["2"] * 4


@pytest.mark.parametrize("mode", ["upsert", "delete_insert"])
def test_a_changed_row_at_the_last_value_wins_where_rows_have_keys(ledger, mode):
    ledger.mode, ledger.incremental = mode, {"cursor": "ts"}
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.source("UPDATE orders SET v = 'B' WHERE id = 2", "UPDATE orders SET v = 'unseen' WHERE id = 1")
    ledger.insert((3, 2, "c"))
    ledger.loaded()
    assert ledger.target() == [(1, 1, "a"), (2, 2, "B"), (3, 2, "c")]
    assert ledger.states()[-1]["keys"] == []
