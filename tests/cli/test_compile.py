"""``osiris compile`` as its users meet it."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

PIPELINE = """\
oml_version: "0.1.0"
name: demo
params:
  day: {type: integer, default: 3, min: 1}
profiles:
  prod: {params: {day: 5}, connections: {duckdb: prod}}
steps:
  - id: make
    component: duckdb.processor
    mode: transform
    needs: []
    config: {query: "SELECT range AS x FROM range(:d)", query_params: {d: "${params.day}"}}
  - {id: store, component: duckdb.writer, mode: write, config: {table: t, mode: replace}}
"""
CONNECTIONS = 'connections: {duckdb: {main: {path: "${DB}", default: true}, prod: {path: p.duckdb}}}\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "osiris.yaml").write_text("")
    (tmp_path / "osiris_connections.yaml").write_text(CONNECTIONS)
    (tmp_path / "pipelines" / "demo.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, code=0):
    done = CliRunner().invoke(osiris, ["compile", *arguments])
    assert done.exit_code == code, done.output
    return done


def loaded(*arguments, code=0):
    done = run(*arguments, "--json", code=code)
    assert done.stderr == ""
    return json.loads(done.stdout)


def edit(project, old, new):
    path = project / "pipelines" / "demo.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


FILE = "pipelines/demo.yaml"


def test_text(project):
    first = run(FILE).stdout
    assert re.fullmatch(r"compiled demo: 2 steps, build/demo/[0-9a-f]{12}/manifest\.yaml\n", first)
    assert run(FILE).stdout == first.replace("\n", " (unchanged)\n")


def test_json(project):
    document = loaded(FILE, "--profile", "prod", "--param", "day=9")
    assert document["ok"] is True
    assert (document["name"], document["profile"], document["changed"]) == ("demo", "prod", True)
    assert document["params"] == {"day": {"value": 9, "origin": "cli"}}
    assert document["steps"] == ["make", "store"]
    assert document["manifest"].endswith(f"/build/demo/{document['hash'][:12]}/manifest.yaml")
    assert loaded(FILE)["params"] == {"day": {"value": 3, "origin": "default"}}


def test_parameters_by_precedence(project, monkeypatch):
    monkeypatch.setenv("OSIRIS_PARAM_DAY", "4")
    assert loaded(FILE)["params"]["day"] == {"value": 4, "origin": "env"}
    assert loaded(FILE, "--profile", "prod")["params"]["day"] == {"value": 5, "origin": "profile"}
    monkeypatch.delenv("OSIRIS_PARAM_DAY")
    (project / ".env").write_text("OSIRIS_PARAM_DAY=6\n")
    assert loaded(FILE)["params"]["day"] == {"value": 6, "origin": "env"}


def test_out(project):
    document = loaded(FILE, "--out", "elsewhere")
    assert document["manifest"].startswith(str(project / "elsewhere" / "demo"))
    assert not (project / "build").exists()


def test_from_anywhere(project, monkeypatch, tmp_path_factory):
    expected = loaded(FILE)["hash"]
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    document = loaded(str(project / FILE))
    assert document["hash"] == expected
    assert document["changed"] is False


def test_types(project):
    assert loaded(FILE)["hash"] == loaded(FILE, "--strict-types")["hash"]
    lossy = loaded(FILE, "--lossy-types")
    assert loaded(FILE)["hash"] != lossy["hash"]
    # No component loses anything, so it is said that the option does nothing.
    assert [found["code"] for found in lossy["diagnostics"]] == ["OSR-CMP-007"]


class TestCheck:
    def stale(self, *arguments):
        return loaded(FILE, "--check", *arguments, code=3)["stale"]

    def test_nothing_is_written(self, project):
        assert self.stale() == ["there is no build of 'demo'"]
        assert not (project / "build").exists()

    def test_current(self, project):
        run(FILE)
        assert loaded(FILE, "--check") | {"hash": ""} == {
            "ok": True,
            "name": "demo",
            "hash": "",
            "stale": [],
            "diagnostics": [],
        }
        assert re.fullmatch(r"demo is current: [0-9a-f]{12}\n", run(FILE, "--check").stdout)

    def test_changed(self, project):
        run(FILE)
        edit(project, "default: 3", "default: 4")
        assert self.stale() == ["oml changed", "params changed"]
        done = run(FILE, "--check", code=3)
        assert done.stdout == ""
        assert done.stderr == (
            "error[OSR-CMP-006]: the build of 'demo' is stale: oml changed, params changed\n"
            "  = run `osiris compile` and commit the build\n"
        )
        document = loaded(FILE, "--check", code=3)
        assert (document["ok"], document["error"]["exit_code"], document["name"]) == (False, 3, "demo")

    def test_an_older_build_does_not_count(self, project):
        run(FILE)
        edit(project, "default: 3", "default: 4")
        run(FILE)
        edit(project, "default: 4", "default: 3")
        assert self.stale() == ["oml changed", "params changed"]

    def test_damaged(self, project):
        built = loaded(FILE)
        folder = project / "build" / "demo" / built["hash"][:12]
        (folder / "cfg" / "make.json").unlink()
        assert self.stale() == ["cfg/make.json differs"]

    def test_of_another_profile(self, project):
        run(FILE)
        assert self.stale("--profile", "prod") == ["it was never compiled with this profile and these parameters"]
        run(FILE, "--profile", "prod")
        assert loaded(FILE, "--check", "--profile", "prod")["ok"]
        assert loaded(FILE, "--check")["ok"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pipelines/absent.yaml",), "OSR-YAML-014", "cannot read the file: No such file or directory"),
        (("pipelines",), "OSR-YAML-014", "cannot read the file: Is a directory"),
        ((FILE, "--param", "day"), "OSR-CMP-031", "--param needs NAME=VALUE, not 'day'"),
        ((FILE, "--param", "=5"), "OSR-CMP-031", "--param needs NAME=VALUE, not ''"),
        ((FILE, "--param", "day=1", "--param", "day=2"), "OSR-CMP-031", "--param day is given twice"),
        ((FILE, "--param", "day=x"), "OSR-CMP-001", "the pipeline cannot be compiled: 1 error"),
        ((FILE, "--param", "dya=1"), "OSR-CMP-001", "the pipeline cannot be compiled: 1 error"),
        ((FILE, "--profile", "prd"), "OSR-CMP-001", "the pipeline cannot be compiled: 1 error"),
    ],
)
def test_what_cannot_be_compiled(project, arguments, code, message):
    document = loaded(*arguments, code=2)
    assert (document["ok"], document["error"]["code"], document["error"]["message"]) == (False, code, message)
    assert document["error"]["exit_code"] == 2
    assert not (project / "build").exists()


def test_findings_as_text(project):
    edit(project, "mode: replace", "mode: replac")
    done = run(FILE, code=2)
    assert done.stdout == ""
    assert done.stderr == (
        "pipelines/demo.yaml:13:81: error[OSR-CFG-004]: 'mode' must be 'append' or 'replace' or 'upsert' or "
        "'delete_insert', not \"replac\" (at $.steps[1].config.mode)\n"
        "  13 |   - {id: store, component: duckdb.writer, mode: write, config: {table: t, mode: replac}}\n"
        "     |                                                                                 ^\n"
        "  = did you mean 'replace'?\n"
        "error[OSR-CMP-001]: pipelines/demo.yaml: the pipeline cannot be compiled: 1 error\n"
        "  = mend what is marked\n"
    )


def test_warnings_by_mode(project, monkeypatch):
    edit(project, "params:\n", "params:\n  idle: {default: 1}\n")
    assert "warning[OSR-OML-039]" in run(FILE).stderr
    assert run(FILE, "--mode", "off").stderr == ""
    assert "error[OSR-OML-039]" in run(FILE, "--mode", "strict", code=2).stderr
    monkeypatch.setenv("OSIRIS_VALIDATION", "strict")
    assert run(FILE, code=2).exit_code == 2
    assert run(FILE, "--mode", "warn").exit_code == 0
    assert [item["code"] for item in loaded(FILE, "--mode", "warn")["diagnostics"]] == ["OSR-OML-039"]


def test_a_build_folder_that_cannot_be_written(project):
    (project / "build").write_text("")
    document = loaded(FILE, code=1)
    assert document["error"]["code"] == "OSR-CMP-005"
