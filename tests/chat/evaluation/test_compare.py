from __future__ import annotations

import datetime as dt
import itertools
import math
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from osiris_core.chat.evaluation.compare import Table, difference
from osiris_core.chat.evaluation.values import same

UTC = dt.UTC
PRAGUE = dt.timezone(dt.timedelta(hours=2))


def table(columns, *rows):
    return Table(tuple(columns.split()), rows)


FLIGHTS = table("carrier flights share", ("UA", 10, 0.5), ("AA", 7, 0.25), ("B6", 7, 0.25))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, None),
        (3, 3.0),
        (3, Decimal("3.00")),
        (Decimal("0.1"), 0.1),
        (1_000_000, 1_000_000.9),
        (0.1 + 0.2, 0.3),
        (0.0, -1e-10),
        (math.nan, float("nan")),
        (math.inf, math.inf),
        (10**400, math.inf),
        (dt.date(2013, 1, 1), dt.datetime(2013, 1, 1)),
        (dt.datetime(2013, 1, 1, 10, tzinfo=UTC), dt.datetime(2013, 1, 1, 12, tzinfo=PRAGUE)),
        (dt.timedelta(hours=1), dt.timedelta(minutes=60)),
        (dt.time(1, 2), dt.time(1, 2)),
        (UUID(int=1), UUID(int=1)),
        (b"x", b"x"),
        ([1, [2.0]], (Decimal(1), (2.0000001,))),
        ({"a": 1, "b": 0.1}, {"b": 0.1, "a": 1.0}),
    ],
)
def test_values_that_are_the_same(one, other):
    assert same(one, other)
    assert same(other, one)
    assert difference(table("x", (one,)), table("y", (other,))) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, 0),
        (None, ""),
        (None, math.nan),
        (1, 2),
        (1, True),
        (0, False),
        (0.0, False),
        (1, "1"),
        (1.0, "1.0"),
        (1_000_000, 1_000_002.0),
        (10**17, 10**17 + 1),
        (Decimal("1.000000001"), 1),
        (math.inf, -math.inf),
        (math.nan, 1.0),
        ("UA", "ua"),
        ("x", b"x"),
        (dt.date(2013, 1, 1), "2013-01-01"),
        (dt.date(2013, 1, 1), dt.datetime(2013, 1, 1, 1)),
        (dt.datetime(2013, 1, 1), dt.datetime(2013, 1, 1, tzinfo=UTC)),
        ([1.0], [1.0, 1.0]),
        ([1.0], 1.0),
        ({"a": 1.0}, {"b": 1.0}),
    ],
)
def test_values_that_differ(one, other):
    assert not same(one, other)
    assert not same(other, one)
    assert difference(table("x", (one,)), table("y", (other,))) is not None


def test_names_and_order_do_not_matter():
    found = table("s c n", (0.25, "B6", 7), (0.5, "UA", 10), (0.25, "AA", 7))
    assert difference(found, FLIGHTS) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (table("carrier flights share", ("UA", 10, 0.5)), "the result has 1 row instead of 3"),
        (Table(FLIGHTS.columns, ()), "the result has 0 rows instead of 3"),
        (
            table("carrier flights", ("UA", 10), ("AA", 7), ("B6", 7)),
            "the result has 2 columns ('carrier', 'flights') for 3 wanted",
        ),
        (
            table("carrier flights share", ("UA", 10, 0.5), ("AA", 7, 0.25), ("AA", 7, 0.25)),
            "no column holds the wanted 'carrier': 'carrier' does not have 'B6' as often",
        ),
        (
            table("code n share", ("UA", 10, 0.5), ("AA", 7, 0.25), ("B6", 8, 0.25)),
            "no column holds the wanted 'flights': 'n' does not have 7 as often",
        ),
        (
            table("carrier flights share", ("UA", 10, 0.5), ("AA", 7, 0.25), ("B6", None, 0.25)),
            "no column holds the wanted 'flights': 'flights' does not have 7 as often",
        ),
        (
            table("carrier flights share", ("UA", 7, 0.25), ("AA", 10, 0.5), ("B6", 7, 0.25)),
            "each column is there, but no row, or too few, with carrier = 'UA', flights = 10, share = 0.5",
        ),
        (
            table("carrier flights share", ("UA", 10, 0.25), ("AA", 7, 0.5), ("B6", 7, 0.25)),
            "each column is there, but no row, or too few, with carrier = 'UA', flights = 10, share = 0.5",
        ),
        (
            table("carrier flights share rank", ("UA", 10, 0.5, 1), ("AA", 7, 0.25, 2), ("B6", 7, 0.25, 3)),
            "there is a column too many: 'rank'",
        ),
        (
            table("a carrier flights share b", *((1, *row, 2) for row in FLIGHTS.rows)),
            "there are columns too many: 'a', 'b'",
        ),
    ],
)
def test_what_differs_is_said_in_a_sentence(found, said):
    assert difference(found, FLIGHTS) == said


def test_more_columns_can_be_allowed():
    found = table("carrier flights share rank", ("AA", 7, 0.25, 2), ("UA", 10, 0.5, 1), ("B6", 7, 0.25, 3))
    assert difference(found, FLIGHTS, extra_columns=True) is None


def test_the_order_counts_when_it_was_asked_for():
    found = Table(FLIGHTS.columns, (FLIGHTS.rows[0], FLIGHTS.rows[2], FLIGHTS.rows[1]))
    assert difference(found, FLIGHTS) is None
    assert difference(found, FLIGHTS, ordered=True) == (
        "the rows are in another order: row 2 should have carrier = 'AA', flights = 7, share = 0.25"
    )
    assert difference(FLIGHTS, FLIGHTS, ordered=True) is None


def test_a_row_counts_as_often_as_it_is_there():
    assert difference(table("x y", (1, 2), (1, 2), (3, 4)), table("x y", (1, 2), (3, 4), (3, 4))) is not None


def test_columns_with_the_same_values_are_told_apart_by_their_rows():
    wanted = table("from to", ("EWR", "JFK"), ("JFK", "LGA"), ("LGA", "EWR"))
    assert difference(table("a b", *((to, start) for start, to in wanted.rows)), wanted) is None
    assert difference(table("a b", ("EWR", "EWR"), ("JFK", "JFK"), ("LGA", "LGA")), wanted) is not None


def test_one_column_does_not_serve_for_two():
    wanted = table("x y", (1, 1), (2, 2))
    assert difference(table("x z", (1, 5), (2, 6)), wanted, extra_columns=True) == (
        "the columns do not hold what is wanted: 'x', 'z'"
    )


def test_the_sentence_is_short_and_cannot_act_on_a_terminal():
    wanted = Table(tuple(f"c{n}" for n in range(9)), (("\x1b[2J" + "x" * 500, *range(8)), ("y", *range(1, 9))))
    found = Table(wanted.columns, tuple((b[0], *a[1:]) for a, b in itertools.permutations(wanted.rows, 2)))
    said = difference(found, wanted)
    assert said is not None
    assert "\x1b" not in said
    assert len(said) < 200


def test_nearly_equal_rows_are_paired_as_well_as_can_be():
    """The first row found is near both that are wanted, the second near one of them alone."""
    near = 1 + 6e-7
    far = 1 + 1.2e-6
    wanted = table("x y", (1.0, 1.0), (near, 1.0))
    assert not same(1.0, far)
    assert difference(table("x y", (near, 1.0), (far, 1.0)), wanted) is None
    assert difference(table("x y", (far, 1.0), (near, 1.0)), wanted) is None
    assert difference(table("x y", (far, 1.0), (far, 1.0)), wanted) is not None


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([Decimal("1.0"), Decimal("2.5")]),
    st.sampled_from(["", "a", "1"]), st.sampled_from([0.0, 0.5, 1.0, 2.5, math.nan, math.inf]),
    st.dates(dt.date(2013, 1, 1), dt.date(2013, 1, 3)),
)  # fmt: skip


def tables(columns, rows, values=VALUES, least=0):
    return st.lists(st.tuples(*[values] * columns), min_size=least, max_size=rows).map(
        lambda made: Table(tuple(f"c{n}" for n in range(columns)), tuple(made))
    )


@given(wanted=st.integers(1, 4).flatmap(lambda columns: tables(columns, 8)), data=st.data())
def test_a_result_in_another_arrangement_is_the_same(wanted, data):
    columns = data.draw(st.permutations(range(len(wanted.columns))))
    rows = data.draw(st.permutations(wanted.rows))
    found = Table(tuple(f"other{n}" for n in columns), Table(wanted.columns, tuple(rows)).only(columns))
    assert difference(found, wanted) is None
    assert difference(wanted, found) is None


@given(wanted=st.integers(1, 4).flatmap(lambda columns: tables(columns, 8)), data=st.data())
def test_noise_within_the_tolerance_is_forgiven(wanted, data):
    noise = st.floats(-9e-7, 9e-7)
    rows = tuple(
        tuple(value * (1 + data.draw(noise)) if isinstance(value, float) else value for value in row)
        for row in data.draw(st.permutations(wanted.rows))
    )
    assert difference(Table(wanted.columns, rows), wanted) is None


@given(wanted=st.integers(1, 3).flatmap(lambda columns: tables(columns, 6, least=1)), data=st.data())
def test_one_other_value_is_a_difference(wanted, data):
    row = data.draw(st.integers(0, len(wanted.rows) - 1))
    column = data.draw(st.integers(0, len(wanted.columns) - 1))
    value = data.draw(VALUES)
    assume(not same(value, wanted.rows[row][column]))
    changed = list(map(list, wanted.rows))
    changed[row][column] = value
    found = Table(wanted.columns, tuple(map(tuple, changed)))
    said = difference(found, wanted)
    assert (said is None) == oracle(found, wanted)


# Close enough to each other that being nearly equal does not carry over.
CLOSE = st.sampled_from([1.0, 1 + 6e-7, 1 + 1.2e-6, 1, 0.0, None, math.nan])


@pytest.mark.parametrize("values", [VALUES, CLOSE, st.sampled_from([1, 2])], ids=["any", "close", "like"])
def test_the_answer_is_that_of_trying_everything(values):
    def pair(size):
        columns, rows = size
        return st.tuples(*[tables(columns, rows, values, least=rows)] * 2)

    @given(st.tuples(st.integers(1, 3), st.integers(0, 4)).flatmap(pair))
    def check(pair):
        found, wanted = pair
        assert (difference(found, wanted) is None) == oracle(found, wanted)

    check()


def oracle(found, wanted):
    """Whether there is an order of columns and rows in which every cell is the same."""
    for columns in itertools.permutations(range(len(found.columns))):
        for rows in itertools.permutations(found.only(columns)):
            if all(
                same(a, b)
                for row, other in zip(rows, wanted.rows, strict=True)
                for a, b in zip(row, other, strict=True)
            ):
                return True
    return False


@pytest.mark.slow
def test_large_results_take_no_longer_than_they_have_to():
    """Equal and nearly equal values in great numbers: nothing here may be quadratic, or the time limit ends it."""
    count = 60_000
    wanted = Table(("n", "x", "y"), tuple((n % 7, 0.1 * (n % 3), 0.5) for n in range(count)))
    found = Table(wanted.columns, tuple((n, x * (1 + 1e-9), y) for n, x, y in reversed(wanted.rows)))
    assert difference(found, wanted) is None
