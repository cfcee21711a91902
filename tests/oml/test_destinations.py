"""Two steps of one pipeline that write one destination."""

from __future__ import annotations

import pytest

CONNECTIONS = """\
connections:
  sample:
    one: {host: a, default: true}
    same: {host: a, port: 5432}
    other: {host: b}
    varies: {host: "${HOST}"}
    varies_too: {host: "${HOST}"}
"""
READ = "  - {id: read, component: sample.plain, mode: extract, config: {table: t}}\n"


def stores(*configs):
    lines = [
        f"  - {{id: w{n}, component: sample.store, mode: write, needs: [read], config: {config}}}\n"
        for n, config in enumerate(configs)
    ]
    return f"steps:\n{READ}{''.join(lines)}"


def files(*paths):
    lines = [
        f"  - {{id: w{n}, component: sample.file, mode: write, needs: [read], config: {{path: {path}}}}}\n"
        for n, path in enumerate(paths)
    ]
    return f"steps:\n{READ}{''.join(lines)}"


def test_two_steps_that_write_one_file_are_an_error_at_the_second(bench, found):
    validation = bench.check(files("o.csv", "./x/../o.csv"))
    assert found(validation) == [
        "OSR-OML-029 6:81 steps 'w0' (line 5) and 'w1' (line 6) write the same file ./x/../o.csv; nothing sets their "
        "order, so that one can undo the other"
    ]
    assert validation.diagnostics[0].hint == (
        "give one of them another `path`, or unite the rows in a transform and write them once"
    )
    assert validation.diagnostics[0].path == ("steps", 2, "config", "path")


def test_the_message_names_lines_modes_and_that_both_may_append(bench, found):
    validation = bench.connect(CONNECTIONS).check(stores("{table: t, mode: replace}", "{table: t}"))
    assert found(validation) == [
        "OSR-OML-029 6:83 steps 'w0' (line 5, replace) and 'w1' (line 6, append) write the same table t; nothing sets "
        "their order, so that one can undo the other"
    ]
    assert validation.diagnostics[0].hint.endswith("write them once, or let both append")


@pytest.mark.parametrize(
    "configs",
    [
        ("{table: t, mode: replace}", "{table: t, mode: replace, connection: '@sample.one'}"),  # the default is one
        ("{table: t, mode: replace, connection: '@sample.same'}", "{table: t, mode: replace}"),  # two names of one
        (
            "{table: t, mode: replace, connection: '@sample.varies'}",
            "{table: t, mode: replace, connection: '@sample.varies_too'}",
        ),
        ("{table: t}", "{table: t}", "{table: t, mode: replace}"),
    ],
)
def test_one_table_is_recognised(bench, configs):
    validation = bench.connect(CONNECTIONS).check(stores(*configs))
    assert [item.code for item in validation.diagnostics if item.is_error] == ["OSR-OML-029"]


@pytest.mark.parametrize(
    "configs",
    [
        ("{table: t}", "{table: t}"),  # both append: nothing is lost in either order
        ("{table: t, mode: replace}", "{table: u, mode: replace}"),
        ("{table: t, mode: replace}", "{table: t, mode: replace, connection: '@sample.other'}"),
        ("{table: t, mode: replace}", "{table: t, mode: replace, connection_overrides: {port: 7}}"),
    ],
)
def test_what_does_not_meet_is_no_finding(bench, configs):
    assert bench.connect(CONNECTIONS).check(stores(*configs)).ok


def test_each_of_many_is_reported_once(bench):
    validation = bench.check(files("a", "b", "a", "b", "a"))
    assert [item.path[1] for item in validation.diagnostics] == [3, 4, 5]


def test_without_a_project_references_are_compared_by_name(bench):
    same = ("{table: t, mode: replace, connection: '@sample.x'}",) * 2
    assert not bench.check(stores(*same)).ok
    assert bench.check(stores(same[0], same[0].replace("@sample.x", "@sample.y"))).ok


def test_a_parameter_that_has_no_value_yet_is_the_same_in_both(bench):
    top = "params:\n  f: {type: string}\n"
    validation = bench.check(top + files('"${params.f}.csv"', '"${params.f}.csv"'))
    assert [item.code for item in validation.diagnostics if item.is_error] == ["OSR-OML-029"]
