"""Genuine llama.cpp, with a model of random weights: the grammar, the key, the end."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from runpy import run_path
from urllib.parse import urlsplit

import pytest

from osiris_core.spec import llm
from osiris_llm.local_gguf import kept_model

from .conftest import fails, hear, request
from .tiny_gguf import write

pytest.importorskip("xllamacpp")

SCRIPT = Path(__file__).parents[3] / "scripts" / "fetch_model.py"
FORM = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}, "size": {"enum": ["small", "large"]}},
    "required": ["ready", "size"],
    "additionalProperties": False,
}


@pytest.fixture(scope="session")
def gguf(tmp_path_factory):
    return write(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture
def provider(make, gguf):
    return make("local", path=str(gguf), n_ctx=1024)


def _listens(address):
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except OSError:
        return False
    return True


def test_a_reply_has_the_form_that_was_asked_for(provider):
    heard = hear(provider, request(schema=FORM, model="whatever", system="Answer"))
    answer = json.loads(heard.text)
    assert set(answer) == {"ready", "size"}
    assert answer["size"] in ("small", "large")
    assert isinstance(answer["ready"], bool)
    assert heard.done.model == "tiny", "the file's name, without its folder"
    assert heard.done.usage.input > 0
    assert heard.done.usage.output > 0
    assert heard.notices == ["loading the model tiny"]
    # It is loaded once.
    assert hear(provider, request(schema=FORM)).notices == []


def test_prose_ends_at_its_limit(provider):
    heard = hear(provider, request(max_output_tokens=8))
    assert heard.done.stop in ("max_tokens", "end")
    assert heard.done.usage.output <= 8


def test_a_question_that_is_too_long(provider):
    fails(provider, request("x" * 3000), "OSR-LLM-007", retriable=False)


def test_nobody_else_is_answered_and_nobody_from_outside_is_heard(provider):
    hear(provider, request(schema=FORM))
    address = provider._started().address
    assert urlsplit(address).hostname == "127.0.0.1"
    asked = urllib.request.Request(f"{address}/v1/chat/completions", data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(asked)
    with closing(raised.value):
        assert raised.value.code == 401
    (secret,) = provider.secrets()
    assert len(secret) == 32
    assert secret not in repr(provider)


def test_it_ends_with_the_provider(provider):
    hear(provider, request(schema=FORM))
    address = provider._started().address
    assert _listens(address)
    provider.close()
    assert not _listens(address)
    provider.close()


def test_it_ends_before_it_has_begun(provider):
    """llama.cpp's own end, when nothing has been asked yet, may wait for ever."""
    for _ in range(5):
        assert provider.models() == ("tiny",)
        provider.close()


def test_a_process_that_was_killed_is_replaced(provider):
    hear(provider, request(schema=FORM))
    first = provider._started()
    first.process.kill()
    first.process.wait()
    heard = hear(provider, request(schema=FORM))
    assert heard.notices == ["loading the model tiny"]
    assert provider._started().process.pid != first.process.pid


def test_it_does_not_outlive_who_started_it(gguf):
    """Not even one that is killed: its standard input ends."""
    code = (
        "import sys; from osiris_llm.config import LocalConfig; from osiris_llm.local_gguf import LocalProvider\n"
        f"provider = LocalProvider(LocalConfig(path={str(gguf)!r}, n_ctx=256), None)\n"
        "print(provider._started().address, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        address = process.stdout.readline().decode().strip()
        assert _listens(address)
        process.kill()
    while _listens(address):
        pass  # the test's own limit ends it


def test_without_a_path_it_is_the_model_in_the_cache(make, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = make("local")
    error, _ = fails(made, request(), "OSR-LLM-018", retriable=False)
    assert "there is no model in " in error.message
    assert "llm.providers.local.path" in error.hint
    assert made.health(made.default_model()).ok is False
    folder = tmp_path / "osiris" / "models"
    folder.mkdir(parents=True)
    write(folder / "small.gguf")
    made = make("local")
    assert made.default_model() == "small"
    assert hear(made, request(schema=FORM)).done.model == "small"
    write(folder / "other.gguf")
    error, _ = fails(make("local"), request(), "OSR-LLM-018", retriable=False)
    assert "several models, other.gguf, small.gguf," in error.message


def test_the_script_puts_its_model_where_the_provider_looks(monkeypatch, tmp_path):
    for place in (str(tmp_path), "relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        script = run_path(str(SCRIPT))["cache_folder"]()
        script.mkdir(parents=True)
        (script / "one.gguf").touch()
        assert kept_model() == script / "one.gguf"
        (script / "one.gguf").unlink()
        script.rmdir()


def test_a_file_that_is_not_there(make, tmp_path):
    error, _ = fails(make("local", path=str(tmp_path / "none.gguf")), request(), "OSR-LLM-018", retriable=False)
    assert "none.gguf" in error.message


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 something else"])
def test_a_file_that_is_no_model(make, tmp_path, content):
    path = tmp_path / "odd.gguf"
    path.write_bytes(content)
    error, _ = fails(make("local", path=str(path)), request(), "OSR-LLM-018", retriable=False)
    assert "no GGUF file" in error.message


def test_a_file_that_is_broken(make, tmp_path, gguf):
    path = tmp_path / "cut.gguf"
    path.write_bytes(gguf.read_bytes()[:20_000])
    error, _ = fails(make("local", path=str(path)), request(), "OSR-LLM-018", retriable=False)
    assert "cannot load" in error.message


def test_health_models_and_price(provider, make, tmp_path):
    assert provider.default_model() == "tiny"
    assert provider.models() == ("tiny",)
    assert provider.price("tiny") == llm.Price(input=0.0, output=0.0)
    assert provider.health("tiny").ok
    checks = {name: held for name, held, _ in make("local", path=str(tmp_path / "none")).health("none").checks}
    assert checks == {"package": True, "key": False, "service": None, "model": None, "json": None}
