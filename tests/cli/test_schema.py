"""``osiris schema`` as editors and check-jsonschema meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from osiris_core.model import yaml

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, code=0):
    done = CliRunner().invoke(osiris, arguments)
    assert done.exit_code == code, done.output
    return done


def check_jsonschema(*arguments):
    program = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


GOOD = """\
# yaml-language-server: $schema=oml.schema.json
oml_version: "0.1.0"
name: good
params: {n: {type: integer, default: 1}}
steps:
  - {id: make, component: duckdb.processor, mode: transform, needs: [], config: {query: SELECT 1, threads: "${params.n}"}}
"""


@pytest.mark.slow
def test_check_jsonschema_accepts_it_and_checks_with_it(folder):
    run("schema", "oml", "--out", "oml.schema.json")
    code, output = check_jsonschema("--check-metaschema", "oml.schema.json")
    assert code == 0, output
    (folder / "good.yaml").write_text(GOOD)
    code, output = check_jsonschema("--schemafile", "oml.schema.json", "good.yaml")
    assert code == 0, output
    (folder / "bad.yaml").write_text(GOOD.replace("threads:", "thread:"))
    code, output = check_jsonschema("--schemafile", "oml.schema.json", "bad.yaml")
    assert code == 1
    assert "thread" in output


def test_the_sample_pipelines_fit(folder):
    run("init", ".")
    run("schema", "oml", "--out", "oml.schema.json")
    components = {each["name"] for each in json.loads(run("components", "list", "--json").stdout)["components"]}
    samples = [*folder.glob("pipelines/*.yaml"), *REPOSITORY.glob("examples/*/pipelines/*.yaml")]
    fitting = [path for path in samples if _components_of(path) <= components]
    assert fitting
    code, output = check_jsonschema("--schemafile", "oml.schema.json", *map(str, fitting))
    assert code == 0, output


def _components_of(path):
    return {step["component"] for step in yaml.load_file(path).data["steps"]}


def test_printed_and_written_are_the_same(folder):
    printed = run("schema", "oml").stdout
    run("schema", "oml", "--out", "oml.schema.json")
    assert json.loads(printed) == json.loads((folder / "oml.schema.json").read_text())
    assert printed == run("schema", "oml", "--json").stdout


def test_settings(folder):
    run("schema", "settings", "--out", "s.json")
    assert check_jsonschema("--check-metaschema", "s.json")[0] == 0
    (folder / "osiris.yaml").write_text("run: {jobs: 2}\n")
    assert check_jsonschema("--schemafile", "s.json", "osiris.yaml")[0] == 0


def test_a_file_that_cannot_be_written(folder):
    document = json.loads(run("schema", "oml", "--json", "--out", "no/such/folder.json", code=1).stdout)
    assert document["error"]["code"] == "OSR-CMP-032"
