"""What the model is told of values, by privacy and by what a column holds."""

from __future__ import annotations

import pytest

from osiris_core.chat.catalog import Sources
from osiris_core.chat.describing import tables_text
from tests.chat.shop import profiled, source


def told(kind, *values, distinct=1000, privacy="standard"):
    profile = profiled("x", *values, distinct=distinct)
    return tables_text(Sources(described=(source("t", "x", profile=profile, types={"x": kind}),)), privacy)


@pytest.mark.parametrize(
    "kind",
    [
        "INTEGER", "UBIGINT", "HUGEINT", "int unsigned", "mediumint", "int4", "DECIMAL(10,2)", "numeric", "DOUBLE",
        "double precision", "real", "year", "date", "datetime(6)", "TIMESTAMP", "TIMESTAMP_NS", "timestamptz",
        "timestamp without time zone", "time",
    ],
)  # fmt: skip
def test_of_numbers_and_dates_the_ends_are_told(kind):
    assert 'from "10" to "20"' in told(kind, "10", "20")
    assert "20" not in told(kind, "10", "20", privacy="strict").replace("1,000", "")


@pytest.mark.parametrize("kind", ["VARCHAR", "varchar(80)", "text", "enum('a','b')", "json", "uuid", "interval_name"])
def test_of_texts_with_many_values_none_is_told(kind):
    text = told(kind, "ann@example.org", "zoe@example.org")
    assert "example.org" not in text
    assert "1,000 distinct" in text


def test_of_texts_with_few_values_they_are_told():
    assert "ann@example.org" in told("VARCHAR", "ann@example.org", distinct=1)
