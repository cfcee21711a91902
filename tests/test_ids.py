from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.ids import (
    COMPONENT_NAME,
    CONNECTION_REF,
    MAX_NAME,
    SESSION_ID,
    input_name,
    is_name,
    new_session_id,
)

words = st.text(alphabet="abcxyz0189", min_size=1, max_size=8)
names = st.builds(
    lambda first, rest: first + "".join(sep + word for sep, word in rest),
    st.text(alphabet="abcxyz", min_size=1, max_size=8),
    st.lists(st.tuples(st.sampled_from("-_"), words), max_size=4),
)


@given(names)
def test_words_with_single_separators_are_names(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "text",
    ["", "1a", "A", "a-", "-a", "_a", "a--b", "a-_b", "a b", "a.b", "a/b", "..", "é", "a\n", "a\x00", "a" * 64],
)
def test_these_are_no_names(text):
    assert not is_name(text)


def test_a_name_has_at_most_63_characters():
    assert is_name("a" * MAX_NAME)
    assert not is_name("a" * (MAX_NAME + 1))


def test_a_long_text_that_is_nearly_a_name_is_refused_at_once():
    assert not is_name("a_" * 500_000)


@given(st.text(max_size=30))
def test_a_name_is_safe_as_file_name_and_gives_an_sql_identifier(text):
    if is_name(text):
        assert re.fullmatch(r"[a-z0-9_-]+", text)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", input_name(text))


def test_input_names_replace_dashes():
    assert input_name("read-raw-flights_2024") == "read_raw_flights_2024"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("@mysql.main", ("mysql", "main")),
        ("@duck_db.my-alias_2", ("duck_db", "my-alias_2")),
        ("mysql.main", None),
        ("@mysql", None),
        ("@mysql.", None),
        ("@.main", None),
        ("@MySQL.main", None),
        ("@mysql.main.extra", None),
        ("@mysql.main\n", None),
        (" @mysql.main", None),
    ],
)
def test_connection_references(text, parts):
    match = CONNECTION_REF.match(text)
    assert (match and (match["family"], match["alias"])) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("filesystem.csv_extractor", ("filesystem", "csv_extractor")),
        ("my_plugin2.x", ("my_plugin2", "x")),
        ("filesystem", None),
        ("filesystem.csv.writer", None),
        ("file-system.csv", None),
        ("_a.b", None),
        ("a__b.c", None),
        ("a.1b", None),
        ("a.b\n", None),
    ],
)
def test_component_names(text, parts):
    match = COMPONENT_NAME.match(text)
    assert (match and (match["plugin"], match["role"])) == parts


moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))


@given(moments)
def test_session_ids_say_kind_and_time(moment):
    made = new_session_id("run", moment)
    match = SESSION_ID.fullmatch(made)
    assert match
    assert match["kind"] == "run"
    assert datetime.strptime(match["time"], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC) == moment


@given(moments, moments)
def test_session_ids_of_a_kind_sort_by_time(one, other):
    if one != other:
        assert (new_session_id("run", one) < new_session_id("run", other)) == (one < other)


def test_session_ids_are_in_utc_and_differ():
    east = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert new_session_id("chat", east).startswith("chat_20251231T233000000000Z_")
    assert len({new_session_id("run", east) for _ in range(1000)}) == 1000


def test_the_clock_is_read_when_no_time_is_given():
    before = datetime.now(UTC)
    match = SESSION_ID.fullmatch(new_session_id("run"))
    after = datetime.now(UTC)
    assert match
    assert before <= datetime.strptime(match["time"], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC) <= after
