"""The genuine OpenAI client against a server of Chat Completions: what is sent, what comes back, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from osiris_core.api import llm
from osiris_llm.compatible import CompatibleProvider
from osiris_llm.config import CompatibleConfig
from tests.servers.models import ModelServer, Reply, Status

NAME = "MY_KEY"
KEY = "sk-test-0123456789abcdef"  # pragma: allowlist secret
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
QUICK = llm.Timeouts(connect=5, first=0.2, between=0.2)


class Memory(dict):
    def put(self, key, value):
        self[key] = value


@pytest.fixture
def server():
    with ModelServer() as one:
        yield one


def provider(server, memory=None, variables=None, **config):
    return CompatibleProvider(
        CompatibleConfig(**{"base_url": server.openai, "model": "test-model", **config}),
        llm.ProviderContext(variables=variables or {}, memory=Memory() if memory is None else memory),
    )


def request(**changes):
    asked = {
        "model": "test-model",
        "messages": (llm.Message(role="system", text="Be brief."), llm.Message(role="user", text="How many?")),
        "purpose": "test",
        "schema": SCHEMA,
        "timeouts": llm.Timeouts(connect=5, first=5, between=5),
    }
    return llm.Request(**asked | changes)


def heard(one, **changes):
    """The text of the reply, the notices, and how it ended."""
    events = list(one.stream(request(**changes)))
    assert isinstance(events[-1], llm.Done)
    text = "".join(event.text for event in events if isinstance(event, llm.Text))
    return text, [event.message for event in events if isinstance(event, llm.Notice)], events[-1]


def refused(one, **changes):
    with pytest.raises(llm.LLMError) as caught:
        list(one.stream(request(**changes)))
    return caught.value


def test_what_is_sent_and_what_comes(server):
    server.say(Reply({"n": 3}, usage=(100, 20, 30, 5)))
    text, notices, done = heard(provider(server))
    assert (json.loads(text), notices) == ({"n": 3}, [])
    assert done.stop == "end"
    assert done.usage == llm.Usage(input=100, cached=20, output=30, reasoning=5)
    (call,) = server.calls
    assert call.schema == SCHEMA
    assert call.body["response_format"]["json_schema"]["strict"] is True
    assert call.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How many?"},
    ]
    assert "temperature" not in call.body
    assert "tools" not in call.body
    assert "authorization" not in {name.lower() for name in call.headers}


def test_the_key_is_in_its_header_and_nowhere_else(server):
    server.key = KEY
    server.say({"n": 1})
    one = provider(server, variables={"MY_KEY": KEY}, api_key_env=NAME)
    assert one.secrets() == (KEY,)
    heard(one)
    (call,) = server.calls
    found = [name for name, value in call.headers.items() if KEY in value]
    assert [name.lower() for name in found] == ["authorization"]
    assert KEY not in call.text


def test_a_key_of_the_environment_is_not_sent_unless_it_is_named(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    server.say({"n": 1})
    heard(provider(server))
    assert KEY not in str(server.calls[0].headers)
    assert "org-of-somebody" not in str(server.calls[0].headers)


def test_a_key_that_is_not_set_is_an_error_before_any_network(server):
    error = refused(provider(server, api_key_env=NAME))
    assert (error.code, server.calls) == (str(llm.LLMCode.NO_KEY), [])
    assert "MY_KEY" in error.message


def test_a_key_is_not_sent_in_the_clear():
    one = CompatibleProvider(
        CompatibleConfig(base_url="http://models.example.org/v1", model="m", api_key_env=NAME),
        llm.ProviderContext(variables={"MY_KEY": KEY}, memory=Memory()),
    )
    assert refused(one).code == str(llm.LLMCode.IN_THE_CLEAR)


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ({"json_object_schema", "json_object"}, {"type": "json_object", "schema": SCHEMA}),
        ({"json_object"}, {"type": "json_object"}),
        (set(), None),
    ],
)
def test_a_json_mode_is_given_up_step_by_step_and_remembered(server, modes, wanted):
    server.json_modes = modes
    server.say({"n": 1}, {"n": 2})
    memory = Memory()
    text, notices, _ = heard(provider(server, memory))
    assert json.loads(text) == {"n": 1}
    assert notices
    assert server.calls[-1].body.get("response_format") == wanted
    steps = len(server.calls)
    heard(provider(server, memory))
    assert len(server.calls) == steps + 1


def test_a_fenced_reply_of_a_model_that_was_only_told(server):
    server.json_modes = set()
    server.say('```json\n{"n": 1}\n```')
    text, _, _ = heard(provider(server))
    assert json.loads(text) == {"n": 1}
    assert "JSON Schema" in server.calls[-1].body["messages"][0]["content"]


STATUSES = [
    (400, "BAD_REQUEST", False),
    (401, "KEY_REFUSED", False),
    (403, "NOT_ALLOWED", False),
    (404, "NO_MODEL", False),
    (408, "OVERLOADED", True),
    (409, "OVERLOADED", True),
    (413, "TOO_LONG", False),
    (429, "RATE_LIMITED", True),
    (500, "OVERLOADED", True),
    (503, "OVERLOADED", True),
    (529, "OVERLOADED", True),
]


@pytest.mark.parametrize(("status", "code", "retriable"), STATUSES)
def test_statuses(server, status, code, retriable):
    server.say(Status(status, "the model says no"))
    error = refused(provider(server))
    assert (error.code, error.retriable, error.status) == (str(llm.LLMCode[code]), retriable, status)
    assert len(server.calls) == 1


def test_an_empty_account_is_not_asked_again(server):
    server.say(Status(429, "You exceeded your current quota", code="insufficient_quota"))
    error = refused(provider(server))
    assert (error.code, error.retriable) == (str(llm.LLMCode.EXHAUSTED), False)


def test_how_long_to_wait(server):
    server.say(Status(429, "slow down", headers={"retry-after": "7"}))
    assert refused(provider(server)).retry_after == 7.0


def test_a_server_that_loads_its_model_says_so(server):
    server.say(Status(503, "Loading model"))
    events = []
    with pytest.raises(llm.LLMError) as caught:
        events += provider(server).stream(request())
    assert caught.value.retriable


@pytest.mark.parametrize("fault", ["truncated", "cut", "garbage", "error", "page"])
def test_a_reply_that_is_not_whole_is_an_error(server, fault):
    server.say(Reply({"n": 1}, fault=fault))
    assert refused(provider(server)).retriable


@pytest.mark.parametrize("fault", ["mute", "silent", "stall"])
def test_a_reply_that_does_not_come_is_given_up(server, fault):
    server.say(Reply({"n": 1}, fault=fault))
    error = refused(provider(server), timeouts=QUICK)
    assert (error.code, error.retriable) == (str(llm.LLMCode.TIMEOUT), True)


def test_an_empty_reply_is_an_error(server):
    server.say(Reply(""))
    assert refused(provider(server)).code == str(llm.LLMCode.UNUSABLE)


def test_a_tool_call_is_an_error(server):
    server.say(Reply("drop_table", stop="tool"))
    assert refused(provider(server)).code == str(llm.LLMCode.TOOL_CALL)


@pytest.mark.parametrize("stop", ["max_tokens", "refusal"])
def test_other_ends(server, stop):
    server.say(Reply("half", stop=stop))
    assert heard(provider(server))[2].stop == stop


def test_nobody_there():
    with ModelServer() as gone:
        url = gone.openai
    one = CompatibleProvider(
        CompatibleConfig(base_url=url, model="m"), llm.ProviderContext(variables={}, memory=Memory())
    )
    error = refused(one)
    assert (error.code, error.retriable) == (str(llm.LLMCode.UNREACHABLE), True)
    assert not one.health("m").ok


def test_models_and_health(server):
    server.on(".", {"ready": True})
    one = provider(server)
    assert one.models() == ("test-model",)
    assert one.health("test-model").ok


def test_the_plugin_imports_no_sdk():
    code = (
        "import sys, osiris_llm.plugin, osiris_llm.compatible, osiris_llm.replay;"
        "print(sorted({'openai', 'httpx', 'httpx2', 'anthropic', 'google'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
