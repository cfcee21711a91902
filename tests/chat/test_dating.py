"""Dates in three columns, as a small model takes them."""

from __future__ import annotations

import pytest

from osiris_core.chat.catalog import Sources
from osiris_core.chat.mending import mend
from osiris_core.spec.catalog import ColumnProfile, TableProfile
from tests.chat.shop import source

PARTS = ("year", "month", "day")


def trips(least="2019", greatest="2019", *, basis="full"):
    year = ColumnProfile(name="year", nulls=0, distinct=1, minimum=least, maximum=greatest)
    profile = TableProfile(basis=basis, examined=9, columns=(year,))
    return Sources(described=(source("trips", *PARTS, "km", profile=profile, types=dict.fromkeys(PARTS, "BIGINT")),))


@pytest.mark.parametrize(
    ("sql", "made"),
    [
        ("SELECT date(t.day) AS d FROM trips AS t", "SELECT MAKE_DATE(t.year, t.month, t.day) AS d FROM trips AS t"),
        ("SELECT CAST(day AS DATE) AS d FROM trips", "SELECT MAKE_DATE(year, month, day) AS d FROM trips"),
        (
            "SELECT u.date FROM (SELECT x::DATE AS date FROM v EXCEPT SELECT date FROM trips WHERE date > 'x') AS u",
            "SELECT u.date FROM (SELECT CAST(x AS DATE) AS date FROM v EXCEPT SELECT MAKE_DATE(year, month, day) AS date "
            "FROM trips WHERE MAKE_DATE(year, month, day) > 'x') AS u",
        ),
        (
            "SELECT DATE_TRUNC('MONTH', MAKE_DATE(year, month, day)) AS date, SUM(km) AS n FROM trips GROUP BY date",
            "SELECT DATE_TRUNC('MONTH', MAKE_DATE(year, month, day)) AS date, SUM(km) AS n FROM trips GROUP BY date",
        ),
        (
            "SELECT CAST(s.day AS DATE) AS d FROM (SELECT MAKE_DATE(year, month, day) AS day FROM trips) AS s",
            "SELECT CAST(s.day AS DATE) AS d FROM (SELECT MAKE_DATE(year, month, day) AS day FROM trips) AS s",
        ),
        (
            "SELECT CAST(day AS DATE) AS d FROM (SELECT MAKE_DATE(year, month, day) AS day FROM trips) AS s",
            "SELECT CAST(day AS DATE) AS d FROM (SELECT MAKE_DATE(year, month, day) AS day FROM trips) AS s",
        ),
        (
            "SELECT u.x FROM u WHERE EXISTS(SELECT 1 FROM trips AS t WHERE MAKE_DATE(t.year, t.month, t.day) = u.date)",
            "SELECT u.x FROM u WHERE EXISTS(SELECT 1 FROM trips AS t WHERE MAKE_DATE(t.year, t.month, t.day) = u.date)",
        ),
        (
            "SELECT make_date(year, month, day) AS d FROM trips WHERE d <= '2024-02-29'",
            "SELECT MAKE_DATE(year, month, day) AS d FROM trips WHERE d <= '2019-02-28'",
        ),
        (
            "SELECT t.km FROM trips AS t JOIN o ON t.km = o.km WHERE o.placed >= '2025-01-01'",
            "SELECT t.km FROM trips AS t JOIN o ON t.km = o.km WHERE o.placed >= '2025-01-01'",
        ),
        ("SELECT CAST(day AS TEXT) AS d FROM trips", "SELECT CAST(day AS TEXT) AS d FROM trips"),
        (
            "SELECT quarter(date) AS q FROM trips JOIN ships ON trips.km = ships.km GROUP BY quarter(date)",
            "SELECT QUARTER(MAKE_DATE(trips.year, trips.month, trips.day)) AS q FROM trips JOIN ships ON trips.km = ships.km "
            "GROUP BY QUARTER(MAKE_DATE(trips.year, trips.month, trips.day))",
        ),
        ("SELECT 1 AS x INTO trips", "SELECT 1 AS x INTO trips"),
        ("SELECT CAST(km AS DATE) AS d FROM trips", "SELECT CAST(km AS DATE) AS d FROM trips"),
        (
            "SELECT km FROM trips WHERE make_date(year, month, day) BETWEEN '2021-05-01' AND '2021-05-31'",
            "SELECT km FROM trips WHERE MAKE_DATE(year, month, day) BETWEEN '2019-05-01' AND '2019-05-31'",
        ),
    ],
)
def test_a_date_is_made_of_its_parts(sql, made):
    assert mend(sql, trips(), (), "km in May").sql == made


@pytest.mark.parametrize(
    ("sources", "wish", "dates"),
    [
        (trips(), "km in May 2021", ("2021-05-01", "2021-05-31")),
        (trips("2018"), "km in May", ("2021-05-01", "2021-05-31")),
        (trips(basis="sample"), "km in May", ("2021-05-01", "2021-05-31")),
        (trips(), "km in winter", ("2020-12-01", "2021-02-28")),
        (trips(), "km in May", ("2019-05-01", "2019-05-31")),
    ],
)
def test_a_year_that_may_be_meant_stays(sources, wish, dates):
    sql = f"SELECT km FROM trips WHERE MAKE_DATE(year, month, day) BETWEEN '{dates[0]}' AND '{dates[1]}'"
    assert mend(sql, sources, (), wish).sql == sql
