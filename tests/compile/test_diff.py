"""The typed plan of changes."""

from __future__ import annotations

import textwrap

import pytest

from osiris_core.compile.compiler import compile_document
from osiris_core.compile.diff import compare
from osiris_core.compile.sql_equality import same_sql
from osiris_core.model import yaml
from osiris_core.project.connections import Connections

from ..oml.conftest import HEAD  # noqa: TID252


def plan(shop, before, after):
    return [(change.kind.value, change.step, change.text) for change in compare(before, after, registry=shop.registry)]


def test_nothing(shop):
    assert plan(shop, shop.compile(), shop.compile()) == []


def test_formatting_of_sql_is_no_change_although_the_hash_is_another(shop):
    before = shop.compile()
    after = shop.edit(
        "        SELECT id, amount FROM orders WHERE amount >= :least\n",
        "        -- the big ones\n        select id,\n               amount\n        from orders\n        where amount>=:least\n",
    ).compile()
    assert before.hash != after.hash
    assert plan(shop, before, after) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("amount >= :least", "amount > :least", [("sql", "read", "query: SQL changed")]),
        (
            "mode: append",
            "mode: replace",
            [
                ("config", "store", "mode: append → replace"),
                ("effect", "store", "table main.big_orders of @duckdb.main: append → replace"),
            ],
        ),
        (
            "mode: append",
            "mode: upsert, primary_key: [id]",
            [
                ("config", "store", "mode: append → upsert"),
                ("config", "store", "primary_key: null → [id]"),
                (
                    "effect",
                    "store",
                    "table main.big_orders of @duckdb.main: append → upsert, primary_key (none) → [id]",
                ),
            ],
        ),
        (
            '"${params.table}_orders"',
            "customers",
            [
                ("param", None, "param table: big → (none)"),
                ("config", "store", "table: big_orders → customers"),
                ("effect", "store", "table main.customers of @duckdb.main: written now, append"),
                ("effect", "store", "table main.big_orders of @duckdb.main: no longer written; what it holds stays"),
            ],
        ),
        (
            "connection_overrides: {lock_timeout: 5}",
            'connection: "@duckdb.prod"',
            [
                ("connection", "store", "connection alias: main → prod"),
                ("connection", "store", "connection identity.path: ${DB} → prod.duckdb"),
                ("connection", "store", "connection overrides.lock_timeout: 5 → (none)"),
                ("effect", "store", "table main.big_orders of @duckdb.prod: written now, append"),
                ("effect", "store", "table main.big_orders of @duckdb.main: no longer written; what it holds stays"),
            ],
        ),
        (
            "default: 0.5",
            "default: 0.6",
            [
                ("param", None, "param least: 0.5 → 0.6"),
                ("config", "read", "query_params.least: 0.5 → 0.6"),
            ],
        ),
        (
            "description: Big orders.",
            "description: Orders.",
            [("pipeline", None, "description: Big orders. → Orders.")],
        ),
        (
            "id: rank",
            "id: ranked",
            [
                ("step_added", "ranked", "+ transform of read by duckdb.processor"),
                ("needs", "store", "needs: [rank] → [ranked]"),
                ("step_removed", "rank", "- transform of read by duckdb.processor"),
            ],
        ),
        ("name: orders", "name: sales", [("pipeline", None, "name: orders → sales")]),
    ],
)
def test_changes(shop, old, new, expected):
    before = shop.compile()
    assert plan(shop, before, shop.edit(old, new).compile()) == expected


def test_a_renamed_step_that_writes_the_same_has_no_effect_on_the_destination(shop):
    before = shop.compile()
    kinds = [kind for kind, _, _ in plan(shop, before, shop.edit("id: store", "id: keep").compile())]
    assert kinds == ["step_added", "step_removed"]


def test_plugins_and_compiler(shop, rehashed):
    import attrs

    before = shop.compile()
    pins = (attrs.evolve(before.pins[0], distribution_version="0.0.9"), *before.pins[1:])
    old = rehashed(before, pins=pins, compiler="osiris-core 0.0.9")
    assert plan(shop, old, before) == [
        ("plugin", None, "component duckdb.extractor: distribution version 0.0.9 → 0.1.0"),
        ("plugin", None, "compiler: osiris-core 0.0.9 → osiris-core 0.1.0"),
    ]


def test_a_component_that_is_not_installed_is_compared_as_text(shop, rehashed):
    import attrs

    before = shop.compile()
    step = attrs.evolve(before.steps[1], component="gone.processor")
    pin = attrs.evolve(before.pins[1], name="gone.processor")
    gone = rehashed(before, steps=(before.steps[0], step, before.steps[2]), pins=(*before.pins, pin))
    assert ("component", "rank", "component: duckdb.processor → gone.processor") in plan(shop, before, gone)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("SELECT a FROM t", "select  a\nfrom t;", True),
        ("SELECT a FROM t", "/* head */ -- x\nSELECT a FROM t", True),
        ("SELECT count(*) FROM t", "SELECT COUNT( * ) FROM t", True),
        ("SELECT :n AS a, :m FROM t", "select :n as a,\n  :m from t -- x", True),
        ("SELECT :n AS a, :m FROM t", "SELECT :m AS a, :n FROM t", False),
        ("FROM t", "SELECT * FROM t", True),
        ("SELECT a FROM t", "SELECT A FROM t", False),
        ("SELECT 'a'", "SELECT 'A'", False),
        ("SELECT a FROM t WHERE x = :p", "SELECT a FROM t WHERE x = :q", False),
        ("SELECT a, b FROM t", "SELECT b, a FROM t", False),
        ("SELECT a FROM t", "SELECT a FROM t LIMIT 1", False),
        ("not sql at all", "not sql  at all", False),
        ("SELECT 'unfinished", "SELECT  'unfinished", False),
        ("INSTALL httpfs", "install httpfs", False),
        ("SELECT /*! 1 */ a", "SELECT /*! 2 */ a", False),
        ("SELECT /*+ x */ a", "SELECT a", False),
        ("", " ", False),
        ("SELECT 1" + " + 1" * 3000, "SELECT  1" + " + 1" * 3000, None),
    ],
)
def test_sql_in_other_clothes(before, after, same, capfd):
    result = same_sql(before, after, dialect="duckdb")
    assert result == same or same is None
    assert capfd.readouterr() == ("", "")


def test_an_unknown_dialect_compares_text():
    assert not same_sql("SELECT 1", "SELECT  1", dialect="nonesuch")
    assert same_sql("SELECT 1", "SELECT 1", dialect="nonesuch")


def test_files_and_writers_without_modes(sample):
    def manifest(path, mode):
        text = f"""\
            steps:
              - {{id: r, component: sample.plain, mode: read}}
              - {{id: w, component: sample.file, mode: write, needs: [r], config: {{path: {path}}}}}
              - {{id: t, component: sample.store, mode: write, needs: [r], config: {{table: t, mode: {mode}}}}}
        """
        document = yaml.load(HEAD + textwrap.dedent(text), file="p.yaml")
        return compile_document(document, registry=sample.registry, connections=Connections(())).manifest

    changes = compare(manifest("a.csv", "append"), manifest("b.csv", "replace"), registry=sample.registry)
    assert [change.text for change in changes if change.kind == "effect"] == [
        "file b.csv: written now",
        "table t: append → replace",
        "file a.csv: no longer written; what it holds stays",
    ]
