"""Tables that a small model's query needs and does not read, or calls by another name."""

from __future__ import annotations

import pytest

from osiris_core.chat.catalog import Sources
from osiris_core.chat.linking import Link
from osiris_core.chat.mending import mend
from osiris_core.discovery.relations import Relation
from tests.chat.shop import source

TRIPS = source("trips", "ship", "port", "km")
SHIPS = source("ships", "ship", "name")
PORTS = source("ports", "code", "name")


def refers(column, table, to):
    return Relation(
        table="trips.parquet", columns=(column,), to_table=f"{table}.parquet", to_columns=(to,), declared=False,
        confidence=0.8,
    )  # fmt: skip


FLEET = Sources(
    described=(TRIPS, SHIPS, PORTS),
    relations=(
        ("@filesystem.data", refers("ship", "ships", "ship")),
        ("@filesystem.data", refers("port", "ports", "code")),
    ),
)
NAMED = (Link(said="name", table="ships", column="name"),)


@pytest.mark.parametrize(
    ("sql", "made", "notes"),
    [
        (
            "SELECT name, sum(km) AS km FROM trips GROUP BY name",
            "SELECT ships.name, SUM(km) AS km FROM trips JOIN ships ON trips.ship = ships.ship GROUP BY name",
            ("The table ships is joined where trips.ship = ships.ship.",),
        ),
        (
            "SELECT ports.name FROM trips AS t",
            "SELECT ports.name FROM trips AS t JOIN ports ON t.port = ports.code",
            ("The table ports is joined where t.port = ports.code.",),
        ),
        (
            "SELECT ship.name, t.km FROM trips t JOIN ships ON ships.ship = t.ship",
            "SELECT ships.name, t.km FROM trips AS t JOIN ships ON ships.ship = t.ship",
            ("'ship.name' is meant as ships.name.",),
        ),
        ("SELECT x.km FROM trips", "SELECT trips.km FROM trips", ("'x.km' is meant as trips.km.",)),
        ("SELECT t.trips.km FROM trips t", "SELECT t.km FROM trips AS t", ("'t.trips.km' is meant as t.km.",)),
    ],
)
def test_tables_that_are_meant(sql, made, notes):
    mended = mend(sql, FLEET, NAMED)
    assert (mended.sql, mended.notes) == (made, notes)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT code FROM ships",  # nothing says how ships and ports hang together
        "SELECT code FROM (SELECT km AS code FROM trips)",
        "SELECT km AS name FROM trips ORDER BY name",
        "SELECT t.km FROM trips AS t WHERE EXISTS (SELECT 1 FROM ships AS s WHERE s.ship = t.ship)",
        "WITH w AS (SELECT km FROM trips) SELECT w.km FROM w",
    ],
)
def test_what_is_right_or_in_doubt_is_left_as_it_is(sql):
    mended = mend(sql, FLEET, NAMED)
    assert (mended.sql, mended.notes) == (sql, ())


@pytest.mark.parametrize(
    ("wish", "sql", "made"),
    [
        (
            "km by port",
            "SELECT port, sum(km) AS n FROM trips JOIN ships ON trips.ship = ships.ship GROUP BY port ORDER BY n",
            "SELECT port, SUM(km) AS n FROM trips GROUP BY port ORDER BY n",
        ),
        ("km of the ships we know", "SELECT km FROM trips JOIN ships ON trips.ship = ships.ship", None),
        ("km", "SELECT km, ships.name FROM trips JOIN ships ON trips.ship = ships.ship", None),
        ("km", "SELECT km, name FROM trips JOIN ships ON trips.ship = ships.ship", None),
        ("km", "SELECT * FROM trips JOIN ships ON trips.ship = ships.ship", None),
        ("km", "SELECT km FROM trips JOIN ships USING (ship)", None),
        ("km to Oslo", "SELECT km FROM trips JOIN ports ON trips.port = ports.code AND ports.name = 'Oslo'", None),
        ("those that never sailed", "SELECT km FROM trips ANTI JOIN ships ON trips.ship = ships.ship", None),
        (
            "km",
            "SELECT km FROM trips JOIN ships ON trips.ship = ships.ship WHERE EXISTS(SELECT 1 FROM ports WHERE code = ships.name)",
            None,
        ),
        ("km", "SELECT km FROM trips, ships WHERE trips.ship = ships.ship", None),
    ],
)
def test_a_table_of_which_nothing_is_told_is_not_joined(wish, sql, made):
    assert mend(sql, FLEET, (), wish).sql == (made or sql)


def test_of_two_tables_that_have_the_column_none_is_guessed():
    assert mend("SELECT name FROM trips", FLEET).notes == ()
