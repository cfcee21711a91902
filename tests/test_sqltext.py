"""Placeholders and quoted identifiers in SQL text."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_core.sqltext import placeholders, quote_identifier, rewrite, tokens


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT :a, $b, :a", ("a", "b")),
        ("SELECT x::int, ::y", ()),
        ("SELECT a[1:n], a[i:j], {'k':v}, {\"k\":v}, f(x):=1, a := b", ()),
        ("SELECT a[:n]", ("n",)),
        ("SELECT ':a', \":b\", 'it''s :c' -- :d\n, :e", ("e",)),
        ("SELECT E'\\':a', e'\\\\', :b", ("b",)),
        ("SELECT $$:a$$, $t$ :b $t$, $t$ $u$ :c $t$, $d", ("d",)),
        ("SELECT /* :a /* :b */ :c */ :d", ("d",)),
        ("SELECT /* :a", ()),
        ("SELECT ':a", ()),
        ("SELECT col$x, $1, :1, ?", ()),
        ("x=:a AND(:b)AND y<:c", ("a", "b", "c")),
        ("SELECT :é", ()),
    ],
)
def test_standard(sql, names):
    assert placeholders(sql) == names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT \":a\", `:b`, '\\':c', :d # :e\n, :f -- :g\n, :h", ("d", "f", "h")),
        ("SELECT 1--:a", ("a",)),
        ("SELECT /* /* :a */ :b", ("b",)),
        ("SELECT @x := :a", ("a",)),
    ],
)
def test_mysql(sql, names):
    assert placeholders(sql, dialect="mysql") == names


def test_rewriting_leaves_everything_else_alone():
    sql = "SELECT :a::int, ':b', \":c\" -- :d\nFROM t WHERE x = $e"
    assert rewrite(sql, lambda name: f"%({name})s") == "SELECT %(a)s::int, ':b', \":c\" -- :d\nFROM t WHERE x = %(e)s"


def test_identifiers():
    found = [
        (token.text, token.start, token.end) for token in tokens('SELECT "a""b", "c"') if token.kind == "identifier"
    ]
    assert found == [('a""b', 7, 13), ("c", 15, 18)]
    assert quote_identifier('a"b') == '"a""b"'
    assert quote_identifier("a`b", dialect="mysql") == "`a``b`"


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        yield connection


pieces = st.sampled_from(
    [
        "'",
        '"',
        "$$",
        "$t$",
        "$",
        ":",
        "::",
        "a",
        "b1",
        " ",
        "\n",
        "--",
        "/*",
        "*/",
        "E'",
        "\\",
        "[",
        "]",
        "{",
        "}",
        "1",
        ",",
    ]
)


@settings(max_examples=200)
@given(st.lists(pieces, max_size=25).map("".join))
def test_any_text_is_read_in_order_and_rewriting_by_itself_changes_nothing(sql):
    for dialect in ("duckdb", "mysql"):
        found = list(tokens(sql, dialect=dialect))
        assert [token.start for token in found] == sorted(token.start for token in found)
        for token in found:
            assert token.text in sql[token.start : token.end]
        assert rewrite(sql, lambda name: f"${name}", dialect=dialect) == "".join(
            _with_dollar(sql, [token for token in found if token.kind == "named"])
        )


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(["'x:a'", '"y$b"', "$$ :c $$", "$q$ $d $q$", "/* :e */", "-- :f\n", "$g", " , ", "+", "1"]),
        max_size=8,
    )
)
def test_duckdb_agrees(engine, parts):
    sql = "SELECT 0, " + " ".join(parts)
    try:
        statements = engine.extract_statements(sql)
    except duckdb.Error:
        return
    assert set(placeholders(sql)) == set().union(*(statement.named_parameters for statement in statements))


def _with_dollar(sql, named):
    done = 0
    for token in named:
        yield sql[done : token.start]
        yield f"${token.text}"
        done = token.end
    yield sql[done:]
