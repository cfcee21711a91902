"""What the Data API cannot do is found before anything runs, at the line that asks for it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

FILE = "pipelines/p.yaml"
CONNECTIONS = """\
version: 1
connections:
  supabase:
    web: {url: "https://project.supabase.co", key: "${PROJECT_KEY}"}
    main: {dsn: "${PROJECT_DSN}"}
    both: {dsn: "${PROJECT_DSN}", url: "https://project.supabase.co", key: "${PROJECT_KEY}"}
    none: {dsn: null, url: "https://project.supabase.co", key: "${PROJECT_KEY}"}
  duckdb:
    default: {path: a.duckdb}
"""
WRITE = """\
oml_version: "0.1.0"
name: p
profiles:
  database: {connections: {"@supabase.web": "@supabase.main"}}
  web: {connections: {"@supabase.main": "@supabase.web"}}
steps:
  - {id: make, component: duckdb.processor, mode: transform, needs: [], config: {query: SELECT 1 AS id}}
  - id: store
    needs: [make]
    component: supabase.writer
    mode: write
    config:
      connection: "@supabase.web"
      table: t
      OPTIONS
"""
READ = """\
oml_version: "0.1.0"
name: p
profiles:
  database: {connections: {"@supabase.web": "@supabase.main"}}
  web: {connections: {"@supabase.main": "@supabase.web"}}
steps:
  - id: read
    component: supabase.extractor
    mode: extract
    config:
      connection: "@supabase.web"
      OPTIONS
  - {id: store, component: duckdb.writer, mode: write, config: {table: t, mode: replace}}
"""
REFUSED = {
    "append": (WRITE, "mode: append", (15, 13)),
    "replace": (WRITE, "mode: replace", (15, 13)),
    "delete_insert": (WRITE, "replace_keys: [id]\n      mode: delete_insert", (16, 13)),
    "query": (READ, "query: SELECT 1 AS id", (12, 14)),
    "where": (READ, "table: t\n      where: id > 0", (13, 14)),
}
TAKEN = {
    "upsert": (WRITE, "mode: upsert\n      primary_key: [id]"),
    "table": (READ, "table: t\n      columns: [id]\n      limit: 5"),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without secrets: nothing here needs their values."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "osiris.yaml").write_text("")
    (tmp_path / "osiris_connections.yaml").write_text(CONNECTIONS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(project, pipeline, options, connection="web"):
    text = pipeline.replace("OPTIONS", options)
    (project / FILE).write_text(text.replace('connection: "@supabase.web"', f'connection: "@supabase.{connection}"'))


def run(*arguments, code):
    done = CliRunner().invoke(osiris, arguments)
    assert done.exit_code == code, done.output
    return done


def found(*arguments, code):
    """What a command says about the pipeline: code, line and column of each finding."""
    document = json.loads(run(*arguments, FILE, "--json", code=code).stdout)
    findings = document["files"][0]["diagnostics"] if "files" in document else document.get("diagnostics", [])
    return [(each["code"], (each["line"], each["column"])) for each in findings]


def files(project):
    return sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())


@pytest.mark.parametrize("connection", ["web", "none"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_its_line_and_nothing_is_written(project, case, connection):
    pipeline, options, place = REFUSED[case]
    put(project, pipeline, options, connection)
    before = files(project)
    for command in (("validate",), ("compile",), ("run",)):
        assert found(*command, code=2) == [("OSR-SUPA-115", place)]
        shown = run(*command, FILE, code=2)
        assert f"{FILE}:{place[0]}:{place[1]}: error[OSR-SUPA-115]: " in shown.stderr
        assert "  = add 'dsn' to the connection" in shown.stderr
    assert files(project) == before


@pytest.mark.parametrize("connection", ["main", "both"])
@pytest.mark.parametrize("case", REFUSED)
def test_taken_with_a_dsn(project, case, connection):
    put(project, *REFUSED[case][:2], connection)
    assert found("validate", code=0) == []
    run("compile", FILE, code=0)
    assert (project / "build").is_dir()


@pytest.mark.parametrize("case", TAKEN)
def test_what_the_data_api_can_do_is_taken(project, case):
    put(project, *TAKEN[case])
    assert found("validate", code=0) == []
    run("compile", FILE, code=0)


@pytest.mark.parametrize("case", REFUSED)
def test_the_answer_follows_the_profile(project, case):
    pipeline, options, place = REFUSED[case]
    refused = [("OSR-SUPA-115", place)]
    put(project, pipeline, options, "web")
    assert found("compile", code=2) == refused
    assert not (project / "build").exists()
    run("compile", FILE, "--profile", "database", code=0)
    put(project, pipeline, options, "main")
    run("compile", FILE, code=0)
    assert found("compile", "--profile", "web", code=2) == refused


def test_every_step_is_reported_at_once(project):
    put(project, WRITE, "mode: append")
    text = (project / FILE).read_text()
    more = text[text.index("  - id: store") :].replace("id: store", "id: more").replace("table: t", "table: u")
    (project / FILE).write_text(text + more.replace("append", "replace"))
    assert found("validate", code=2) == [("OSR-SUPA-115", (15, 13)), ("OSR-SUPA-115", (23, 13))]


def test_a_mode_from_a_parameter_is_judged_by_its_value(project):
    put(project, WRITE, 'mode: "${params.how}"')
    text = (project / FILE).read_text()
    (project / FILE).write_text(text.replace("steps:", "params: {how: {type: string}}\nsteps:"))
    assert [code for code, _ in found("validate", code=0)] == ["OSR-OML-032"]
    assert found("validate", "--param", "how=append", code=2) == [("OSR-SUPA-115", (16, 13))]
