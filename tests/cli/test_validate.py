"""``osiris validate`` and ``osiris oml validate`` as their users meet them."""

from __future__ import annotations

import json

import duckdb
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

GOOD = """\
oml_version: "0.1.0"
name: good
steps:
  - {id: make, component: duckdb.processor, mode: transform, needs: [], config: {query: SELECT 1 AS x}}
  - {id: store, component: duckdb.writer, mode: write, config: {table: t, mode: replace}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "osiris.yaml").write_text("run: {jobs: 2}\n")
    (tmp_path / "osiris_connections.yaml").write_text("connections: {duckdb: {default: {path: a.duckdb}}}\n")
    (tmp_path / "pipelines" / "good.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, code=0):
    done = CliRunner().invoke(osiris, arguments)
    assert done.exit_code == code, done.output
    return done


def loaded(*arguments, code=0):
    done = run(*arguments, "--json", code=code)
    assert done.stderr == ""
    return json.loads(done.stdout)


def codes(document):
    return {each["file"]: [item["code"] for item in each["diagnostics"]] for each in document["files"]}


def test_a_whole_project(project):
    (project / "pipelines" / "also.yml").write_text(GOOD.replace("good", "also"))
    assert run("validate").stdout == (
        "valid: osiris.yaml\nvalid: osiris_connections.yaml\nvalid: pipelines/also.yml\nvalid: pipelines/good.yaml\n"
    )
    document = loaded("validate")
    assert (document["ok"], document["errors"], document["warnings"]) == (True, 0, 0)
    assert [each["kind"] for each in document["files"]] == ["settings", "connections", "pipeline", "pipeline"]


def test_everything_that_is_wrong_with_a_project(project):
    (project / "osiris_connections.yaml").write_text("connections: {duckdb: {default: {pth: a.duckdb}}}\n")
    (project / "pipelines" / "bad.yaml").write_text(GOOD.replace("mode: replace", "mode: replce"))
    (project / "pipelines" / "worse.yaml").write_text("a: [1\n")
    document = loaded("validate", code=2)
    assert codes(document) == {
        "osiris.yaml": [],
        "osiris_connections.yaml": ["OSR-CFG-003", "OSR-CFG-002"],
        "pipelines/bad.yaml": ["OSR-CFG-004"],
        "pipelines/good.yaml": [],
        "pipelines/worse.yaml": ["OSR-YAML-001"],
    }
    done = run("validate", code=2)
    assert "invalid: pipelines/worse.yaml\n" in done.stdout
    assert done.stderr.endswith("\n4 errors, 0 warnings\n")
    alone = loaded("validate", "pipelines/good.yaml", code=2)
    assert codes(alone) == {"pipelines/good.yaml": ["OSR-CFG-003", "OSR-CFG-002"]}


def test_settings(project):
    (project / "osiris.yaml").write_text("rum: {}\n")
    document = loaded("validate", code=2)
    assert (document["error"]["code"], document["diagnostics"][0]["hint"]) == ("OSR-SET-001", "did you mean 'run'?")


def test_a_connections_file_that_cannot_be_read(project):
    (project / "osiris_connections.yaml").write_text("connections: [\n")
    document = loaded("validate", code=2)
    assert codes(document)["osiris_connections.yaml"] == ["OSR-YAML-001"]
    assert codes(document)["pipelines/good.yaml"] == []  # what can be judged without it is
    assert codes(loaded("validate", "pipelines/good.yaml", code=2))["pipelines/good.yaml"] == ["OSR-YAML-001"]


def test_a_connection_of_a_family_that_is_not_installed_is_a_warning(project):
    with (project / "osiris_connections.yaml").open("a") as stream:
        stream.write("\n")
    (project / "osiris_connections.yaml").write_text(
        "connections: {duckdb: {default: {path: a.duckdb}}, oracle: {x: {host: h}}}\n"
    )
    document = loaded("validate")
    assert (document["errors"], document["warnings"]) == (0, 1)
    assert document["files"][1]["diagnostics"][0]["message"].startswith("@oracle.x: connection family 'oracle' is not")
    assert loaded("validate", "--mode", "off")["warnings"] == 0
    assert loaded("validate", "--mode", "strict", code=2)["errors"] == 1


@pytest.mark.parametrize("command", [("validate",), ("oml", "validate")])
def test_one_pipeline(project, command):
    assert run(*command, "pipelines/good.yaml").stdout == "valid: pipelines/good.yaml\n"
    (project / "bad.yaml").write_text(GOOD.replace("name: good", "name: good\ntasks: []"))
    done = run(*command, "bad.yaml", code=2)
    assert done.stdout == "invalid: bad.yaml\n"
    assert done.stderr == (
        "bad.yaml:3:1: error[OSR-OML-005]: 'tasks' does not belong to OML 0.1.0 (at $.tasks)\n"
        "  3 | tasks: []\n"
        "    | ^\n"
        "  = write `steps:`\n"
        "1 error, 0 warnings\n"
    )


def test_a_parameter_without_a_value_can_be_validated(project):
    text = GOOD.replace("steps:", "params: {t: {type: string}}\nsteps:").replace("table: t", 'table: "${params.t}"')
    (project / "p.yaml").write_text(text)
    document = loaded("validate", "p.yaml")
    assert [(item["severity"], item["code"]) for item in document["files"][0]["diagnostics"]] == [
        ("info", "OSR-OML-032")
    ]
    assert loaded("validate", "p.yaml", "--param", "t=x")["files"][0]["diagnostics"] == []


def test_outside_any_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(GOOD)
    document = loaded("oml", "validate", "p.yaml", code=2)
    assert document["files"][0]["diagnostics"][0]["code"] == "OSR-OML-053"
    assert loaded("validate")["files"] == []


def test_a_file_that_is_not_there(project):
    document = loaded("validate", "no.yaml", code=2)
    assert codes(document) == {"no.yaml": ["OSR-YAML-014"]}
    assert document["files"][0]["diagnostics"][0]["hint"] == "check that the path exists and is a readable file"


def test_pipelines_that_cannot_be_listed_are_not_valid(project):
    (project / "pipelines" / "good.yaml").unlink()
    (project / "pipelines").rmdir()
    run("validate")
    (project / "pipelines").symlink_to("pipelines")
    done = run("validate", code=1)
    assert done.stderr.startswith(f"error[OSR-CLI-002]: the operating system refused '{project}/pipelines': ")
    assert "valid: pipelines" not in done.stdout


def test_the_terminal_is_not_driven_by_a_document(project):
    (project / "p.yaml").write_text(GOOD.replace("mode: replace", 'mode: "\\e[2J\\u202e"'))
    done = run("validate", "p.yaml", code=2)
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


BOUND = """\
oml_version: "0.1.0"
name: bound
steps:
  - {id: read, component: duckdb.extractor, mode: extract, config: {connection: "@duckdb.shop", table: orders}}
  - id: sums
    component: duckdb.processor
    mode: transform
    needs: [read]
    config: {query: "SELECT customer, sum(total) AS total FROM read GROUP BY customer"}
  - {id: store, component: duckdb.writer, mode: write, needs: [sums], config: {table: sums, mode: replace}}
"""


@pytest.fixture
def shop(project):
    """A project whose one pipeline reads a table that is there."""
    (project / "osiris_connections.yaml").write_text(
        "connections: {duckdb: {default: {path: a.duckdb}, shop: {path: shop.duckdb}}}\n"
    )
    with duckdb.connect(str(project / "shop.duckdb")) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 1 AS customer, 2.5 AS total")
    (project / "pipelines" / "good.yaml").unlink()
    path = project / "pipelines" / "bound.yaml"
    path.write_text(BOUND)
    return path


def bind(*arguments):
    return CliRunner().invoke(osiris, ["validate", "--bind", *arguments])


def test_a_pipeline_is_bound_and_nothing_is_read_or_written(shop):
    before = (shop.parents[1] / "shop.duckdb").read_bytes()
    done = bind()
    assert done.exit_code == 0, done.output
    assert "valid: pipelines/bound.yaml, 3 of 3 steps bound" in done.stdout
    assert (shop.parents[1] / "shop.duckdb").read_bytes() == before
    assert not (shop.parents[1] / "a.duckdb").exists()
    assert not (shop.parents[1] / "build").exists()
    (found,) = json.loads(bind("pipelines/bound.yaml", "--json").stdout)["files"]
    assert [(step["id"], step["bound"]) for step in found["steps"]] == [("read", True), ("sums", True), ("store", True)]


def test_without_it_nobody_is_asked(shop):
    shop.write_text(BOUND.replace("orders", "odrers"))
    done = CliRunner().invoke(osiris, ["validate"])
    assert done.exit_code == 0
    assert "valid: pipelines/bound.yaml\n" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "right", "line", "said"),
    [
        ("table: orders", "table: odrers", 4, "odrers"),
        ("sum(total)", "sum(totl)", 5, "total"),  # what was meant is named
        ("SELECT customer,", "SELECT customer AS total,", 5, "two columns named 'total'"),
    ],
)
def test_what_does_not_bind_is_found_at_its_step(shop, wrong, right, line, said):
    shop.write_text(BOUND.replace(wrong, right))
    done = bind("pipelines/bound.yaml", "--json")
    assert done.exit_code == 2
    (found,) = json.loads(done.stdout)["files"]
    (one,) = found["diagnostics"]
    assert (one["file"], one["line"]) == ("pipelines/bound.yaml", line)
    assert said in one["message"]
    assert bind("pipelines/bound.yaml").exit_code == 2


def test_what_is_invalid_is_not_bound(shop):
    shop.write_text(BOUND.replace("mode: replace", "mode: odd").replace("orders", "odrers"))
    (found,) = json.loads(bind("pipelines/bound.yaml", "--json").stdout)["files"]
    assert "steps" not in found
    assert "odrers" not in str(found["diagnostics"])


def test_a_connection_that_does_not_work_is_no_fault_of_the_pipeline(shop):
    (shop.parents[1] / "shop.duckdb").write_bytes(b"no database")
    done = bind("pipelines/bound.yaml")
    assert done.exit_code == 5, done.output
    assert "not proved: pipelines/bound.yaml" in done.stdout
    (shop.parent / "other.yaml").write_text(GOOD.replace("SELECT 1 AS x", "SELECT nothing AS x"))
    assert bind().exit_code == 2, "what can be mended comes first"


def test_explain_and_validate_say_the_same(shop):
    shop.write_text(BOUND.replace("orders", "odrers"))
    explained = CliRunner().invoke(osiris, ["explain", "pipelines/bound.yaml", "--json"])
    (found,) = json.loads(bind("pipelines/bound.yaml", "--json").stdout)["files"]
    errors = [step["error"] for step in json.loads(explained.stdout)["steps"]]
    assert explained.exit_code == 2
    assert errors == [step["error"] for step in found["steps"]]
