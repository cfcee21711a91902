"""Which relations are suggested, with which confidence, and which are not."""

from __future__ import annotations

import pytest

from osiris_core.discovery.names import entity, family, singular, words
from osiris_core.discovery.relations import LEAST, relate, relations
from osiris_core.spec.catalog import (
    ColumnInfo,
    ColumnProfile,
    ForeignKey,
    Index,
    Key,
    Overlap,
    Table,
    TableProfile,
)


def table(name, columns, *, key=None, schema=None, kind="table", **more):
    made = tuple(ColumnInfo(name=column, type=type_) for column, type_ in columns.items())
    primary = Key(columns=(key,)) if isinstance(key, str) else None
    return Table(name=name, schema=schema, kind=kind, columns=made, primary_key=primary, **more)


def profile(rows, **distinct):
    columns = tuple(ColumnProfile(name=name, nulls=0, distinct=count) for name, count in distinct.items())
    return TableProfile(basis="full", examined=rows, columns=columns)


def suggested(*tables, profiles=None, shares=None):
    """Suggestions as ``from -> to``, with their confidence."""
    looked = []

    def look(one, column, other, other_column):
        looked.append((one.name, column, other.name, other_column))
        checked, found = (shares or {}).get(f"{one.name}.{column}", (10, 10))
        return Overlap(checked=checked, found=found)

    named = {(None, name): one for name, one in (profiles or {}).items()}
    found = relations(tables, named, look if shares is not None else None)
    return {
        f"{one.table}.{'+'.join(one.columns)} -> {one.to_table}.{'+'.join(one.to_columns)}": one.confidence
        for one in found
        if not one.declared
    }


CUSTOMERS = table("customers", {"id": "bigint", "name": "text"}, key="id")


@pytest.mark.parametrize(
    "column",
    [
        "customer_id",
        "customerId",
        "CustomerID",
        "CUSTOMER_ID",
        "customer-id",
        "customerid",
        "customer",
        "bill_customer_id",
    ],
)
def test_a_column_named_after_a_table_and_its_key(column):
    found = suggested(CUSTOMERS, table("orders", {"nr": "int", column: "bigint"}, key="nr"))
    ((pair, confidence),) = found.items()
    assert pair == f"orders.{column} -> customers.id"
    assert LEAST <= confidence < 1


@pytest.mark.parametrize("column", ["id", "name", "nr", "custom_id", "customers_note", "total"])
def test_names_that_say_nothing(column):
    assert suggested(CUSTOMERS, table("orders", {"number": "int", column: "bigint"}, key="number")) == {}


def test_types_that_cannot_be_equal_make_none():
    assert suggested(CUSTOMERS, table("orders", {"nr": "int", "customer_id": "uuid"})) == {}
    assert suggested(CUSTOMERS, table("orders", {"nr": "int", "customer_id": "varchar(20)"})) == {}
    assert suggested(CUSTOMERS, table("orders", {"nr": "int", "customer_id": "bigint[]"})) == {}


def test_the_likelier_the_name_the_higher_the_confidence():
    found = suggested(
        CUSTOMERS,
        table("a", {"x": "int", "customer_id": "bigint"}),
        table("b", {"x": "int", "customer_id": "integer"}),
        table("c", {"x": "int", "first_customer_id": "bigint"}),
        table("d", {"x": "int", "customer": "bigint"}),
    )
    assert list(found) == [
        "a.customer_id -> customers.id",
        "b.customer_id -> customers.id",
        "c.first_customer_id -> customers.id",
        "d.customer -> customers.id",
    ]


def test_a_declared_relation_is_certain_and_makes_no_suggestion():
    orders = table(
        "orders",
        {"nr": "int", "customer_id": "bigint"},
        foreign_keys=(ForeignKey(columns=("customer_id",), to_table="customers", to_columns=("id",)),),
    )
    (one,) = relations([CUSTOMERS, orders], {})
    assert (one.declared, one.confidence, one.reasons) == (True, 1.0, ())


def test_values_decide():
    orders = table("orders", {"nr": "int", "customer_id": "bigint"})
    by_name = suggested(CUSTOMERS, orders)["orders.customer_id -> customers.id"]

    def with_share(checked, found):
        shares = {"orders.customer_id": (checked, found)}
        return suggested(CUSTOMERS, orders, shares=shares).get("orders.customer_id -> customers.id", 0)

    assert with_share(100, 100) > with_share(100, 95) > by_name
    assert with_share(100, 60) == by_name
    assert with_share(100, 10) < by_name
    assert with_share(0, 0) == by_name  # a column without values says nothing
    assert with_share(100, 100) < 1


def test_a_unique_column_is_a_key_when_all_rows_have_been_counted():
    airlines = table("airlines.csv", {"carrier": "VARCHAR", "name": "VARCHAR"}, kind="file")
    flights = table("flights.csv", {"day": "DATE", "carrier": "VARCHAR"}, kind="file")
    without = suggested(airlines, flights)
    profiles = {"airlines.csv": profile(16, carrier=16, name=16), "flights.csv": profile(1000, day=300, carrier=16)}
    measured = suggested(airlines, flights, profiles=profiles)
    compared = suggested(airlines, flights, profiles=profiles, shares={})
    pair = "flights.csv.carrier -> airlines.csv.carrier"
    assert LEAST == without[pair] < measured[pair] < compared[pair]
    # counted and not unique: no key
    profiles["airlines.csv"] = profile(16, carrier=15, name=16)
    assert pair not in suggested(airlines, flights, profiles=profiles)


def test_values_alone_make_a_weak_suggestion_of_texts_and_none_of_numbers():
    airports = table("airports", {"faa": "text", "altitude": "int"}, key="faa")
    flights = table("flights", {"nr": "int", "origin": "text", "minute": "int"})
    profiles = {"airports": profile(100, faa=100, altitude=100), "flights": profile(1000, nr=10, origin=3, minute=60)}
    found = suggested(airports, flights, profiles=profiles, shares={})
    assert list(found) == ["flights.origin -> airports.faa"]
    assert found["flights.origin -> airports.faa"] <= 0.5
    assert suggested(airports, flights, profiles=profiles, shares={"flights.origin": (3, 2)}) == {}


def test_a_unique_index_is_a_key():
    planes = table(
        "planes", {"x": "int", "tailnum": "text"}, indexes=(Index(name="i", columns=("tailnum",), unique=True),)
    )
    plain = table("planes", {"x": "int", "tailnum": "text"}, indexes=(Index(name="i", columns=("tailnum",)),))
    flights = table("flights", {"nr": "int", "tailnum": "text"})
    assert list(suggested(planes, flights)) == ["flights.tailnum -> planes.tailnum"]
    assert suggested(plain, flights) == {}


def test_a_thousand_tables_that_share_a_column():
    tables = [
        table(f"item{number}s", {"id": "int", "note": "text", f"item{number + 1}_id": "int"}, key="id")
        for number in range(1000)
    ]
    found = suggested(*tables)
    assert len(found) == 999
    assert found["item7s.item8_id -> item8s.id"] > 0.8


def shared(count):
    """Tables of which each column of one fits the keys of all others."""
    keys = [table("customers", {"customer_id": "int"}, key="customer_id", schema=f"t{at}") for at in range(count)]
    return [*keys, *(table("orders", {"nr": "int", "customer_id": "int"}, schema=f"t{at}") for at in range(count))]


def test_a_column_has_few_suggestions_and_first_those_of_its_schema():
    found = relate(shared(20), {})
    assert found.cut == 40
    assert len([one for one in found.relations if one.table == "orders"]) == 60
    same = [one for one in found.relations if one.table == "orders" and one.schema == one.to_schema]
    assert len(same) == 20


def test_the_time_is_over_while_names_are_compared():
    turns = iter(range(30))

    def check():
        if next(turns, None) is None:
            raise TimeoutError

    found = relate(shared(20), {}, check=check)
    assert found.late
    assert len(found.relations) < len(relate(shared(20), {}).relations)


def test_words_and_singulars():
    assert [words(name) for name in ("CustomerID", "customer-id", "  A b ", "HTTPStatus")] == [
        "customer_id",
        "customer_id",
        "a_b",
        "httpstatus",
    ]
    assert [
        singular(name) for name in ("airlines", "countries", "boxes", "addresses", "status", "gas", "news_items")
    ] == [
        "airline",
        "country",
        "box",
        "address",
        "status",
        "gas",
        "news_item",
    ]
    assert entity(table("data/2024/airlines.csv.gz", {}, kind="file")) == "airline"


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("int", "INTEGER", "bigint(20) unsigned", "UBIGINT", "HUGEINT", "numeric(10,2)", "DECIMAL(18,3)"), "number"),
        (("text", "VARCHAR", "character varying(20)", "varchar(30)", "char(3)", "longtext"), "text"),
        (("uuid", "UUID"), "uuid"),
        (("date", "DATE"), "date"),
        (("double", "timestamp", "datetime(6)", "json", "bytea", "INTEGER[]", "interval", "boolean", "point"), None),
    ],
)
def test_families_of_types(kinds, expected):
    assert {kind: family(kind) for kind in kinds} == dict.fromkeys(kinds, expected)
