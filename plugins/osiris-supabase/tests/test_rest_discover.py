"""Discovery of a project that has only the Data API, through the command."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from tests.servers.rest_bench import LOADS, SECRET, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]


@pytest.fixture
def discover(rest, tmp_path, monkeypatch):
    (tmp_path / "osiris.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROJECT_KEY", SECRET)
    entry = {"url": rest.standin.url, "key": "${PROJECT_KEY}"}
    (tmp_path / "osiris_connections.yaml").write_text(
        json.dumps({"version": 1, "connections": {"supabase": {"shop": entry}}})
    )

    def found(*arguments, code=0):
        done = CliRunner().invoke(osiris, ["discover", "@supabase.shop", *arguments, "--json"])
        assert done.exit_code == code, done.output
        assert SECRET not in done.output
        return json.loads(done.stdout)

    return found


def test_tables_columns_and_keys(rest, discover):
    rest.make("CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(40) NOT NULL)", table="customers")
    rest.make(
        "CREATE TABLE orders (a int, b text, at timestamptz NOT NULL DEFAULT now(), customer bigint REFERENCES customers, "
        "PRIMARY KEY (a, b)); COMMENT ON TABLE orders IS 'what was sold'; COMMENT ON COLUMN orders.a IS 'number'; "
        "COMMENT ON COLUMN orders.at IS 'Note: no key.<pk/>'",
        table="orders",
    )
    rest.make("CREATE VIEW recent AS SELECT at FROM orders", table="recent")
    rest.sql("CREATE TABLE granted_to_nobody (id int); " + LOADS)
    tables = {table["name"]: table for table in discover()["tables"]}
    assert sorted(tables) == ["customers", "orders", "recent"]
    assert [tables[name]["kind"] for name in sorted(tables)] == ["table", "table", "view"]
    orders = tables["orders"]
    assert orders["comment"] == "what was sold"
    assert orders["primary_key"]["columns"] == ["a", "b"]
    columns = {column["name"]: column for column in orders["columns"]}
    assert columns["a"]["comment"] == "number"
    assert columns["at"]["type"] == "timestamp with time zone"
    assert (columns["at"]["nullable"], columns["customer"]["nullable"]) == (False, True)
    assert columns["at"]["default"] == "now()"
    rest.make("CREATE TABLE notes (customer bigint PRIMARY KEY REFERENCES customers, note text)", table="notes")
    notes = next(table for table in discover()["tables"] if table["name"] == "notes")
    assert (notes["primary_key"]["columns"], notes["foreign_keys"][0]["to_table"]) == (["customer"], "customers")
    (key,) = orders["foreign_keys"]
    assert (key["columns"], key["to_table"], key["to_columns"]) == (["customer"], "customers", ["id"])
    assert [column["type"] for column in tables["customers"]["columns"]] == ["bigint", "character varying(40)"]


def test_a_sample_holds_texts_as_the_server_writes_them(rest, discover):
    rest.make("CREATE TABLE t (id int PRIMARY KEY, n numeric, v text, z timestamptz)")
    rest.sql(
        "INSERT INTO t VALUES (1, 1234567890.12345678901234567890, repeat('x', 500), '2026-01-01 00:00:00+00'), "
        "(2, NULL, NULL, NULL)"
    )
    ((table),) = discover("--sample", "5")["tables"]
    first, second = table["sample"]["rows"]
    assert first[:2] == ["1", "1234567890.12345678901234567890"]
    assert first[2].startswith("xxx")
    assert len(first[2]) < 300
    assert first[3] == "2026-01-01 00:00:00+00"
    assert second == ["2", None, None, None]


def test_what_does_not_work_is_said(rest, discover):
    rest.standin.openapi = False
    assert discover(code=1)["error"]["code"] == "OSR-SUPA-114"
    rest.standin.openapi = True
    rest.standin.fail("hang", times=9)
    assert discover("--timeout", "0.5", code=5)["error"]["code"] == "OSR-DSC-002"
