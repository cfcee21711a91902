"""Connections of steps: named, default, by profile, overridden."""

from __future__ import annotations

import pytest

TWO = (
    "connections: {sample: {shop: {host: a, default: true}, lake: {host: '${LAKE}', port: 1}}, duckdb: {d: {path: x}}}"
)


def reader(config="{table: t}", top="", **_):
    return f"{top}steps:\n  - {{id: r, component: sample.reader, mode: extract, config: {config}}}\n"


def ref(validation):
    assert validation.ok, validation.diagnostics
    return validation.steps[0].connection.ref


def test_named_and_default(bench):
    bench.connect(TWO)
    assert ref(bench.check(reader())) == "@sample.shop"
    assert ref(bench.check(reader("{connection: '@sample.lake'}"))) == "@sample.lake"
    assert (
        ref(bench.check(reader("{connection: '${params.c}'}", "params: {c: {default: '@sample.lake'}}\n")))
        == "@sample.lake"
    )


def test_the_alias_named_default(bench):
    bench.connect("connections: {sample: {other: {host: a}, default: {host: b}}}")
    assert ref(bench.check(reader())) == "@sample.default"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            "{connection: '@sample.shp'}",
            "OSR-OML-053 4:75 there is no connection @sample.shp; osiris_connections.yaml has @sample.shop, @sample.lake",
        ),
        ("{connection: shop}", "OSR-OML-050 4:75 'shop' is not a reference to a connection"),
        ("{connection: [a]}", "OSR-OML-050 4:75 this is not a reference to a connection"),
        (
            "{connection: '@duckdb.d'}",
            "OSR-OML-051 4:75 sample.reader needs a connection of the family 'sample', not 'duckdb'",
        ),
        ("{connection_overrides: {hst: x}}", "OSR-CFG-002 4:91 unknown key 'hst'"),
        (
            "{connection_overrides: {host: x}}",
            "OSR-CON-011 4:92 'host' of @sample.shop may not be overridden by a step",
        ),
        ("{connection_overrides: {port: '1'}}", "OSR-CFG-001 4:92 'port' must be a whole number, not \"1\""),
        (
            "{connection_overrides: {port: '${PORT}'}}",
            "OSR-CON-011 4:92 the override of 'port' holds a reference, which only osiris_connections.yaml may",
        ),
        ("{connection_overrides: [a]}", "OSR-OML-054 4:85 connection_overrides must be a mapping"),
    ],
)
def test_what_cannot_be(bench, found, config, expected):
    bench.connect(TWO)
    assert found(bench.check(reader(config))) == [expected]


def test_no_default_lists_what_there_is(bench, found):
    bench.connect("connections: {sample: {a: {host: a}, b: {host: b}}}")
    assert found(bench.check(reader())) == [
        "OSR-OML-053 4:62 no connection of family 'sample' is the default; osiris_connections.yaml has @sample.a, @sample.b"
    ]


def test_an_override_takes_effect_and_may_be_warned_of(bench, found):
    bench.connect(TWO)
    validation = bench.check(reader("{connection_overrides: {port: 9, database: d}}"))
    assert found(validation) == ["OSR-CON-012 4:105 a step overrides 'database' of @sample.shop"]
    choice = validation.steps[0].connection
    assert choice.entry.identity(choice.overrides) == {"host": "a", "port": 9, "database": "d"}


def test_a_component_without_connection_takes_none(bench, found):
    validation = bench.step("{connection: '@sample.a', connection_overrides: {}}")
    assert [line.split()[0] for line in found(validation)] == ["OSR-OML-052", "OSR-OML-052"]


def test_an_optional_connection(bench):
    text = "steps:\n  - {id: r, component: sample.plain, mode: read}\n  - {id: w, component: sample.store, mode: write, config: {table: t}}\n"
    bench.connect("connections: {sample: {a: {host: a}}}")
    assert bench.check(text).steps[1].connection is None
    bench.connect(TWO)
    assert bench.check(text).steps[1].connection.ref == "@sample.shop"


def test_a_faulty_connection_is_reported_once_at_its_own_place(bench, found):
    bench.connect("connections:\n  sample:\n    a:\n      hots: x\n      default: true\n")
    text = reader() + "  - {id: r2, component: sample.reader, mode: extract}\n"
    validation = bench.check(text)
    assert {item.position.file for item in validation.diagnostics} == {"osiris_connections.yaml"}
    assert [line.split()[0] for line in found(validation)] == ["OSR-CFG-002", "OSR-CFG-003"]


PROFILE = "profiles:\n  p: {connections: {sample: lake, '@sample.shop': '@sample.lake'}}\n"


def test_a_profile_replaces_by_family_and_by_reference(bench, found):
    bench.connect(TWO)
    assert ref(bench.check(reader(top=PROFILE))) == "@sample.shop"
    by_family = bench.check(reader(top=PROFILE), profile="p")
    assert ref(by_family) == "@sample.lake"
    assert found(by_family) == ["OSR-OML-042 4:35 no step names '@sample.shop', so this changes nothing"]
    by_reference = bench.check(reader("{connection: '@sample.shop'}", PROFILE), profile="p")
    assert ref(by_reference) == "@sample.lake"
    assert found(by_reference) == [
        "OSR-OML-042 4:21 no step of the family 'sample' leaves its connection to the default, so this changes nothing"
    ]


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ("{sample: nope}", "OSR-OML-053"),
        ("{sample: '@duckdb.d'}", "OSR-OML-041"),
        ("{'@sample.shop': 'Not An Alias'}", "OSR-OML-041"),
        ("{'Not A Family': shop}", "OSR-OML-041"),
    ],
)
def test_a_profile_that_cannot_be(bench, found, mapping, expected):
    bench.connect(TWO)
    validation = bench.check(reader(top=f"profiles: {{p: {{connections: {mapping}}}}}\n"))
    assert [line.split()[0] for line in found(validation)] == [expected]


def test_outside_a_project_references_are_checked_for_their_form(bench):
    assert ref(bench.check(reader("{connection: '@sample.any'}"))) == "@sample.any"
    assert not bench.check(reader("{connection: any}")).ok


def test_what_depends_on_a_parameter_without_a_value_is_not_judged(bench, found):
    bench.connect(TWO)
    top = "params: {c: {type: string}, p: {type: integer}}\n"
    both = bench.check(reader("{connection: '${params.c}', connection_overrides: {port: '${params.p}'}}", top))
    one = bench.check(reader("{connection_overrides: {port: '${params.p}'}}", "params: {p: {type: integer}}\n"))
    assert [line.split()[0] for line in found(both)] == ["OSR-OML-032", "OSR-OML-032"]
    assert [line.split()[0] for line in found(one)] == ["OSR-OML-032"]
    assert found(bench.check(reader("{connection_overrides: {port: '${params.p}'}}", top), params={"p": "x"}))


def test_overrides_of_nothing(bench, found):
    text = (
        "steps:\n  - {id: r, component: sample.plain, mode: read}\n"
        "  - {id: w, component: sample.store, mode: write, config: {table: t, connection_overrides: {port: 1}}}\n"
    )
    bench.connect("connections: {sample: {a: {host: a}}}")
    assert found(bench.check(text)) == ["OSR-OML-054 5:70 connection_overrides has no connection to change"]


def test_the_environment_as_a_connection(bench):
    bench.connect(TWO)
    validation = bench.check(reader("{connection: '${WHERE}'}"))
    assert [item.code for item in validation.diagnostics] == ["OSR-OML-050"]
    assert "takes it from a parameter" in validation.diagnostics[0].hint
