"""``osiris plugins`` as its users meet it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from osiris_core.plugins.index import index


@pytest.fixture
def project(on_path, tmp_path, monkeypatch):
    """An empty project and three plugins: one good, one that fails, one for another API."""
    for name, module in (("good", "osiris_good"), ("raises", "osiris_raises"), ("old", "osiris_next_major")):
        files = [module, "osiris_good_driver"] if name == "good" else [module]
        on_path.install(f"osiris-{name}", {name: module}, files=files)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "osiris.yaml").write_text("{}\n")
    monkeypatch.chdir(folder)
    for variable in ("OSIRIS_PLUGINS_STRICT", "OSIRIS_PLUGINS_ALLOW", "OSIRIS_PLUGINS_BLOCK"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def others():
    """The ids of the plugins that are installed where the tests run, and are neither the core's nor the tests'."""
    known = {"osiris-good", "osiris-raises", "osiris-old"}
    return [entry.id for entry in index() if not entry.is_core and entry.distribution not in known]


def run(*arguments):
    return CliRunner().invoke(osiris, ["plugins", *arguments])


def loaded(*arguments, code=0):
    done = run(*arguments, "--json")
    assert done.exit_code == code, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_list_shows_every_plugin_with_status_and_provenance(project):
    done = run("list")
    assert done.exit_code == 0
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["plugin", "distribution", "version", "api", "status", "provides"]
    rows = {row[0]: row[1:] for row in lines[1:]}
    assert rows["good"] == ["osiris-good", "1.0", "1.0", "ok", "1 component, 1 connection family"]
    assert rows["old"] == ["osiris-old", "1.0", "2.0", "incompatible", ""]
    assert rows["raises"] == ["osiris-raises", "1.0", "", "failed", ""]
    assert rows["duckdb"][3] == "ok"
    assert (
        "error[OSR-PLG-003]: plugin 'old' (osiris-old 1.0) is incompatible: "
        "it was written for plugin API 2.0; this is 1.0\n"
        "  = install a version of the plugin, or of osiris-core, so that their API versions agree\n"
    ) in done.stderr
    assert (
        "error[OSR-PLG-004]: plugin 'raises' (osiris-raises 1.0) failed: "
        "its import failed: RuntimeError: the licence server says no\n"
    ) in done.stderr


def test_list_as_json_has_every_key(project):
    document = loaded("list")
    assert document["ok"] is True
    (good,) = (plugin for plugin in document["plugins"] if plugin["id"] == "good")
    assert good.pop("import_ms") > 0
    assert len(good.pop("record_hash")) == 64
    assert good == {
        "id": "good",
        "distribution": "osiris-good",
        "version": "1.0",
        "module": "osiris_good",
        "api": "1.0",
        "status": "ok",
        "code": None,
        "message": None,
        "hint": None,
        "warnings": [],
        "provides": {
            "component": ["good.extractor"],
            "driver": ["good.extractor"],
            "connection": ["good"],
            "discoverer": [],
            "llm_provider": [],
            "target": [],
            "secret_store": [],
        },
    }


def test_settings_block_a_plugin(project):
    (project / "osiris.yaml").write_text("plugins:\n  block: [raises, osiris-old]\n")
    done = run("list")
    assert "raises\tosiris-raises\t1.0\t\tblocked\t" in done.stdout
    assert (
        "info[OSR-PLG-002]: plugin 'raises' (osiris-raises 1.0) is blocked: plugins.block holds 'raises'" in done.stderr
    )
    assert (
        "info[OSR-PLG-002]: plugin 'old' (osiris-old 1.0) is blocked: plugins.block holds 'osiris-old'" in done.stderr
    )
    assert "licence server" not in done.output


def test_settings_allow_some_plugins_and_the_core_always(project):
    (project / "osiris.yaml").write_text("plugins:\n  allow: [good]\n")
    statuses = {plugin["id"]: plugin["status"] for plugin in loaded("list")["plugins"]}
    ours = {"duckdb": "ok", "env": "ok", "local": "ok", "good": "ok", "old": "blocked", "raises": "blocked"}
    assert statuses == ours | dict.fromkeys(others(), "blocked")


def test_strict_stops_the_command(project, monkeypatch):
    monkeypatch.setenv("OSIRIS_PLUGINS_STRICT", "1")
    monkeypatch.setenv("OSIRIS_PLUGINS_BLOCK", ",".join(others()))
    document = loaded("list", code=2)
    assert document["error"] == {
        "code": "OSR-PLG-010",
        "message": "strict mode refuses to go on with unusable plugins: 'old' (osiris-old 1.0), 'raises' (osiris-raises 1.0)",
        "where": None,
        "hint": "mend, uninstall or block what is listed",
        "exit_code": 2,
    }
    assert [finding["code"] for finding in document["diagnostics"]] == ["OSR-PLG-003", "OSR-PLG-004"]
    monkeypatch.setenv("OSIRIS_PLUGINS_BLOCK", ",".join(["old", "raises", *others()]))
    assert loaded("list")["ok"] is True


def test_show_lists_what_a_plugin_provides(project):
    done = run("show", "good")
    assert done.exit_code == 0
    rows = [line.split("  ", 1) for line in done.stdout.splitlines()]
    shown = {label.strip(): value.strip() for label, value in rows}
    assert shown.pop("import").endswith(" ms")
    assert len(shown.pop("record hash")) == 64
    assert shown == {
        "plugin": "good",
        "distribution": "osiris-good 1.0",
        "entry module": "osiris_good",
        "plugin api": "1.0",
        "status": "ok",
        "component": "good.extractor",
        "connection family": "good",
    }
    (plugin,) = loaded("show", "good")["plugins"]
    assert plugin["provides"]["connection"] == ["good"]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("goood", "no plugin 'goood' is installed", "did you mean 'good'?"),
        (
            "e2b",
            "no plugin 'e2b' is installed",
            "a plugin of that name would come from `pip install osiris-e2b`",
        ),
        ("evil", "no plugin 'evil' is installed", "`osiris plugins list` shows what is installed"),
        ("../x\x1b[2J", "no plugin '../x\\x1b[2J' is installed", "`osiris plugins list` shows what is installed"),
    ],
)
@pytest.mark.parametrize("command", ["show", "check"])
def test_a_plugin_that_is_not_installed(project, command, name, message, hint):
    error = loaded(command, name, code=2)["error"]
    assert (error["code"], error["message"], error["hint"]) == ("OSR-PLG-025", message, hint)
    done = run(command, name)
    assert done.stderr == f"error[OSR-PLG-025]: {message}\n  = {hint}\n"


def test_check_of_a_good_plugin(project):
    done = run("check", "good")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "good (osiris-good 1.0): ok\n", "")


def test_check_reports_errors_with_the_traceback(project):
    done = run("check")
    assert done.exit_code == 2
    assert "good (osiris-good 1.0): ok\n" in done.stdout
    assert (
        "raises (osiris-raises 1.0): 1 error, 0 other findings\n"
        "  raises: error[OSR-PLG-004]: plugin 'raises' (osiris-raises 1.0) failed: "
        "its import failed: RuntimeError: the licence server says no\n"
    ) in done.stdout
    assert "osiris_raises.py" in done.stderr
    document = loaded("check", "raises", code=2)
    assert document["ok"] is False
    assert "RuntimeError" in document["plugins"][0]["detail"]
    assert document["plugins"][0]["diagnostics"][0]["subject"] == "raises"


def test_check_notices_files_that_changed(project, on_path):
    (on_path.folder / "osiris_good_driver.py").write_text("class Driver: ...\n")
    done = run("check", "good")
    assert done.exit_code == 2  # the driver that came instead is none
    assert done.stdout.endswith(
        "  good: warning[OSR-PLG-038]: files of osiris-good 1.0: 1 changed since it was installed: osiris_good_driver.py\n"
        "    = reinstall the distribution\n"
    )


def test_check_shows_oddities(project, on_path):
    on_path.install("osiris-slow", {"slow": "osiris_slow"}, files=["osiris_slow"])
    (plugin,) = loaded("check", "slow", code=2)["plugins"]
    assert [(f["severity"], f["code"], f["subject"]) for f in plugin["diagnostics"]] == [
        ("error", "OSR-PLG-036", "target slow"),
        ("error", "OSR-PLG-036", "target slow"),
        ("error", "OSR-PLG-036", "target slow"),
        ("error", "OSR-PLG-036", "target slow"),
        ("warning", "OSR-PLG-011", "slow"),
    ]
