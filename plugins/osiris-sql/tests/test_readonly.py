"""The parser's fence in both dialects: what is parsed is what a server runs, and only one plain query passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_sql.readonly import Refused, Rules, check_condition, read_only, without_comments

MYSQL = Rules(dialect="mysql", denied=frozenset({"sleep"}), allowed=frozenset({"now", "lower"}))
POSTGRES = Rules(dialect="postgres", denied=frozenset({"pg_sleep"}), qualified=True)


@pytest.mark.parametrize(
    ("dialect", "sql", "wanted"),
    [
        ("mysql", "select 1 -- x\n, 2", "select 1  \n, 2"),
        ("mysql", "select 1 # x", "select 1  "),
        ("mysql", "select 1 /* x\n -- y */ , 2", "select 1   , 2"),
        ("mysql", "select '-- x', \"# y\", `/* z */`", "select '-- x', \"# y\", `/* z */`"),
        ("mysql", "select 'a\\'-- b'", "select 'a\\'-- b'"),
        ("mysql", "select 'a''-- b'", "select 'a''-- b'"),
        ("mysql", "select 1 /* a /* b */", "select 1  "),
        ("mysql", "select 1 /* a /* b */ ; drop table t -- */", "select 1   ; drop table t  "),
        ("postgres", "select 1--x\n, 2", "select 1 \n, 2"),
        ("postgres", "select 1 /* a /* b */ c */ , 2", "select 1   , 2"),
        ("postgres", "select 'a\\' -- b", "select 'a\\'  "),
        ("postgres", "select E'a\\'-- b'", "select E'a\\'-- b'"),
        ("postgres", "select $$ -- x $$, $t$ /* $$ */ $t$", "select $$ -- x $$, $t$ /* $$ */ $t$"),
        ("postgres", 'select "a--b" from t', 'select "a--b" from t'),
        ("postgres", "select 1 # 2", "select 1 # 2"),
    ],
)
def test_comments_go_and_nothing_else(dialect, sql, wanted):
    assert without_comments(sql, dialect) == wanted


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("mysql", "select 1--1"),
        ("mysql", "select 1 /*! x */"),
        ("mysql", "select 1 /*M! x */"),
        ("mysql", "select /*+ x */ 1"),
        ("mysql", "select 'open"),
        ("mysql", 'select "open'),
        ("mysql", "select `open"),
        ("mysql", "select 1 /* open"),
        ("postgres", "select 1 /* a /* b */"),
        ("postgres", "select 'open"),
        ("postgres", 'select "open'),
    ],
)
def test_text_that_ends_within_something_is_refused(dialect, sql):
    with pytest.raises(Refused):
        without_comments(sql, dialect)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("mysql", "select 1\u00a0, 2"),
        ("postgres", "select 1\u00a0, 2"),
        ("postgres", "select 1 as \u2028$$ -- $$"),
        ("postgres", "select E'a'\n'\\' , ' -- '"),
        ("postgres", "select E'a' -- b\r'\\' , ' -- '"),
        ("postgres", "select E'a' /* b */\n/* c */ '\\' , ' -- '"),
    ],
)
def test_what_the_parser_reads_otherwise_than_the_server_is_refused(dialect, sql):
    with pytest.raises(Refused):
        without_comments(sql, dialect)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("select 1 as €$$ -- $$", "select 1 as €$$  "),
        ("select 1 as €E'\\' -- '", "select 1 as €E'\\'  "),
        ("select $€$ -- $€$", "select $€$ -- $€$"),
        ("select '\u00a0' as \"\u2028\", E'a' from t where a = 'b'", None),
    ],
)
def test_every_character_beyond_ascii_is_a_letter_to_the_server(sql, wanted):
    assert without_comments(sql, "postgres") == (wanted or sql)


@given(st.text(alphabet="ab '\"`\\-#/*!M$\n;()", max_size=40), st.sampled_from(["mysql", "postgres"]))
def test_a_text_without_comments_has_none(sql, dialect):
    try:
        once = without_comments(sql, dialect)
    except Refused:
        return
    assert without_comments(once, dialect) == once


@pytest.mark.parametrize("rules", [MYSQL, POSTGRES], ids=["mysql", "postgres"])
@pytest.mark.parametrize(
    "sql",
    [
        "delete from t",
        "select 1; select 2",
        "with x as (select 1) delete from t",
        "select * from t for update",
        "create table t as select 1",
        "set x = 1",
        "call p()",
        "explain select 1",
        "",
        ";",
        "select \x00",
        "select '\ud800'",
        "select " + "(" * 500 + "1" + ")" * 500,
        "select '" + "x" * 70_000 + "'",
    ],
)
def test_what_is_no_plain_query_is_refused(rules, sql):
    with pytest.raises(Refused) as caught:
        read_only(sql, rules)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "select pg_sleep(1)",
        "select PG_SLEEP (1)",
        'select "pg_sleep"(1)',
        "select pg_catalog.pg_sleep(1)",
        "select 1 into t2",
        "with x as (insert into t values (1) returning 1) select * from x",
        "with x as (update t set a = 1 returning 1) select * from x",
        "select * from t for share",
        "copy t to stdout",
        "do $$ begin end $$",
    ],
)
def test_postgres_refuses_too(sql):
    with pytest.raises(Refused):
        read_only(sql, POSTGRES)


@pytest.mark.parametrize("sql", ["select a from (select 1", "select 1 +", "select convert(a nope)", "select * from <"])
def test_a_refusal_shows_nothing_of_the_parsers_own(sql):
    with pytest.raises(Refused) as caught:
        read_only(sql, MYSQL)
    assert "Line 1, Col: " in str(caught.value)
    assert "Token" not in str(caught.value)
    assert "class" not in str(caught.value)


def test_a_query_says_what_it_calls():
    query = read_only('SELECT Lower(a), pg_catalog.upper(b), "F"(1) FROM t WHERE a IN (1) -- x\n;', POSTGRES)
    assert {"lower", "pg_catalog.upper", "f"} <= query.calls
    assert query.sql == 'SELECT Lower(a), pg_catalog.upper(b), "F"(1) FROM t WHERE a IN (1)'


def test_functions_are_those_listed_or_named():
    assert read_only("select now(), lower(a) from t", MYSQL).sql
    for sql in (
        "select f(1)",
        "select s.f(1)",
        "select s.now()",
        "select upper(a)",
        "select `upper`(a)",
        "select `in`(a)",
    ):
        with pytest.raises(Refused):
            read_only(sql, MYSQL)
    assert read_only("select F(1)", MYSQL, also=["f"]).sql
    assert read_only("select s.f(1)", MYSQL, also=["s.f"]).sql


@pytest.mark.parametrize(
    "sql",
    [
        "with f(a) as (select 1) select a from f where a in (1) and not(a) and a between (1) and (2)",
        "select * from t where match(a) against ('x') or a like ('x')",
        "select distinct(a) from (select 1) f (a) join (select 1) g using (a)",
        "select a from t where a >= some (select 1 union (select 2)) group by (a) order by (a) limit 1",
    ],
)
def test_what_stands_before_a_parenthesis_is_not_always_called(sql):
    assert read_only(sql, MYSQL).sql == sql


@pytest.mark.parametrize("sql", ["a = 1", "(a = 1) or (b = ')')", "a in (select 1) -- x", "a = '('"])
def test_conditions(sql):
    check_condition(sql, "mysql")


@pytest.mark.parametrize("sql", ["a = 1) or (b = 2", "(a = 1", "a = 1)", "a = 1; b", "", "-- x", ")("])
def test_what_is_no_condition(sql):
    with pytest.raises(Refused):
        check_condition(sql, "mysql")


TOLD = [
    ("select t.a, `d b` . `t``x`.c from d.t", {("t", "a"), ("d b", "t`x", "c"), ("d", "t")}, set()),
    ("select d.f(1), a from t", set(), set()),
    ("select t.* from t", {("t", "*")}, set()),
    ("select 'd.t', 1.5 -- d.t @@x\n", set(), set()),
    ("select a from t where b in (table d.t)", {("d", "t")}, set()),
    ("select @@SQL_mode, @@session.Time_zone, (@@`datadir`), 1 as d", set(), {"sql_mode", "time_zone", "datadir"}),
]


@pytest.mark.parametrize(("sql", "dotted", "variables"), TOLD)
def test_the_names_that_a_query_writes_out(sql, dotted, variables):
    query = read_only(sql, Rules(dialect="mysql", denied=frozenset(), qualified=True))
    assert query.variables == variables
    # A variable's scope qualifies it like a table.
    assert {names for names in query.dotted if names[0] != "session"} == dotted
