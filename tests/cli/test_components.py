"""``osiris components`` as its users meet it."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from osiris_core.cli import osiris
from osiris_core.model import yaml


@pytest.fixture
def project(on_path, tmp_path, monkeypatch):
    """A folder, and a good plugin beside the core's."""
    on_path.install("osiris-good", {"good": "osiris_good"}, files=["osiris_good", "osiris_good_driver"])
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return on_path


def run(*arguments, code=0):
    done = CliRunner().invoke(osiris, ["components", *arguments])
    assert done.exit_code == code, done.output
    return done


def test_an_unknown_family_is_refused_with_what_there_is(project):
    document = loaded("list", "--family", "fliesystem", code=2)
    assert (document["error"]["code"], document["error"]["hint"]) == ("OSR-CLI-004", "did you mean 'filesystem'?")


def loaded(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


def test_list(project):
    lines = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert lines[0] == ["component", "version", "role", "connection", "distribution", "summary"]
    assert ["good.extractor", "1.2.3", "extractor", "good", "osiris-good", "Reads good rows."] in lines
    names = [line[0] for line in lines[1:]]
    assert names == sorted(names)
    assert {"duckdb.extractor", "duckdb.processor", "duckdb.writer"} < set(names)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--family", "good"], ["good.extractor"]),
        (["--family", "duckdb", "--role", "writer"], ["duckdb.writer"]),
        (["--role", "processor", "--family", "good"], []),
    ],
)
def test_list_filtered(project, options, names):
    assert [component["name"] for component in loaded("list", *options)["components"]] == names


def test_list_as_json(project):
    (component,) = loaded("list", "--family", "good")["components"]
    assert component == {
        "name": "good.extractor",
        "version": "1.2.3",
        "role": "extractor",
        "mode": "extract",
        "summary": "Reads good rows.",
        "connection": "good",
        "connection_required": True,
        "plugin": "good",
        "distribution": "osiris-good",
        "distribution_version": "1.0",
    }


def test_show(project):
    assert run("show", "good.extractor").stdout == (
        "good.extractor 1.2.3: Reads good rows.\n"
        "\n"
        "It reads them\n"
        "all.\n"
        "\n"
        "role        extractor (mode: extract)\n"
        "connection  @good.… (required)\n"
        "plugin      good (osiris-good 1.0)\n"
        "can         binds\n"
        "\n"
        "config:\n"
        "field\ttype\tdefault\tdescription\n"
        "table\ttext\trequired\tThe table to read. (not empty)\n"
        "limit\ta whole number or null\tnull\tHow many rows at most. (at least 0)\n"
        "\n"
        "example: All orders\n"
        "- id: good-extractor\n"
        "  component: good.extractor\n"
        "  mode: extract\n"
        "  config:\n"
        '    connection: "@good.main"\n'
        "    table: orders\n"
        "\n"
        "hints:\n"
        "  Name the table in full.\n"
    )


def test_show_as_json(project):
    component = loaded("show", "good.extractor")["component"]
    assert component["capabilities"] == ["binds"]
    assert component["sql_dialect"] is None
    assert [field["name"] for field in component["fields"]] == ["table", "limit"]
    assert component["examples"] == [{"title": "All orders", "config": {"connection": "@good.main", "table": "orders"}}]
    assert loaded("show", "duckdb.processor")["component"]["sql_dialect"] == "duckdb"


def test_a_broken_plugin_is_named_and_stops_nobody(project):
    project.install("osiris-raises", {"raises": "osiris_raises"}, files=["osiris_raises"])
    project.install("osiris-talks", {"talks": "osiris_talks"}, files=["osiris_talks"])
    done = run("list", "--family", "good")
    assert done.stdout.splitlines()[1].startswith("good.extractor\t")
    assert (
        "warning[OSR-PLG-004]: plugin 'raises' (osiris-raises 1.0) failed: "
        "its import failed: RuntimeError: the licence server says no\n"
    ) in done.stderr
    assert "note: plugin 'talks' (osiris-talks 1.0): its import prints to standard output\n" in done.stderr


def test_describing_one_component_imports_no_other_plugin(project):
    project.install("osiris-raises", {"raises": "osiris_raises"}, files=["osiris_raises"])
    for command in ("show", "schema", "config-example"):
        done = run(command, "good.extractor")
        assert done.stderr == ""
    assert "osiris_raises" not in sys.modules


@pytest.mark.parametrize("command", ["show", "schema", "config-example", "validate"])
@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        (
            "e2b.extractor",
            "OSR-PLG-020",
            "it is provided by the distribution osiris-e2b: `pip install osiris-e2b`",
        ),
        ("good.extracter", "OSR-PLG-022", "did you mean 'good.extractor'?"),
        (
            "nonsense",
            "OSR-PLG-020",
            "`osiris components list` shows what is installed; a component is named 'family.role'",
        ),
    ],
)
def test_a_component_that_is_not_installed(project, command, name, code, hint):
    error = loaded(command, name, code=2)["error"]
    assert (error["code"], error["hint"]) == (code, hint)


def test_config_example_is_a_step_to_paste(project):
    text = run("config-example", "good.extractor").stdout
    assert text.startswith("# All orders\n- id: good-extractor\n")
    (step,) = yaml.load(text, file="x").data
    assert step == loaded("config-example", "good.extractor")["step"]
    assert step["config"] == {"connection": "@good.main", "table": "orders"}


def test_config_example_of_another_number(project):
    error = loaded("config-example", "good.extractor", "--number", "2", code=2)["error"]
    assert error["code"] == "OSR-PLG-026"
    assert error["message"] == "component 'good.extractor' has 1 example(s), so none is number 2"
    first, second = (loaded("config-example", "duckdb.writer", "--number", number) for number in ("1", "2"))
    assert first["title"] != second["title"]


def test_config_example_of_a_component_without_examples(project):
    project.install(
        "osiris-plain",
        {"plain": "osiris_plain"},
        sources={
            "osiris_plain.py": (
                "from osiris_core.api import *\n"
                "OSIRIS_API = '1.0'\n"
                "@config\n"
                "class Config:\n"
                "    'Plain.'\n"
                "    table: str = field(doc='A table.', examples=['orders'])\n"
                "    count: int = field(doc='How many.')\n"
                "    rest: str = field(default='x', doc='More.')\n"
                "@hookimpl\n"
                "def osiris_components():\n"
                "    return [ComponentSpec(name='plain.extractor', version='1.0.0', role=Role.EXTRACTOR,\n"
                "                          config=Config, connection='plain', summary='Plain.')]\n"
            )
        },
    )
    assert loaded("config-example", "plain.extractor") == {
        "ok": True,
        "title": "The required fields; fill them in",
        "step": {
            "id": "plain-extractor",
            "component": "plain.extractor",
            "mode": "extract",
            "config": {
                "connection": "@plain.default",
                "table": "orders",
                "count": "<a whole number>",
            },
        },
    }


def test_every_summary_is_a_sentence(project):
    summaries = [one["summary"] for one in loaded("list")["components"]]
    assert summaries
    assert [summary for summary in summaries if not summary.endswith(".")] == []


def test_schema_is_a_json_schema_that_accepts_the_example(project):
    schema = json.loads(run("schema", "good.extractor").stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    config = loaded("config-example", "good.extractor")["step"]["config"]
    assert validator.is_valid(config)
    assert not validator.is_valid({"table": ""})
    assert not validator.is_valid({"tabel": "orders"})


def test_validate(project):
    assert run("validate", "good.extractor").stdout == "good.extractor: ok\n"
    assert loaded("validate", "good.extractor") == {
        "ok": True,
        "components": [{"component": "good.extractor", "diagnostics": []}],
    }


def test_validate_all_ends_with_2_when_one_is_bad(project):
    (project.folder / "osiris_good_driver.py").write_text("raise SystemError('broken since')\n")
    done = run("validate", code=2)
    assert (
        "good.extractor:\n"
        "  error[OSR-PLG-035]: 'osiris_good_driver:Driver' of plugin 'good' (osiris-good 1.0) cannot be imported: "
        "SystemError: broken since\n"
        "    = return a DriverSpec whose ref exists\n"
    ) in done.stdout
    assert "duckdb.processor: ok\n" in done.stdout
    assert loaded("validate", code=2)["ok"] is False
