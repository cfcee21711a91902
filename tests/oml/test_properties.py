"""What must hold for every document: found by search, not by example."""

from __future__ import annotations

import json
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_core.compile.compiler import compile_document
from osiris_core.model import yaml
from osiris_core.project.connections import Connections

names = st.from_regex(r"[a-z][a-z0-9]{0,5}(?:[-_][a-z0-9]{1,4})?", fullmatch=True)
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="$\ufeff", exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=12
)
scalars = st.one_of(
    texts, st.integers(-(10**20), 10**20), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.none()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


@st.composite
def documents(draw):
    """Valid documents: extracts, transforms over any earlier non-write step, and writes."""
    ids = draw(st.lists(names, min_size=1, max_size=8, unique_by=lambda name: name.replace("-", "_")))
    steps, sources = [], []
    for number, step_id in enumerate(ids):
        kind = draw(st.sampled_from(["extract", "transform", "write"])) if sources else "extract"
        if kind == "extract":
            config = {
                "table": draw(texts),
                "limit": draw(st.integers(1, 9) | st.just("${params.n}")),
                "ratio": draw(st.sampled_from([0.5, 2, "${params.f}"])),
                "columns": draw(st.lists(texts | st.just("${params.s}"), max_size=3)),
                "options": draw(st.dictionaries(texts, texts | st.just("x ${params.n} y"), max_size=3)),
            }
            step = {
                "id": step_id,
                "component": "sample.plain",
                "mode": draw(st.sampled_from(["read", "extract"])),
                "config": config,
            }
        elif kind == "transform":
            needs = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=3, unique=True))
            step = {"id": step_id, "component": "sample.pass", "mode": "transform", "needs": needs}
        else:
            step = {
                "id": step_id,
                "component": "sample.file",
                "mode": "write",
                "needs": [draw(st.sampled_from(sources))],
                "config": {"path": f"{number}.csv"},
            }
        if kind != "write":
            sources.append(step_id)
        steps.append(step)
    return {
        "oml_version": "0.1.0",
        "name": draw(names),
        "description": draw(texts),
        "metadata": draw(st.dictionaries(texts, values, max_size=3)),
        "params": {"n": {"default": draw(st.integers(1, 99))}, "f": {"default": 0.25}, "s": {"default": draw(texts)}},
        "steps": draw(st.permutations(steps)),
    }


def compiled(bench, text):
    return compile_document(
        yaml.load(text, file="p.yaml"), registry=bench.registry, connections=Connections(())
    ).manifest


@st.composite
def clothed(draw, data):
    """The same document as YAML text with other key order, quoting, flow or block style, white space and comments."""

    def comment():
        return draw(st.sampled_from(["", "", "  # note", "  # a: b", '  # "']))

    def scalar(value):
        if not isinstance(value, str):
            return json.dumps(value)
        astral = any(ord(character) > 0xFFFF for character in value)  # JSON would escape it as two halves
        double = json.dumps(value, ensure_ascii=not astral and draw(st.booleans()))
        single = "'" + value.replace("'", "''") + "'"
        plain = value if value.isascii() and value.isalpha() and value not in ("null", "true", "false") else double
        plain = plain if value.lower() not in ("null", "true", "false") else double
        # folding would eat the white space at a line's ends, so a single-quoted text has one line only
        return draw(st.sampled_from([double, single if value == value.strip() else double, plain]))

    def flow(value):
        if isinstance(value, dict):
            items = draw(st.permutations(list(value.items())))
            gap = draw(st.sampled_from(["", " ", "\n        "]))
            return (
                "{"
                + f",{gap or ' '}".join(f"{scalar(key)}: {flow(item)}" for key, item in items)
                + gap.strip("\n")
                + "}"
            )
        if isinstance(value, list):
            return "[" + ", ".join(flow(item) for item in value) + "]"
        return scalar(value)

    def block(value, indent):
        pad = " " * indent
        lines = []
        if isinstance(value, dict):
            for key, item in draw(st.permutations(list(value.items()))):
                if draw(st.booleans()):
                    lines.append(f"{pad}# {draw(st.sampled_from(['why', 'because: of', '- this']))}")
                if isinstance(item, dict | list) and item and draw(st.booleans()):
                    lines.append(f"{pad}{scalar(key)}:{comment()}")
                    lines.append(block(item, indent + draw(st.integers(1, 4))))
                else:
                    lines.append(f"{pad}{scalar(key)}: {flow(item)}{comment()}")
                lines += [""] * draw(st.integers(0, 1))
        else:
            for item in value:
                if isinstance(item, dict) and item and draw(st.booleans()):
                    inner = block(item, indent + 2)
                    lines.append(f"{pad}-\n{inner}")
                else:
                    lines.append(f"{pad}- {flow(item)}{comment()}")
        return "\n".join(lines)

    start = draw(st.sampled_from(["", "# a head\n", "---\n", "\ufeff"]))
    text = start + block(data, 0) + "\n"
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@settings(max_examples=60)
@given(st.data())
def test_clothes_do_not_change_the_hash(plain_bench, data):
    document = data.draw(documents())
    plain = compiled(plain_bench, yaml.dump(document))
    text = data.draw(clothed(document))
    assert yaml.load(text, file="x").data == document
    assert compiled(plain_bench, text).hash == plain.hash


@settings(max_examples=50)
@given(documents())
def test_the_order_is_topological_and_keeps_document_order_where_it_can(plain_bench, document):
    steps = compiled(plain_bench, yaml.dump(document)).steps
    seen = set()
    position = {step["id"]: index for index, step in enumerate(document["steps"])}
    for index, step in enumerate(steps):
        assert seen.issuperset(step.needs)
        ready = [other for other in steps[index:] if seen.issuperset(other.needs)]
        assert position[step.id] == min(position[other.id] for other in ready)
        seen.add(step.id)
    assert seen == set(position)


@settings(max_examples=60)
@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), texts))
def test_a_whole_value_is_the_parameter_itself(plain_bench, value):
    document = {
        "oml_version": "0.1.0",
        "name": "a",
        "params": {"x": {"default": value}},
        "steps": [
            {
                "id": "it",
                "component": "duckdb.processor",
                "mode": "transform",
                "needs": [],
                "config": {"query": "SELECT :x AS x", "query_params": {"x": "${params.x}"}},
            }
        ],
    }
    manifest = compiled(plain_bench, yaml.dump(document))
    bound = manifest.steps[0].config["query_params"]["x"]
    assert type(bound) is type(value)
    assert bound == value
    assert manifest.params == {"x": value}


@settings(max_examples=80)
@given(values)
def test_any_data_is_answered_with_findings_and_never_with_a_crash(plain_bench, data):
    for document in (data, {"oml_version": "0.1.0", "name": "a", "steps": data, "params": data, "profiles": data}):
        plain_bench.check("# oml_version\n" + yaml.dump(document))


keys = st.sampled_from(["id", "component", "mode", "needs", "config", "x"])
sensible = st.sampled_from(
    ["a", "b", "read", "write", "sample.plain", "sample.store", "sample.pass", "@sample.a", "${params.x}", "${", "$${"]
)


@settings(max_examples=100)
@given(st.lists(st.dictionaries(keys, sensible | values | st.lists(sensible, max_size=3), max_size=5), max_size=4))
def test_nearly_sensible_steps_are_answered_with_findings_too(plain_bench, steps):
    document = {"oml_version": "0.1.0", "name": "a", "params": {"x": {"default": 1}}, "steps": steps}
    validation = plain_bench.check(yaml.dump(document))
    assert validation.ok or all(item.code and item.hint for item in validation.diagnostics)


def test_work_for_many_mistakes_grows_in_proportion(plain_bench):
    """A model may write anything: thousands of wrong names are answered, not chewed on."""

    def calls(count):
        needs = ", ".join(f"n{number}" for number in range(count))
        binds = ", ".join(f"q{number}: 1" for number in range(count))
        marks = " ".join(f":p{number}" for number in range(count))
        text = (
            f"steps:\n  - {{id: a, component: sample.pass, mode: transform, needs: [{needs}]}}\n"
            f"  - {{id: b, component: sample.plain, mode: extract, config: {{query: '{marks}', query_params: {{{binds}}}}}}}\n"
        )
        counted = 0

        def note(_frame, event, _argument):
            nonlocal counted
            counted += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            assert len(plain_bench.check(text).diagnostics) >= 3 * count
        finally:
            sys.setprofile(before)
        return counted

    calls(10)
    assert calls(800) < 6 * calls(200)
