"""Which tables a question is about."""

from __future__ import annotations

from osiris_core.discovery.ranking import ranked
from osiris_core.discovery.relations import relations
from osiris_core.spec.catalog import ColumnInfo, ForeignKey, Table


def table(name, columns=("id",), comment=None, refers=None):
    return Table(
        name=name,
        kind="table",
        comment=comment,
        columns=tuple(ColumnInfo(name=column, type="text") for column in columns),
        foreign_keys=(ForeignKey(columns=(f"{refers}_id",), to_table=refers, to_columns=("id",)),) if refers else (),
    )


def order(tables, text):
    return [found.name for found, score in ranked(tables, relations(tables, {}), text) if score > 0]


def test_names_before_columns_before_comments():
    tables = [
        table("a", comment="one row for each customer"),
        table("b", columns=("id", "customer_name")),
        table("customers"),
        table("nothing"),
    ]
    assert order(tables, "How many customers do we have?") == ["customers", "b", "a"]
    assert order(tables, "Customer") == ["customers", "b", "a"]
    assert order(tables, "customerName") == ["b", "customers", "a"]
    assert order(tables, "zzz") == []
    assert order(tables, "") == []


def test_a_rare_word_says_more_than_one_that_all_have():
    tables = [
        table("one", ("id", "created")),
        table("two", ("id", "created")),
        table("three", ("id", "created", "tax")),
    ]
    assert order(tables, "created tax")[0] == "three"


def test_a_table_gains_by_what_it_is_related_to():
    tables = [table("misc"), table("lines", ("id", "customers_id"), refers="customers"), table("customers")]
    assert order(tables, "revenue by customer") == ["customers", "lines"]


def test_what_fits_alike_keeps_its_order():
    tables = [table(f"log_{letter}") for letter in "cab"]
    assert order(tables, "log") == ["log_c", "log_a", "log_b"]


def test_the_command_shows_the_best_in_full_and_names_the_rest(shop):
    shop.sql(
        "CREATE TABLE invoices (id INT, customer_id INT, total DECIMAL(9,2))",
        "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR)",
        "CREATE TABLE weather (day DATE, wind DOUBLE)",
    )
    found = shop.found("--about", "total of invoices by customer", "--profile")
    assert [one["name"] for one in found["tables"]] == ["invoices", "customers"]
    assert found["tables"][0]["score"] > found["tables"][1]["score"] > 0
    assert {one["profile"]["basis"] for one in found["tables"]} == {"full"}
    assert found["other_tables"] == ["main.weather"]
    assert [one["to_table"] for one in found["relations"]] == ["customers"]
    assert [one["name"] for one in shop.found("--about", "invoices by customer", "--most", "1")["tables"]] == [
        "invoices"
    ]
    assert {one["score"] for one in shop.found()["tables"]} == {None}
    shown = shop.run("@duckdb.shop", "--about", "wind").stdout
    assert "wind\tDOUBLE" in shown
    assert "other tables: main.customers, main.invoices" in shown
    nothing = shop.run("@duckdb.shop", "--about", "zzz").output
    assert "no table of @duckdb.shop fits" in nothing
    assert "give one of the two" in shop.run("@duckdb.shop", "--about", "x", "--table", "weather", code=2).output
