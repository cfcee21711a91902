"""Parameters in SQL: bound, never pasted; quoted identifiers excepted; what is bound is there."""

from __future__ import annotations

import pytest

TOP = "params: {t: {default: 'or\"ders`x'}, n: {default: 7}}\n"


def query(text, params="{}", component="sample.plain"):
    return f"steps:\n  - id: it\n    component: {component}\n    mode: extract\n    config:\n      query: |\n        {text}\n      query_params: {params}\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t WHERE a = ${params.n}",
        "SELECT * FROM t WHERE a = '${params.t}'",
        "SELECT '\"${params.t}\"' FROM t",
        'SELECT * FROM t -- "${params.t}"',
        'SELECT * FROM "x_${params.t}"',
        'SELECT $$"${params.t}"$$',
        'SELECT /* "${params.t}" */ 1',
    ],
)
def test_pasting_is_refused_with_advice(bench, sql):
    validation = bench.check(TOP + query(sql))
    refused = [item for item in validation.diagnostics if item.code == "OSR-OML-034"]
    assert len(refused) == 1
    assert "query_params" in refused[0].hint


def test_a_quoted_identifier_is_filled_in_and_quoted_again(bench):
    sql = 'SELECT "${params.t}".a FROM "${params.t}" WHERE a = :n'
    validation = bench.check(TOP + query(sql, "{n: '${params.n}'}"))
    assert validation.ok
    assert validation.steps[0].config["query"] == 'SELECT "or""ders`x".a FROM "or""ders`x" WHERE a = :n\n'
    assert validation.steps[0].config["query_params"] == {"n": 7}


def test_the_quotes_of_the_dialect_count(bench):
    both = 'SELECT `${params.t}`, "${params.n}"'
    mysql = bench.check(TOP + query(both, component="sample.backtick"))
    assert [item.code for item in mysql.diagnostics] == ["OSR-OML-034"]
    good = bench.check(TOP + query("SELECT `${params.t}`, 1 = :n", "{n: '${params.n}'}", component="sample.backtick"))
    assert good.ok
    assert good.steps[0].config["query"] == 'SELECT `or"ders``x`, 1 = :n\n'


def test_an_identifier_must_be_text(bench, found):
    validation = bench.check("params: {n: {default: 7}}\n" + query('SELECT * FROM "${params.n}"'))
    assert found(validation) == ["OSR-OML-034 10:24 parameter 'n' names a column or table here, so it must be text"]


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT :a, $b", "{a: 1, b: 2}", []),
        ("SELECT :a", "{}", ["OSR-OML-037 9:16 ':a' in query has no value in query_params"]),
        ("SELECT 1", "{a: 1}", ["OSR-OML-038 10:22 query_params has 'a', which the SQL does not use"]),
        ("SELECT a::int, ':x', \":y\", b[1:n], {'k':v} -- :z", "{}", []),
        ("SELECT $$ :a $$, $q$ :b $q$, E'\\' :c'", "{}", []),
        ("SELECT :a::int, (:b), [:c], x=:d", "{a: 1, b: 1, c: 1, d: 1}", []),
        ("SELECT :a /* /* :x */ :y */ + :b", "{a: 1, b: 2}", []),
        ("SELECT f(x := :a)", "{a: 1}", []),
        (
            "SELECT :limt",
            "{limit: 1}",
            [
                "OSR-OML-037 9:16 ':limt' in query has no value in query_params",
                "OSR-OML-038 10:22 query_params has 'limit', which the SQL does not use",
            ],
        ),
    ],
)
def test_placeholders_and_values_agree(bench, found, sql, params, expected):
    assert found(bench.check(query(sql, params))) == expected


def test_without_query_params_nothing_is_bound(bench, found):
    validation = bench.step("{statement: 'SELECT :a'}", component="sample.raw", mode="transform, needs: []")
    assert found(validation) == []
    pasted = bench.step(
        "{statement: 'SELECT ${params.n}'}",
        component="sample.raw",
        mode="transform, needs: []",
        top="params: {n: {default: 7}}\n",
    )
    assert "compute them in a step that does" in pasted.diagnostics[0].hint


def test_the_environment_is_refused_in_sql(bench, found):
    assert found(bench.check(query("SELECT '${HOME}'"))) == [
        "OSR-OML-036 9:17 '${HOME}' cannot stand here: a pipeline does not read the environment"
    ]
    assert bench.check(query("SELECT $${HOME}$$")).ok


class TestPlaces:
    """A finding about a part of a text points at that part."""

    TEXT = """\
steps:
  - id: it
    component: sample.plain
    mode: extract
    config:
      query: |
        SELECT a
        FROM t
          WHERE b = :missing AND c = $other
            AND d = '${HOME}' AND ':missing' = e
      options:
        one: "in double \\u0024{quotes} ${nope} and ${params.no}"
        two: plain ${
"""

    def test_each_points_at_its_own_place(self, bench, found):
        validation = bench.check(self.TEXT)
        assert [" ".join(line.split()[:2]) for line in found(validation)] == [
            "OSR-OML-037 11:21",
            "OSR-OML-037 11:38",
            "OSR-OML-036 12:22",
            "OSR-OML-036 14:14",
            "OSR-OML-036 14:40",
            "OSR-OML-031 14:52",
            "OSR-OML-035 15:20",
        ]
        lines = ("x\nx\n" + self.TEXT).splitlines()
        for item in validation.diagnostics:
            assert item.position.source_line == lines[item.position.line - 1]


def test_a_finding_of_a_component_without_a_hint_takes_the_remedy_of_the_component(bench):
    (found,) = bench.check(
        "steps:\n"
        "  - {id: read, component: sample.plain, mode: extract, config: {table: t}}\n"
        '  - {id: t, component: duckdb.processor, mode: transform, config: {query: "DROP TABLE x"}}\n'
    ).diagnostics
    remedies = {entry.code: entry.remedy for entry in bench.registry.component("duckdb.processor").errors}
    assert found.code == "OSR-DUCKDB-002"
    assert found.hint == remedies["OSR-DUCKDB-002"]
