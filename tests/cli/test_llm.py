"""``osiris llm`` with the genuine plugin, before the scripted server of models."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from tests.servers.models import ModelServer, Status

KEY = "sk-made-up-0123456789"  # pragma: allowlist secret


@pytest.fixture
def server():
    with ModelServer(models=("test-model", "big-model")) as one:
        yield one


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes ``osiris.yaml``, and calls ``osiris llm`` beside it."""
    monkeypatch.chdir(tmp_path)
    for name in ("OSIRIS_LLM_PROVIDER", "OSIRIS_LLM_MODEL", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(settings, *arguments, env=None):
        (tmp_path / "osiris.yaml").write_text(json.dumps({"llm": settings}))
        return CliRunner(env=env).invoke(osiris, ["llm", *arguments])

    run.folder = tmp_path
    return run


def document(result, code=0):
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def compatible(server, **more):
    return {"providers": {"openai_compatible": {"base_url": server.openai, "model": "test-model", **more}}}


def test_list_says_which_is_asked(project, server):
    settings = compatible(server) | {"fallback": ["local:tiny"]}
    found = {one["provider"]: one for one in document(project(settings, "list", "--json"))["providers"]}
    assert set(found) >= {"openai", "anthropic", "gemini", "openai_compatible", "local", "replay"}
    assert found["openai_compatible"]["chosen"] == "first"
    assert found["local"]["chosen"] == "fallback"
    assert found["openai"]["chosen"] is None
    assert found["openai"]["distribution"] == "osiris-llm"
    assert "openai_compatible" in project(settings, "list").stdout
    assert server.calls == []


def test_command_line_beats_environment_beats_file(project, server):
    settings = compatible(server) | {"provider": "openai_compatible", "model": "test-model"}
    server.on(r".", {"ready": True})

    def asked(*arguments, env=None):
        document(project(settings, "doctor", "--json", *arguments, env=env))
        return server.calls[-1].body["model"]

    variable = {"OSIRIS_LLM_MODEL": "big-model"}
    assert asked() == "test-model"
    assert asked(env=variable) == "big-model"
    assert asked("--model", "test-model", env=variable) == "test-model"


def test_doctor_tries_every_candidate_and_ends_in_5_when_one_fails(project, server):
    server.key = KEY
    server.on(r".", {"ready": True})
    settings = compatible(server, api_key_env="MY_KEY")
    good = document(project(settings, "doctor", "--json", env={"MY_KEY": KEY}))
    assert good["ok"] is True
    assert [check["held"] for check in good["models"][0]["checks"]] == [True] * 5
    settings["fallback"], settings["provider"] = ["anthropic"], "openai_compatible"
    bad = document(project(settings, "doctor", "--json", env={"MY_KEY": KEY}), code=5)
    assert [one["ok"] for one in bad["models"]] == [True, False]
    assert "ANTHROPIC_API_KEY" in str(bad["models"][1])
    text = project(settings, "doctor", env={"MY_KEY": KEY})
    assert text.exit_code == 5
    assert "[OSR-LLM-002]" in text.output


def test_a_key_that_a_server_says_is_not_shown(project, server):
    server.key = "another"
    for arguments in (("doctor",), ("models",), ("models", "--json")):
        result = project(compatible(server, api_key_env="MY_KEY"), *arguments, env={"MY_KEY": KEY})
        assert result.exit_code == 5
        assert "OSR-LLM-003" in result.output
        assert KEY not in result.output


def test_models_lists_those_of_the_service(project, server):
    assert document(project(compatible(server), "models", "--json"))["models"] == ["big-model", "test-model"]
    assert project(compatible(server), "models").stdout == "big-model\ntest-model\n"
    refused = project({}, "models", "--provider", "anthropic", "--json", env={"ANTHROPIC_API_KEY": ""})
    assert document(refused, code=5)["error"]["code"] == "OSR-LLM-002"


def test_what_a_server_was_found_to_take_is_remembered_in_the_project(project, server):
    server.json_modes, server.json_refusal = {"json_object"}, Status(400, "response_format: no such type")
    server.on(r".", {"ready": True})
    document(project(compatible(server), "doctor", "--json"))
    first = len(server.calls)
    document(project(compatible(server), "doctor", "--json"))
    assert len(server.calls) - first < first
    assert "json_object" in (project.folder / ".osiris" / "llm.json").read_text()


CHOICES = [
    ({}, (), "OSR-LLM-021"),
    ({"provider": "openai_compatible"}, (), "OSR-LLM-023"),
    ({"providers": {"openai_compatible": {"base_url": "http://127.0.0.1:9/v1"}}}, (), "OSR-LLM-022"),
    ({"providers": {"openai": {"api_key": KEY}}}, (), "OSR-LLM-023"),
    ({"providers": {"openai": {"base_url": "ftp://example.org"}}}, (), "OSR-LLM-023"),
]


@pytest.mark.parametrize(("settings", "arguments", "code"), CHOICES)
def test_a_choice_that_cannot_be_made_says_why(project, settings, arguments, code):
    failed = document(project(settings, "doctor", "--json", *arguments), code=2)
    assert failed["error"]["code"] == code
    assert failed["error"]["hint"]


@pytest.mark.parametrize("fallback", ["opnai", "local", "openai"])
def test_a_fallback_that_cannot_be_used_is_a_failed_check(project, server, tmp_path, fallback):
    server.on(r".", {"ready": True})
    settings = compatible(server) | {"provider": "openai_compatible", "fallback": ["replay", fallback]}
    settings["providers"]["openai"] = {"model": 1}
    env = {"XDG_CACHE_HOME": str(tmp_path / "empty")}
    found = document(project(settings, "doctor", "--json", env=env), code=5)["models"]
    assert [one["ok"] for one in found] == [True, False, False]
    assert "OSR-LLM-023" in str(found[1])


def test_an_unknown_provider(project):
    failed = document(project({}, "doctor", "--provider", "opnai", "--json"), code=2)
    assert "opnai" in failed["error"]["message"]
