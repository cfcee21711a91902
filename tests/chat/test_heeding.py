"""What the wish says plainly is put into a query that leaves it out."""

from __future__ import annotations

import pytest

from osiris_core.chat.catalog import Sources
from osiris_core.chat.mending import mend
from osiris_core.spec.catalog import ColumnProfile, TableProfile, ValueCount
from tests.chat.shop import source


def texts(name, *values, distinct=None):
    top = tuple(ValueCount(value=one, count=2) for one in values)
    return ColumnProfile(name=name, nulls=0, distinct=distinct or len(values), top=top)


MASTER = ColumnProfile(name="master", nulls=7, distinct=90)
COLUMNS = (
    MASTER,
    texts("port", "OSL", "BGO"),
    texts("goal", "RTM", "HAM", distinct=90),
    texts("ship", "Aurora", distinct=12),
)
PROFILE = TableProfile(basis="full", examined=200, columns=COLUMNS)
FLEET = Sources(described=(source("trips", "ship", "port", "goal", "km", "late", "master", profile=PROFILE),))


MASTERS = "SELECT master, COUNT(*) AS n FROM trips GROUP BY master ORDER BY n DESC LIMIT 3"
TWINS = "SELECT t.goal, u.port, SUM(t.km) AS km FROM trips AS t LEFT JOIN trips AS u ON t.goal = u.port GROUP BY t.goal, u.port"


@pytest.mark.parametrize(
    ("wish", "sql", "made", "note"),
    [
        (
            "km of each ship on average, two decimals",
            "SELECT ship, avg(km) AS km FROM trips GROUP BY ship",
            "SELECT ship, ROUND(AVG(km), 2) AS km FROM trips GROUP BY ship",
            "km has two decimals.",
        ),
        (
            "the longest trip of each ship: ship, km",
            "SELECT ship, km FROM trips ORDER BY km DESC LIMIT 1",
            "SELECT ship, km FROM trips QUALIFY ROW_NUMBER() OVER (PARTITION BY ship ORDER BY km DESC) <= 1",
            "The first 1 are those of each ship.",
        ),
        (
            "the two worst goals of every port",
            "SELECT goal, port, count(*) AS n FROM trips GROUP BY goal, port ORDER BY n DESC LIMIT 2",
            "SELECT goal, port, COUNT(*) AS n FROM trips GROUP BY goal, port "
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY port ORDER BY n DESC) <= 2",
            "The first 2 are those of each port.",
        ),
        (
            "trips by port",
            "SELECT port, count(*) AS n FROM trips WHERE port = 'BGO' AND late = 'y' GROUP BY port",
            "SELECT port, COUNT(*) AS n FROM trips WHERE late = 'y' GROUP BY port",
            "The condition port = 'BGO', which the wish does not name, is left out.",
        ),
        (
            "trips to Bremen (BRE)",
            "SELECT count(*) AS n FROM trips WHERE port = 'BRE'",
            "SELECT COUNT(*) AS n FROM trips WHERE goal = 'BRE'",
            "'BRE' is looked for in goal: port holds no such value.",
        ),
        (
            "number of trips by port, into the table totals",
            "INSERT INTO totals (port, n) SELECT port, trips FROM trips",
            "SELECT port, COUNT(*) AS n FROM trips GROUP BY ALL",
            "'trips' is the number of rows of trips.",
        ),
        (
            "the five ships with most trips; ships that share the fifth place are kept",
            "SELECT ship, count(*) AS n FROM trips GROUP BY ship ORDER BY n DESC LIMIT 5",
            "SELECT ship, COUNT(*) AS n FROM trips GROUP BY ship QUALIFY RANK() OVER (ORDER BY COUNT(*) DESC) <= 5 "
            "ORDER BY n DESC",
            "All that share place 5 are kept.",
        ),
        (
            "the five ships with most trips; ships that share the fifth place are kept",
            "SELECT ship, count(*) FROM trips GROUP BY ship ORDER BY 2 DESC, ship LIMIT 5",
            "SELECT ship, COUNT(*) FROM trips GROUP BY ship QUALIFY RANK() OVER (ORDER BY COUNT(*) DESC) <= 5 "
            "ORDER BY 2 DESC, ship",
            "All that share place 5 are kept.",
        ),
        (
            "top 3 masters by trips",
            "SELECT master, count(*) AS n FROM trips GROUP BY master ORDER BY n DESC LIMIT 3",
            "SELECT master, COUNT(*) AS n FROM trips WHERE NOT master IS NULL GROUP BY master ORDER BY n DESC LIMIT 3",
            "Rows without master are left out of the ranking.",
        ),
        (
            "trips by ship, ignore those without a port",
            "SELECT ship, count(*) AS n FROM trips WHERE km > 1 GROUP BY ship",
            "SELECT ship, COUNT(*) AS n FROM trips WHERE km > 1 AND NOT port IS NULL GROUP BY ship",
            "Rows without port are left out.",
        ),
        (
            "km by goal",
            "SELECT t.goal, u.port, sum(t.km) AS km FROM trips t LEFT JOIN trips u ON t.goal = u.port GROUP BY t.goal, u.port",
            "SELECT t.goal, SUM(t.km) AS km FROM trips AS t LEFT JOIN trips AS u ON t.goal = u.port GROUP BY t.goal, u.port",
            "u.port is left out: it is t.goal = u.port.",
        ),
    ],
)
def test_what_the_wish_says_plainly(wish, sql, made, note):
    mended = mend(sql, FLEET, (), wish)
    assert mended.sql == made
    assert note in mended.notes


@pytest.mark.parametrize(
    ("wish", "sql"),
    [
        ("km on average, two decimals", "SELECT round(avg(km), 2) AS km FROM trips"),
        ("number of trips, two decimals", "SELECT count(*) AS n FROM trips"),
        ("the longest trips", "SELECT ship, km FROM trips ORDER BY km DESC LIMIT 1"),
        ("the best of each ship", "SELECT ship, max(km) AS km FROM trips GROUP BY ship"),
        ("trips from Bergen (BGO) by port", "SELECT port, count(*) AS n FROM trips WHERE port = 'BGO' GROUP BY port"),
        ("trips of XYZ1", "SELECT km FROM trips WHERE port = 'XYZ1'"),
        ("the trips", "SELECT trips FROM trips"),
        ("masters by trips", "SELECT master, COUNT(*) AS n FROM trips GROUP BY master ORDER BY n DESC"),
        ("top 3 ships", "SELECT ship, COUNT(*) AS n FROM trips GROUP BY ship ORDER BY n DESC LIMIT 3"),
        ("km, skip those without a port", "SELECT km FROM trips WHERE port IS NOT NULL"),
        ("km, skip those without a captain", "SELECT km FROM trips"),
        ("km without a port", "SELECT km FROM trips"),
        ("km, do not skip trips without a port", "SELECT km FROM trips"),
        ("km, exclude late trips but keep those without a port", "SELECT km FROM trips"),
        ("km, exclude rows with no captain and sort by port", "SELECT km FROM trips ORDER BY port"),
        ("top 3 masters, those without one too", MASTERS),
        ("3 masters, by name", "SELECT master, COUNT(*) AS n FROM trips GROUP BY master ORDER BY master LIMIT 3"),
        ("the 5 most shared trips, each with its place", "SELECT km FROM trips ORDER BY km DESC LIMIT 5"),
        ("trips that share the fifth place", "SELECT DISTINCT km FROM trips ORDER BY km DESC LIMIT 5"),
        ("trips that share the fifth place", "SELECT km FROM trips ORDER BY km DESC LIMIT 5 OFFSET 5"),
        ("trips that share the fifth place", "SELECT km FROM trips ORDER BY ALL DESC LIMIT 5"),
        ("trips that share the fifth place", "SELECT km FROM trips ORDER BY km DESC LIMIT 5%"),
        ("goal and port", TWINS),
        ("goal", TWINS.replace("LEFT", "RIGHT")),
        ("goal", TWINS.replace("GROUP BY t.goal, u.port", "GROUP BY 1, 2")),
        ("goal", "SELECT 1 AS x FROM trips AS t JOIN trips AS u ON 1 = 1"),
        ("goal", "SELECT t.goal AS a, u.port AS b FROM trips AS t JOIN trips AS u ON t.goal = u.port ORDER BY b"),
        ("goal", "SELECT SUBSTRING(t.goal, 1) AS a FROM trips AS t JOIN trips AS u ON SUBSTRING(t.goal, 1) = u.port"),
        ("both", "SELECT t.km, u.km FROM trips AS t JOIN trips AS u ON t.goal = u.port"),
    ],
)
def test_what_is_right_or_in_doubt_is_left_as_it_is(wish, sql):
    mended = mend(sql, FLEET, (), wish)
    assert (mended.sql, mended.notes) == (sql, ())


def test_storing_is_no_part_of_a_query():
    """Whatever would be changed is left out; what cannot be told apart is left as it is, and refused later."""
    mended = mend("CREATE TABLE x AS SELECT km FROM trips", FLEET)
    assert (mended.sql, len(mended.notes)) == ("SELECT km FROM trips", 1)
    for statement in ("DELETE FROM trips", "INSERT INTO trips VALUES (1)", "UPDATE trips SET km = 0"):
        assert mend(statement, FLEET).sql == statement
