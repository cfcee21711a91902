"""The schema of whole pipelines says what the validator says, as far as a schema can."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from osiris_core.model import yaml
from osiris_core.oml.schema import oml_schema

from .test_contract import CASES
from .test_properties import documents

HEAD = {"oml_version": "0.1.0", "name": "sample"}


@pytest.fixture(scope="module")
def validator(registry):
    schema = oml_schema(registry)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def step(component="sample.plain", mode="extract", **config):
    return {"id": "it", "component": component, "mode": mode, "config": config}


@settings(max_examples=50)
@given(documents())
def test_what_the_validator_accepts_the_schema_accepts(validator, document):
    assert list(validator.iter_errors(document)) == []


BEYOND_A_SCHEMA = {"two ids", "config rule", "extension key"}


@pytest.mark.parametrize("case", [case for case in CASES if case not in BEYOND_A_SCHEMA])
def test_what_breaks_the_contract_breaks_the_schema(validator, case):
    text = 'oml_version: "0.1.0"\nname: sample\n' + CASES[case][0]
    assert list(validator.iter_errors(yaml.load(text, file="p").data))


@pytest.mark.parametrize(
    ("good", "body"),
    [
        (True, step(limit=5)),
        (True, step(limit="${params.n}")),
        (False, step(limit="5")),
        (False, step(limit="${HOME}")),
        (False, step(limt=5)),
        (False, step(window={"frist": 1})),
        (True, step(window={"first": "${params.n}"})),
        (True, step(style="${params.style}")),
        (False, step(style="gaudy")),
        (True, step("sample.reader", connection="@sample.main", connection_overrides={"port": 1})),
        (True, step("sample.reader", connection="${params.where}")),
        (False, step("sample.reader", connection="main")),
        (False, step("sample.reader", connection="@duckdb.main")),
        (False, step("sample.reader", connection_overrides={"host": "x"})),
        (False, step("sample.plain", connection="@sample.main")),
        (False, step("sample.plain", mode="write")),
        (True, step("sample.plain", mode="read")),
        (False, {**step(), "needs": ["a"]}),
        (False, {"id": "it", "component": "sample.raw", "mode": "transform"}),
        (False, {**step("sample.store", "write", table="t"), "needs": ["a", "b"]}),
        (True, {**step("sample.store", "write", table="t"), "needs": ["a"]}),
        (False, step("nonesuch.reader")),
    ],
)
def test_steps(validator, good, body):
    assert (list(validator.iter_errors({**HEAD, "steps": [body]})) == []) is good


def test_every_example_of_every_component_fits(validator, registry):
    from osiris_core.oml.document import MODE_OF_ROLE

    for spec in registry.components():
        for example in spec.examples:
            body = {**step(spec.name, str(MODE_OF_ROLE[spec.role])), "config": dict(example.config)}
            assert list(validator.iter_errors({**HEAD, "steps": [body]})) == [], (spec.name, example.title)


def test_references_inside_the_schema_exist(registry):
    schema = oml_schema(registry)

    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for item in value.values():
                yield from walk(item)
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)

    references = set(walk(schema))
    assert {reference.removeprefix("#/$defs/") for reference in references} == set(schema["$defs"])
