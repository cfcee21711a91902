"""The suite over the flights: its answers are there, and are the only ones."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import duckdb
import pytest

import osiris_core.chat
from osiris_core.chat.evaluation.compare import Table, difference
from osiris_core.chat.evaluation.suite import read_suite, table_files
from osiris_core.plugins.registry import load_registry

pytestmark = pytest.mark.matrix  # which rows an answer has is for DuckDB to say

SUITE = Path(__file__).parents[3] / "evals" / "flights.yaml"
PROMPTS = Path(osiris_core.chat.__file__).parent / "prompts"

suite = read_suite(SUITE)
GOLDS = [
    pytest.param(gold, id=f"{intent.id}-{number}")
    for intent in suite.intents
    for number, gold in enumerate(intent.gold, 1)
]


def load(order):
    """The tables with their rows in some order."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, path in table_files(suite, SUITE).items():
        connection.execute(f"CREATE TABLE {name} AS FROM read_parquet(?) ORDER BY {order}", [str(path)])
    return connection


@pytest.fixture(scope="module")
def databases():
    """The same tables three times, with their rows in orders that have nothing to do with each other."""
    opened = [load("file_row_number"), load("file_row_number DESC"), load("hash(file_row_number)")]
    yield opened
    for connection in opened:
        connection.close()


def answer(connection, sql):
    result = connection.execute(sql)
    return Table(tuple(column[0] for column in result.description), tuple(result.fetchall()))


@pytest.mark.parametrize("gold", GOLDS)
def test_an_answer_has_rows_and_does_not_hang_on_the_order_of_the_data(gold, databases):
    first, *others = [answer(connection, gold.sql) for connection in databases]
    assert first.rows
    for other in others:
        assert difference(other, first, ordered=gold.ordered) is None


@pytest.mark.parametrize("gold", GOLDS)
def test_an_answer_without_an_order_is_found_in_any_and_one_with_an_order_in_no_other(gold, databases):
    wanted = answer(databases[0], gold.sql)
    rows = list(wanted.rows)
    random.Random(1).shuffle(rows)
    shuffled = Table(wanted.columns, tuple(rows))
    assert difference(shuffled, wanted) is None
    if gold.ordered:
        assert len(rows) > 1
        assert difference(Table(wanted.columns, wanted.rows[::-1]), wanted, ordered=True) is not None


def test_readings_of_one_wish_are_named_and_differ(databases):
    for intent in suite.intents:
        if len(intent.gold) > 1:
            assert [gold for gold in intent.gold[1:] if gold.reading is None] == [], intent.id
        for one, other in itertools.combinations(intent.gold, 2):
            rows = answer(databases[0], one.sql), answer(databases[0], other.sql)
            assert difference(*rows, ordered=one.ordered) is not None, (one, other)


def test_there_are_wishes_of_every_kind():
    assert len(suite.intents) >= 40
    tags = [tag for intent in suite.intents for tag in intent.tags]
    for tag in (
        "filter", "join", "aggregate", "window", "top-n", "dates", "nulls", "upsert", "append", "replace", "csv",
        "parquet", "duckdb", "ambiguous", "impossible", "hostile", "wording",
    ):  # fmt: skip
        assert tags.count(tag) >= 1, tag
    for intent in suite.intents:
        if "impossible" in intent.tags:
            assert intent.expect == "refused"
        component = intent.destination.component if intent.destination else None
        for kind, writer in (("csv", "filesystem.csv_writer"), ("parquet", "filesystem.parquet_writer")):
            if component is not None:
                assert (kind in intent.tags) == (component == writer), intent.id


def test_no_wish_is_there_twice():
    said = [plain(intent.utterance) for intent in suite.intents]
    assert sorted(set(said)) == sorted(said)


def test_the_components_that_are_to_write_exist():
    registry = load_registry()
    wanted = {intent.destination.component for intent in suite.intents if intent.destination} - {None}
    assert wanted <= {component.name for component in registry.components()}


def test_what_was_there_before_is_of_the_kind_of_the_answer_and_is_changed(databases):
    found = [intent for intent in suite.intents if intent.destination and intent.destination.before]
    assert found
    for intent in found:
        before = answer(databases[0], intent.destination.before)
        (wanted,) = (answer(databases[0], gold.sql) for gold in intent.gold)
        assert before.columns == wanted.columns, intent.id
        assert set(intent.destination.key) <= set(before.columns)
        kept = set(before.rows) & set(wanted.rows)
        if intent.destination.mode == "append":
            assert kept == set(before.rows)
        elif intent.destination.mode == "replace":
            assert not kept
        else:  # an upsert keeps the rows of other keys and changes that of its own
            assert kept
            assert set(before.rows) - kept


def plain(text):
    return re.sub(r"\s+", " ", text).strip().casefold()


def test_no_wish_of_the_suite_stands_in_a_prompt():
    """Whoever shows a model the questions beforehand measures its memory."""
    texts = {path: plain(path.read_text(encoding="utf-8")) for path in PROMPTS.rglob("*") if path.is_file()}
    assert texts
    assert [(p.name, i.id) for p, text in texts.items() for i in suite.intents if plain(i.utterance) in text] == []
