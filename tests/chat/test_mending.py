"""Queries of a small model, mended: what is changed, what is said of it, and what is left as it is."""

from __future__ import annotations

import pytest

from osiris_core.chat.catalog import Sources
from osiris_core.chat.grounding import beyond, strangers
from osiris_core.chat.linking import Link
from osiris_core.chat.mending import mend
from osiris_core.spec.catalog import ColumnProfile, TableProfile
from tests.chat.shop import CUSTOMERS, profiled, source

WHOLE = dict.fromkeys(("year", "month", "day"), "BIGINT")
VISITS = source("visits", "id", "year", "month", "day", "ward", types=WHOLE, profile=profiled("ward", "NORTH", "SOUTH"))
HOSPITAL = Sources(described=(VISITS, CUSTOMERS))


@pytest.mark.parametrize(
    ("sql", "made", "said"),
    [
        (
            "SELECT id FROM visits WHERE ward = 'north'",
            "SELECT id FROM visits WHERE ward = 'NORTH'",
            "'north' is written 'NORTH' in ward.",
        ),
        (
            "SELECT v.id FROM visits AS v WHERE v.ward IN ('South')",
            "SELECT v.id FROM visits AS v WHERE v.ward IN ('SOUTH')",
            "'South' is written 'SOUTH' in ward.",
        ),
        (
            "SELECT ward, count(*) AS n FROM visits WHERE count(*) > 5 AND month = 2 GROUP BY ward",
            "SELECT ward, COUNT(*) AS n FROM visits WHERE month = 2 GROUP BY ward HAVING COUNT(*) > 5",
            "The condition COUNT(*) > 5 stands in HAVING.",
        ),
        (
            "SELECT id FROM visits WHERE row_number() OVER (ORDER BY id) = 1",
            "SELECT id FROM visits QUALIFY ROW_NUMBER() OVER (ORDER BY id) = 1",
            "The condition ROW_NUMBER() OVER (ORDER BY id) = 1 stands in QUALIFY.",
        ),
        (
            "SELECT ward, count(*) AS n FROM visits",
            "SELECT ward, COUNT(*) AS n FROM visits GROUP BY ALL",
            "Rows are grouped by ward.",
        ),
        (
            "SELECT ward, month, count(*) AS n FROM visits GROUP BY ward",
            "SELECT ward, month, COUNT(*) AS n FROM visits GROUP BY ALL",
            "Rows are grouped by ward, month.",
        ),
        (
            "SELECT id FROM visits WHERE month = 2 AND day >= 28 AND day < 3",
            "SELECT id FROM visits WHERE month = 2 AND (day >= 28 OR day < 3)",
            "Nothing is day >= 28 and day < 3; one of the two is meant.",
        ),
        (
            "SELECT date FROM visits",
            "SELECT MAKE_DATE(year, month, day) AS date FROM visits",
            "The date of a row of visits is made of its year, month and day.",
        ),
        (
            "SELECT ward, rank() OVER (PARTITION BY ward ORDER BY day) AS r FROM visits ORDER BY ward LIMIT 2",
            "SELECT ward, RANK() OVER (PARTITION BY ward ORDER BY day) AS r FROM visits QUALIFY r <= 2 ORDER BY ward",
            "The first 2 are those of each ward.",
        ),
        (
            "SELECT location_number FROM visits",
            "SELECT ward AS location_number FROM visits",
            "'location_number' is the column ward of visits.",
        ),
        (
            "SELECT location FROM visits",
            "SELECT ward AS location FROM visits",
            "'location' is the column ward of visits.",
        ),
        (
            "SELECT group_concat(ward) FROM visits WHERE id = ifnull(id, '')",
            None,
            None,
        ),
        (
            "SELECT date_format(make_date(year, month, day), '%Y') AS y FROM visits",
            None,
            "date_format is written in the dialect mysql, and translated into DuckDB's.",
        ),
    ],
)
def test_what_can_only_have_meant_one_thing(sql, made, said):
    meant = (Link(said="location", table="visits", column="ward"),)
    mended = mend(sql, HOSPITAL, meant)
    if made is not None:
        assert mended.sql == made
    assert mended.notes == (() if said is None else (said,))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ward, count(*) FROM visits GROUP BY 1",
        "SELECT ward AS w, count(*) FROM visits GROUP BY w",
        "SELECT day > 3 AS late, count(*) FROM visits GROUP BY late",
        "SELECT day, count(*) AS n, sum(count(*)) OVER (ORDER BY day) AS t FROM visits GROUP BY day",
        "SELECT ward, id FROM visits QUALIFY rank() OVER (PARTITION BY ward ORDER BY day) = 1",
        "SELECT ward, (SELECT count(*) FROM customers) AS n FROM visits",
        "SELECT count(*) FILTER (WHERE ward = 'NORTH') AS n FROM visits",
        "SELECT id FROM visits WHERE day >= 3 AND day < 28",
        "SELECT id, rank() OVER (ORDER BY day) AS r FROM visits LIMIT 2",
        "SELECT id FROM visits WHERE ward = 'elsewhere'",
        "SELECT date FROM customers",
        "this is no query",
        "DROP TABLE visits",
        "",
    ],
)
def test_what_is_right_or_in_doubt_is_left_as_it_is(sql):
    mended = mend(sql, HOSPITAL)
    assert (mended.sql, mended.notes) == (sql, ())


@pytest.mark.parametrize(
    ("sql", "made", "said"),
    [
        (
            "SELECT v.id, v.city FROM visits AS v JOIN customers AS c ON c.id = v.id",
            "SELECT v.id, c.city FROM visits AS v JOIN customers AS c ON c.id = v.id",
            "'city' is that of customers.",
        ),
        (
            "SELECT id FROM visits AS v JOIN customers AS c ON c.name = v.ward",
            "SELECT v.id FROM visits AS v JOIN customers AS c ON c.name = v.ward",
            "'id' is that of visits.",
        ),
        (
            "SELECT max(id) AS m FROM visits JOIN customers USING (id)",
            "SELECT max(id) AS m FROM visits JOIN customers USING (id)",
            None,
        ),
        (
            "SELECT v.ward AS id FROM visits AS v JOIN customers AS c ON c.id = v.id ORDER BY id",
            "SELECT v.ward AS id FROM visits AS v JOIN customers AS c ON c.id = v.id ORDER BY id",
            None,
        ),
        (
            "SELECT ward FROM visits WHERE EXISTS (SELECT 1 FROM customers AS c WHERE id = name)",
            "SELECT ward FROM visits WHERE EXISTS (SELECT 1 FROM customers AS c WHERE id = name)",
            None,
        ),
    ],
)
def test_whose_a_column_is(sql, made, said):
    mended = mend(sql, HOSPITAL)
    assert (mended.sql, mended.notes) == (made, () if said is None else (said,))


def test_of_columns_that_several_tables_have_the_wish_means_one():
    meant = (Link(said="customer id", table="customers", column="id"),)
    sql = "SELECT id FROM visits AS v JOIN customers AS c ON c.name = v.ward"
    assert mend(sql, HOSPITAL, meant).sql.startswith("SELECT c.id FROM")


def test_a_name_that_a_column_shortens():
    ferries = Sources(described=(source("ferries", "dep_delay", "arr_delay"),))
    mended = mend("SELECT max(f.departure_delay) AS most FROM ferries AS f", ferries)
    assert mended.sql == "SELECT MAX(f.dep_delay) AS most FROM ferries AS f"
    assert mended.notes == ("'departure_delay' is the column dep_delay of ferries.",)
    for unsure in ("SELECT delay FROM ferries", "SELECT departure FROM ferries"):
        assert mend(unsure, ferries).notes == ()


def test_names_that_nothing_has():
    sql = "WITH w AS (SELECT ward AS k FROM visits) SELECT k, price, count(*) AS n FROM w, nowhere ORDER BY n"
    assert strangers(sql, HOSPITAL) == {"price", "nowhere"}
    assert strangers("no query at all (", HOSPITAL) == frozenset()


def years(*, basis="full", withheld=False):
    column = ColumnProfile(name="year", nulls=0, distinct=2, minimum="2019", maximum="2020", withheld=withheld)
    when = ColumnProfile(name="at", nulls=0, distinct=9, minimum="2019-01-01 05:00:00", maximum="2020-12-31 07:00:00")
    profile = TableProfile(basis=basis, examined=9, columns=(column, when))
    return Sources(described=(source("visits", "id", "year", "at", profile=profile),))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("year = 2015", "'year' of visits is from 2019 to 2020"),
        ("v.year IN (2015, 2016)", "'year' of visits is from 2019 to 2020"),
        ("year(at) = 2031", "'at' of visits is from 2019 to 2020"),
        ("year = 2015 OR year = 2019", None),
        ("year IN (2015, 2020)", None),
        ("year = 2019", None),
        ("year <> 2015", None),
        ("year = id", None),
        ("id = 2015", None),
    ],
)
def test_values_beyond_all_that_a_column_holds(condition, said):
    assert beyond(f"SELECT id FROM visits v WHERE {condition}", years(), "of 2015, 2016 and 2031") == said


def test_what_was_not_looked_at_whole_is_not_judged():
    assert beyond("SELECT id FROM visits WHERE year = 2015", years(basis="sample"), "2015") is None
    assert beyond("SELECT id FROM visits WHERE year = 2015", years(withheld=True), "2015") is None


def test_a_year_that_the_model_invents_is_left_out_and_one_that_is_said_is_not():
    sql = "SELECT id FROM visits WHERE year = 2021 AND id = 'x'"
    mended = mend(sql, years(), (), "the visits of summer")
    assert mended.sql == "SELECT id FROM visits WHERE id = 'x'"
    assert mended.notes == ("The condition year = 2021, which nothing meets and the wish does not name, is left out.",)
    assert mend("SELECT id FROM visits WHERE year = 2021", years(), (), "visits").sql == "SELECT id FROM visits"
    assert mend(sql, years(), (), "the visits of 2021").sql == sql
    assert beyond(sql, years(), "the visits of summer") is None
    assert mend("SELECT id FROM visits WHERE year = 2020", years(), (), "visits").notes == ()


def test_percent_of_percent():
    sql = "SELECT round(100.0 * count(id) / count(*) * 100, 1) AS p FROM visits"
    mended = mend(sql, HOSPITAL)
    assert mended.sql == "SELECT ROUND(100.0 * COUNT(id) / COUNT(*), 1) AS p FROM visits"
    assert mend("SELECT round(1.0 * count(id) / count(*) * 100, 1) AS p FROM visits", HOSPITAL).notes == ()
