"""The strict contract: what a document may hold, and what is said about everything else, all at once."""

from __future__ import annotations

import pytest

STEPS = "steps:\n  - {id: read, component: sample.plain, mode: extract}\n"

# text after `oml_version` and `name`, the findings in short
CASES = {
    "version": (f"version: 1\n{STEPS}", ["OSR-OML-005 3:1 'version' does not belong to OML 0.1.0"]),
    "connectors": (f"connectors: {{}}\n{STEPS}", ["OSR-OML-005 3:1 'connectors' does not belong to OML 0.1.0"]),
    "tasks": (
        "tasks: []\n",
        ["OSR-OML-004 1:1 steps is missing", "OSR-OML-005 3:1 'tasks' does not belong to OML 0.1.0"],
    ),
    "outputs": (f"outputs: []\n{STEPS}", ["OSR-OML-005 3:1 'outputs' does not belong to OML 0.1.0"]),
    "unknown key": (f"stepz: []\n{STEPS}", ["OSR-OML-006 3:1 an OML document has no key 'stepz'"]),
    "extension key": (f"x-team: {{any: [1, 2]}}\n{STEPS}", []),
    "description": (f"description: [a]\n{STEPS}", ["OSR-OML-007 3:14 description must be text, not a list"]),
    "metadata null": (f"metadata:\n{STEPS}", ["OSR-OML-007 3:10 metadata must be a mapping, not null"]),
    "no steps": ("steps: []\n", ["OSR-OML-004 3:8 steps is empty"]),
    "steps a mapping": ("steps: {a: 1}\n", ["OSR-OML-004 3:8 steps must be a list, not a mapping"]),
    "step a text": ("steps: [a]\n", ["OSR-OML-010 3:9 a step is a mapping, not text"]),
    "step empty": (
        "steps: [{}]\n",
        ["OSR-OML-010 3:9 steps[0] lacks id, component and mode"],
    ),
    "step without mode": (
        "steps: [{id: a, component: sample.plain}]\n",
        ["OSR-OML-010 3:9 step 'a' lacks mode"],
    ),
    "step key": (
        "steps: [{id: a, component: sample.plain, mode: extract, confg: {}}]\n",
        ["OSR-OML-006 3:57 a step has no key 'confg'"],
    ),
    "step key of another tool": (
        "steps: [{id: a, component: sample.plain, mode: extract, depends_on: []}]\n",
        ["OSR-OML-006 3:57 a step has no key 'depends_on'"],
    ),
    "bad id": (
        "steps: [{id: A b, component: sample.plain, mode: extract}]\n",
        ["OSR-OML-011 3:14 'A b' is not a step id"],
    ),
    "number as id": (
        "steps: [{id: 7, component: sample.plain, mode: extract}]\n",
        ["OSR-OML-011 3:14 id must be text, not a number"],
    ),
    "long id": (
        f"steps: [{{id: {'a' * 64}, component: sample.plain, mode: extract}}]\n",
        [f"OSR-OML-011 3:14 '{'a' * 64}' is not a step id"],
    ),
    "two ids": (
        "steps:\n  - {id: a, component: sample.plain, mode: extract}\n  - {id: a, component: sample.plain, mode: extract}\n",
        ["OSR-OML-012 5:10 the id 'a' is taken by steps[0]"],
    ),
    "mode": (
        "steps: [{id: a, component: sample.plain, mode: extrakt}]\n",
        ["OSR-OML-013 3:48 'extrakt' is not a mode"],
    ),
    "mode of another role": (
        "steps: [{id: a, component: sample.plain, mode: transform, needs: []}]\n",
        ["OSR-OML-014 3:48 sample.plain extracts, so its mode is 'extract', not 'transform'"],
    ),
    "component unknown": (
        "steps: [{id: a, component: sample.plane, mode: extract}]\n",
        ["OSR-OML-015 3:28 plugin 'sample' (osiris-sample 1.0) has no component 'sample.plane'"],
    ),
    "component not installed": (
        "steps: [{id: a, component: oracle.extractor, mode: extract}]\n",
        ["OSR-OML-015 3:28 component 'oracle.extractor' is not installed"],
    ),
    "component without role": (
        "steps: [{id: a, component: sample, mode: extract}]\n",
        ["OSR-OML-016 3:28 'sample' is not a component"],
    ),
    "needs a text": (
        "steps: [{id: a, component: sample.plain, mode: extract, needs: b}]\n",
        ["OSR-OML-017 3:64 needs must be a list of step ids, not text"],
    ),
    "config a list": (
        "steps: [{id: a, component: sample.plain, mode: extract, config: []}]\n",
        ["OSR-OML-007 3:65 config must be a mapping, not a list"],
    ),
    "config key": (
        "steps: [{id: a, component: sample.plain, mode: extract, config: {tabel: x}}]\n",
        ["OSR-CFG-002 3:66 unknown key 'tabel'"],
    ),
    "config type": (
        "steps: [{id: a, component: sample.plain, mode: extract, config: {limit: '5'}}]\n",
        ["OSR-CFG-001 3:73 'limit' must be a whole number, not \"5\""],
    ),
    "config rule": (
        "steps: [{id: a, component: sample.plain, mode: extract, config: {table: x, query: SELECT 1}}]\n",
        ["OSR-CFG-009 3:66 give 'table' or 'query'"],
    ),
    "profile": (
        f"profiles: {{p: {{parms: {{}}}}}}\n{STEPS}",
        ["OSR-OML-006 3:16 a profile has no key 'parms'"],
    ),
    "profile a list": (f"profiles: {{p: []}}\n{STEPS}", ["OSR-OML-043 3:15 a profile is a mapping, not a list"]),
    "profile name": (f"profiles: {{P: {{}}}}\n{STEPS}", ["OSR-OML-043 3:12 'P' is not a profile name"]),
    "profile connection a number": (
        f"profiles: {{p: {{connections: {{sample: 1}}}}}}\n{STEPS}",
        ["OSR-OML-041 3:38 the connection for 'sample' must be an alias or a reference, not a number"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_breach_is_found_at_its_place(bench, found, case):
    text, expected = CASES[case]
    assert found(bench.check(text)) == expected


@pytest.mark.parametrize("case", [case for case, (_, expected) in CASES.items() if expected])
def test_each_finding_has_a_remedy_and_its_source_line(bench, case):
    for item in bench.check(CASES[case][0]).diagnostics:
        assert item.hint
        assert item.position is not None
        assert item.position.source_line


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("name: a\n", "OSR-OML-002 1:1 oml_version is missing"),
        ('oml_version: "0.2.0"\nname: a\n', "OSR-OML-002 1:14 oml_version is '0.2.0'; this Osiris reads \"0.1.0\""),
        ("oml_version: 0.1\nname: a\n", 'OSR-OML-002 1:14 oml_version is 0.1; this Osiris reads "0.1.0"'),
        ('oml_version: "0.1.0"\n', "OSR-OML-003 1:1 name is missing"),
        ('oml_version: "0.1.0"\nname: My Pipeline\n', "OSR-OML-003 2:7 'My Pipeline' is not a pipeline name"),
        ('oml_version: "0.1.0"\nname: 5\n', "OSR-OML-003 2:7 name must be text, not a number"),
        ('oml_version: "0.1.0"\nname: ../etc\n', "OSR-OML-003 2:7 '../etc' is not a pipeline name"),
    ],
)
def test_version_and_name(bench, found, head, expected):
    text = f"{head}{STEPS}" if "oml_version" in head else f"# no oml_version\n{head}{STEPS}"
    expected = expected if "oml_version" in head else expected.replace("1:1", "2:1")
    assert found(bench.check(text)) == [expected]


@pytest.mark.parametrize("text", ["# oml_version\n[]\n", "# oml_version\njust text\n", "# oml_version\n7\n"])
def test_a_document_that_is_no_mapping(bench, found, text):
    for options in ({}, {"profile": "prod", "params": {"day": "7"}}):
        codes = [line.split()[0] for line in found(bench.check(text, **options))]
        assert codes == ["OSR-OML-001"]


def test_read_is_another_word_for_extract(bench):
    validation = bench.check("steps: [{id: a, component: sample.plain, mode: read}]\n")
    assert validation.ok
    assert validation.pipeline.steps[0].mode == "extract"


def test_every_finding_is_reported_at_once(bench, found):
    validation = bench.check(
        """\
        version: 1
        params: {n: {type: int, default: many}}
        steps:
          - {id: A, component: sample.plain, mode: extract}
          - {id: b, component: sample.plane, mode: extract}
          - {id: c, component: sample.store, mode: write, config: {mode: replac, table: 5}}
        """
    )
    assert [line.split()[0] for line in found(validation)] == [
        "OSR-OML-005",
        "OSR-OML-039",
        "OSR-OML-030",
        "OSR-OML-011",
        "OSR-OML-015",
        "OSR-CFG-004",
        "OSR-CFG-001",
    ]


def test_a_plugin_sees_the_resolved_pipeline_at_the_end(bench, found):
    bench.connect("connections: {sample: {main: {host: h, default: true}}}")
    validation = bench.check(
        """\
        metadata: {policy: sample}
        params: {t: {default: forbidden}}
        steps:
          - {id: r, component: sample.reader, mode: read, config: {table: "${params.t}"}}
        """
    )
    assert found(validation) == ["SAMPLE-001 6:67 table 'forbidden' at @sample.main, one of ['@sample.main']"]


def test_what_a_plugin_finds_comes_only_when_nothing_else_is_wrong(bench, found):
    validation = bench.check(
        "metadata: {policy: sample}\nsteps: [{id: r, component: sample.plain, mode: read, config: {table: forbidden, x: 1}}]\n"
    )
    assert [line.split()[0] for line in found(validation)] == ["OSR-CFG-002"]
