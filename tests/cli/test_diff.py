"""``osiris diff`` as its users meet it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

PIPELINE = """\
oml_version: "0.1.0"
name: demo
params: {least: {default: 1}}
steps:
  - id: make
    component: duckdb.processor
    mode: transform
    needs: []
    config:
      query: |
        SELECT range AS x
        FROM range(10)
        WHERE range > :least
      query_params: {least: "${params.least}"}
  - {id: store, component: duckdb.writer, mode: write, config: {table: orders, mode: append}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "osiris.yaml").write_text("")
    (tmp_path / "osiris_connections.yaml").write_text("connections: {duckdb: {default: {path: a.duckdb}}}\n")
    (tmp_path / "a.yaml").write_text(PIPELINE)
    changed = PIPELINE.replace("mode: append", "mode: replace").replace("range > :least", "range >= :least")
    (tmp_path / "b.yaml").write_text(changed)
    (tmp_path / "c.yaml").write_text(PIPELINE.replace("SELECT range AS x\n        FROM", "select range as x from"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, code=0):
    done = CliRunner().invoke(osiris, arguments)
    assert done.exit_code == code, done.output
    return done


def test_two_pipelines(project):
    lines = run("diff", "a.yaml", "b.yaml", code=3).stdout.splitlines()
    assert lines[0].startswith("from a.yaml (")
    assert lines[1].startswith("to   b.yaml (")
    assert lines[2:] == [
        "step make:",
        "  query: SQL changed",
        "     FROM range(10)",
        "    -WHERE range > :least",
        "    +WHERE range >= :least",
        "step store:",
        "  mode: append → replace",
        "effects:",
        "  table main.orders of @duckdb.default: append → replace",
    ]


def test_json(project):
    document = json.loads(run("diff", "a.yaml", "b.yaml", "--json", code=3).stdout)
    assert (document["ok"], document["equal"]) == (True, False)
    assert [change["kind"] for change in document["changes"]] == ["sql", "config", "effect"]
    assert document["changes"][1] == {
        "kind": "config",
        "step": "store",
        "path": "$.config.mode",
        "before": "append",
        "after": "replace",
        "text": "mode: append → replace",
    }


def test_nothing_and_nothing_but_formatting(project):
    assert run("diff", "a.yaml", "a.yaml").stdout == "no change\n"
    assert run("diff", "a.yaml", "c.yaml").stdout == "no change but in formatting (the hashes differ)\n"
    document = json.loads(run("diff", "a.yaml", "c.yaml", "--json").stdout)
    assert (document["equal"], document["changes"]) == (True, [])


def test_against_the_last_build(project):
    error = json.loads(run("diff", "a.yaml", "--json", code=2).stdout)["error"]
    assert (error["code"], error["message"]) == ("OSR-CMP-020", "there is no build of 'demo'")
    run("compile", "a.yaml")
    assert run("diff", "a.yaml").stdout == "no change\n"
    assert "append → replace" in run("diff", "b.yaml", code=3).stdout
    assert "param least: 1 → 5" in run("diff", "a.yaml", "--param", "least=5", code=3).stdout


def test_manifests_and_folders(project):
    first = json.loads(run("compile", "a.yaml", "--json").stdout)
    second = json.loads(run("compile", "b.yaml", "--json").stdout)
    assert run("diff", first["manifest"], first["manifest"]).stdout == "no change\n"
    assert "append → replace" in run("diff", first["manifest"], second["manifest"], code=3).stdout
    assert "replace → append" in run("diff", "build/demo", "a.yaml", code=3).stdout


def test_what_cannot_be_compared(project):
    built = json.loads(run("compile", "a.yaml", "--json").stdout)["manifest"]
    with open(built, "a") as stream:
        stream.write("extra: 1\n")
    assert json.loads(run("diff", built, "a.yaml", "--json", code=2).stdout)["error"]["code"] == "OSR-CMP-002"
    assert json.loads(run("diff", "no.yaml", "a.yaml", "--json", code=2).stdout)["error"]["code"] == "OSR-YAML-014"
    (project / "bad.yaml").write_text("oml_version: 1\n")
    assert json.loads(run("diff", "a.yaml", "bad.yaml", "--json", code=2).stdout)["error"]["code"] == "OSR-CMP-001"
