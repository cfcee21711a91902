from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from osiris_core.project.settings import declared


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "osiris.yaml").write_text("run:\n  jobs: 3\n  retries: 1\nlogging: {events: ['*', '!step_*']}\n")
    (tmp_path / ".env").write_text("OSIRIS_RUN_RETRIES=5\n")
    return tmp_path


def show(*arguments, env=None):
    return CliRunner(env=env).invoke(osiris, ["config", "show", *arguments])


def test_origins_as_text(here):
    done = show("--origin", "run", env={"OSIRIS_RUN_TIMEOUT": "9"})
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "setting\tvalue\torigin\tvariable",
        "run.jobs\t3\tfile osiris.yaml:2\tOSIRIS_RUN_JOBS",
        "run.threads\tnull\tdefault\tOSIRIS_RUN_THREADS",
        "run.partitions\tnull\tdefault\tOSIRIS_RUN_PARTITIONS",
        "run.memory_limit\tnull\tdefault\tOSIRIS_RUN_MEMORY_LIMIT",
        "run.temp_directory\tnull\tdefault\tOSIRIS_RUN_TEMP_DIRECTORY",
        "run.retries\t5\tenv:OSIRIS_RUN_RETRIES (.env:1)\tOSIRIS_RUN_RETRIES",
        "run.timeout\t9.0\tenv:OSIRIS_RUN_TIMEOUT\tOSIRIS_RUN_TIMEOUT",
    ]


def test_without_origins(here):
    assert show("run.jobs", "logging.events").stdout.splitlines() == [
        "setting\tvalue",
        "run.jobs\t3",
        'logging.events\t["*", "!step_*"]',
    ]


def test_from_a_folder_below(here, monkeypatch):
    below = here / "pipelines"
    below.mkdir()
    monkeypatch.chdir(below)
    assert show("run.jobs").stdout.splitlines()[1] == "run.jobs\t3"


def test_json_has_every_setting(here):
    document = json.loads(show("--json").stdout)
    assert document["ok"] is True
    assert document["project"] == str(here)
    assert list(document["settings"]) == [setting.name for setting in declared()]
    assert document["settings"]["run.jobs"] == {
        "value": 3,
        "origin": "file osiris.yaml:2",
        "variable": "OSIRIS_RUN_JOBS",
    }


def test_an_unknown_setting(here):
    done = show("run.job")
    assert done.exit_code == 2
    assert done.stderr == "error[OSR-SET-004]: there is no setting 'run.job'\n  = did you mean 'run.jobs'?\n"


def test_a_warning_goes_to_stderr_and_leaves_the_json_alone(here):
    done = show("run.jobs", "--json", env={"OSIRIS_RUN_JOBZ": "1"})
    assert done.exit_code == 0
    assert json.loads(done.stdout)["settings"]["run.jobs"]["value"] == 3
    assert "warning[OSR-SET-003]: OSIRIS_RUN_JOBZ (environment) sets nothing" in done.stderr


def test_broken_settings_as_json(here):
    (here / "osiris.yaml").write_text("run: {job: 3}\n")
    done = show("--json")
    assert done.exit_code == 2
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert document["error"]["code"] == "OSR-SET-001"
    assert document["diagnostics"][0]["line"] == 1
    assert document["diagnostics"][0]["hint"] == "did you mean 'jobs'?"
