"""Compiling takes time in proportion to the pipeline: counted in calls, not in seconds."""

from __future__ import annotations

import sys

from osiris_core.compile.build import build_files
from osiris_core.compile.compiler import compile_document
from osiris_core.model import yaml
from osiris_core.project.connections import load_connections
from osiris_core.project.paths import Project


def chain(count):
    """Steps in rows of five: an extract of nothing, three transforms, a write; every transform needs the one before."""
    steps = []
    for number in range(count):
        place = number % 5
        step = {"id": f"s{number}", "component": "duckdb.processor", "mode": "transform"}
        if place == 4:
            step |= {"component": "duckdb.writer", "mode": "write"}
            step["config"] = {"connection": "@duckdb.main", "table": f"t{number}", "mode": "replace"}
        elif place == 0:
            step |= {"needs": []}
            step["config"] = {"query": "SELECT :d AS x", "query_params": {"d": "${params.d}"}}
        else:
            step["config"] = {"query": f"SELECT x + {number} AS x FROM df"}
        steps.append(step)
    return yaml.dump({"oml_version": "0.1.0", "name": "big", "params": {"d": {"default": 1}}, "steps": steps})


def calls(function):
    """How many Python calls ``function()`` makes."""
    counted = 0

    def count(_frame, event, _argument):
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        result = function()
    finally:
        sys.setprofile(before)
    return counted, result


def test_work_grows_in_proportion_to_the_number_of_steps(core_registry, tmp_path):
    (tmp_path / "osiris_connections.yaml").write_text("connections: {duckdb: {main: {path: a.duckdb}}}")
    connections = load_connections(Project(tmp_path), core_registry)

    def work(count):
        document = yaml.load(chain(count), file="p.yaml")
        return calls(
            lambda: build_files(compile_document(document, registry=core_registry, connections=connections).manifest)
        )

    work(10)
    small, _ = work(100)
    large, files = work(1000)
    assert len(files) == 1002
    assert large < small * 10.5


def test_so_does_a_document_full_of_mistakes(core_registry):
    def work(count):
        text = chain(count).replace("mode: replace", "mode: replaced").replace("AS x FROM df", "AS x FROM ${params.d}")
        document = yaml.load(text, file="p.yaml")

        def attempt():
            from osiris_core.oml.validate import validate

            return validate(document, registry=core_registry, connections=None).diagnostics

        return calls(attempt)

    work(10)
    small, few = work(100)
    large, many = work(1000)
    assert len(many) == 10 * len(few)
    assert large < small * 11
