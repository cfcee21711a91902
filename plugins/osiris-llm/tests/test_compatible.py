"""Chat Completions by the genuine SDK, before the scripted server."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from osiris_core.spec import llm
from tests.servers.models import Reply, Status

from .conftest import KEY, LIMITS, SCHEMA, Memory, fails, hear, request


@pytest.fixture
def provider(make, server):
    return make("openai_compatible", base_url=server.openai)


def test_prose_comes_in_pieces_with_its_usage(provider, server):
    server.say(Reply("Good morning, all of you", pieces=4))
    heard = hear(provider, request("Hi", "Yes?", "Greet us", system="Be kind"))
    assert heard.text == "Good morning, all of you"
    assert heard.done.stop == "end"
    assert heard.done.usage == llm.Usage(input=100, cached=20, output=30, reasoning=5)
    assert heard.done.model == "test-model"
    (call,) = server.calls
    assert call.body == {
        "model": "test-model",
        "messages": [
            {"role": "system", "content": "Be kind"},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Greet us"},
        ],
        "max_tokens": 4096,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_without_a_key_none_is_sent_whatever_the_process_has(provider, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-made-up")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    server.say("Hi")
    assert hear(provider, request()).text == "Hi"
    (call,) = server.calls
    assert "authorization" not in call.headers
    assert "openai-organization" not in call.headers
    assert KEY not in str(call)


def test_a_key_goes_into_its_header_and_nowhere_else(make, server):
    server.key = KEY
    server.say("Hi")
    provider = make("openai_compatible", {"MY_KEY": KEY}, base_url=server.openai, api_key_env="MY_KEY")
    assert provider.secrets() == (KEY,)
    assert hear(provider, request()).text == "Hi"
    (call,) = server.calls
    assert {name for name, value in call.headers.items() if KEY in value} == {"authorization"}
    assert KEY not in call.text + call.path


def test_a_missing_key_is_named_before_anything_is_sent(make, server):
    provider = make("openai_compatible", base_url=server.openai, api_key_env="MY_KEY")
    error, _ = fails(provider, request(), "OSR-LLM-002", retriable=False)
    assert "MY_KEY" in error.message
    assert server.calls == []


def test_a_key_is_not_sent_in_the_clear(make, server):
    far = {"base_url": "http://models.invalid/v1", "api_key_env": "MY_KEY"}  # pragma: allowlist secret
    error, _ = fails(make("openai_compatible", {"MY_KEY": KEY}, **far), request(), "OSR-LLM-017", retriable=False)
    assert "models.invalid" in error.message
    # Allowed, it is tried, and the name leads nowhere; so it is without a key.
    for config in ({**far, "allow_insecure": True}, {"base_url": far["base_url"]}):
        fails(make("openai_compatible", {"MY_KEY": KEY}, **config), request(), "OSR-LLM-011", retriable=True)


def test_an_address_is_not_left_for_another(make, server):
    server.say(Status(307, headers={"location": "http://127.0.0.1:9/v1/chat/completions"}))
    error, _ = fails(make("openai_compatible", base_url=server.openai), request(), "OSR-LLM-006", retriable=False)
    assert "not followed" in error.hint


# --- JSON ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["json_schema", "json_object_schema", "json_object", "prompt"])
def test_json_is_asked_for_in_the_mode_that_is_configured(make, server, mode):
    server.say({"answer": "a", "rows": 1})
    provider = make("openai_compatible", base_url=server.openai, json_mode=mode)
    heard = hear(provider, request(system="Be exact", schema=SCHEMA, schema_name="plan"))
    assert json.loads(heard.text) == {"answer": "a", "rows": 1}
    assert heard.notices == []
    (call,) = server.calls
    form = call.body.get("response_format")
    told = call.body["messages"][0]["content"]
    assert call.body["messages"][0]["role"] == "system"
    expected = {
        "json_schema": {"type": "json_schema", "json_schema": {"name": "plan", "strict": True, "schema": SCHEMA}},
        "json_object_schema": {"type": "json_object", "schema": SCHEMA},
        "json_object": {"type": "json_object"},
        "prompt": None,
    }
    assert form == expected[mode]
    assert (json.dumps(SCHEMA) in told) is (mode in ("json_object", "prompt"))
    assert told.startswith("Be exact")


REFUSALS = {
    "400": Status(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model"),
    "422": Status(422, body={"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be ..."}]}),
    "500": Status(500, body={"error": {"message": "[{'type': 'literal_error', 'loc': ('body', 'response_format')}]"}}),
    "text": Status(400, body="unknown field response_format"),
}


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
@pytest.mark.parametrize("taken", ["json_object_schema", "json_object", "prompt"])
def test_a_refused_mode_is_given_up_one_step_at_a_time_and_remembered(make, server, taken, refusal):
    server.json_modes = {taken}
    server.json_refusal = REFUSALS[refusal]
    server.say({"answer": "a", "rows": 1}, {"answer": "b", "rows": 2})
    memory = Memory()
    provider = make("openai_compatible", memory=memory, base_url=server.openai)
    heard = hear(provider, request(schema=SCHEMA))
    steps = ["json_schema", "json_object_schema", "json_object", "prompt"].index(taken)
    assert json.loads(heard.text) == {"answer": "a", "rows": 1}
    assert len(heard.notices) == steps
    assert taken in heard.notices[-1]
    assert len(server.calls) == steps + 1
    # Another provider of the same project, another day: asked once.
    again = make("openai_compatible", memory=memory, base_url=server.openai)
    assert hear(again, request(schema=SCHEMA)).notices == []
    assert len(server.calls) == steps + 2


def test_what_is_remembered_is_of_one_server_and_one_model(make, server):
    server.json_modes, server.models = {"json_object"}, ("test-model", "other")
    server.say(*[{"answer": "a", "rows": 1}] * 2)
    memory = Memory()
    provider = make("openai_compatible", memory=memory, base_url=server.openai)
    assert len(hear(provider, request(schema=SCHEMA)).notices) == 2
    assert len(hear(provider, request(schema=SCHEMA, model="other")).notices) == 2


@pytest.mark.parametrize(
    "kept", ["", "nonsense", "json_object", "json_object max_tokens", "json_schema max_tokens what"]
)
def test_a_memory_that_makes_no_sense_does_no_harm(make, server, kept):
    memory = Memory()
    memory.get = lambda key: kept
    server.say({"answer": "a", "rows": 1})
    assert hear(make("openai_compatible", memory=memory, base_url=server.openai), request(schema=SCHEMA)).text


def test_a_mode_that_is_configured_is_not_given_up(make, server):
    server.json_modes = {"json_object"}
    provider = make("openai_compatible", base_url=server.openai, json_mode="json_schema")
    fails(provider, request(schema=SCHEMA), "OSR-LLM-006", retriable=False)
    assert len(server.calls) == 1


def test_a_schema_that_no_service_takes_is_the_servers_word(provider, server):
    """And the server of the tests is as strict as the strictest of them."""
    error, _ = fails(
        provider,
        request(schema={"type": "object", "properties": {"a": {"type": "string"}}}),
        "OSR-LLM-006",
        retriable=False,
    )
    assert "additionalProperties" in error.message


def test_an_old_server_is_asked_without_what_it_does_not_know(make, server):
    server.counts_tokens, server.tokens_parameters = False, {"max_completion_tokens"}
    server.say("Hi", "Ho")
    memory = Memory()
    provider = make("openai_compatible", memory=memory, base_url=server.openai)
    heard = hear(provider, request())
    assert (heard.text, heard.done.usage) == ("Hi", llm.Usage())
    assert len(heard.notices) == 2
    assert hear(provider, request()).notices == []
    assert "max_tokens" not in server.calls[-1].body
    assert "temperature" not in str(server.calls)


def test_a_temperature_is_sent_where_one_is_wanted_and_taken(make, server):
    server.say("a", "b", "c")
    memory = Memory()
    provider = make("openai_compatible", memory=memory, base_url=server.openai)
    hear(provider, request(temperature=0.5))
    assert server.calls[-1].body["temperature"] == 0.5
    hear(provider, request())
    assert "temperature" not in server.calls[-1].body
    server.takes_temperature = False
    assert len(hear(provider, request(temperature=0.5)).notices) == 1
    again = make("openai_compatible", memory=memory, base_url=server.openai)
    server.say("d")
    assert hear(again, request(temperature=0.5)).notices == []
    assert "temperature" not in server.calls[-1].body


def test_json_in_a_fence_is_taken_out_where_the_model_was_only_told(make, server):
    fenced = '```json\n{"answer": "a", "rows": null}\n```'
    server.say(fenced, fenced)
    by_prompt = make("openai_compatible", base_url=server.openai, json_mode="prompt")
    assert json.loads(hear(by_prompt, request(schema=SCHEMA)).text) == {"answer": "a", "rows": None}
    # A reply that is prose is left alone.
    assert hear(by_prompt, request()).text == fenced


def test_what_a_model_says_is_not_judged_here(provider, server):
    """Prose instead of JSON, and JSON of another form, are the conversation's to judge: it asks again."""
    server.say("Sure! Here is the plan.", {"something": "else"})
    assert hear(provider, request(schema=SCHEMA)).text == "Sure! Here is the plan."
    assert json.loads(hear(provider, request(schema=SCHEMA)).text) == {"something": "else"}


# --- ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stop", "text"), [("max_tokens", "half of"), ("max_tokens", ""), ("refusal", "I cannot")])
def test_other_ends_than_the_end_are_said(provider, server, stop, text):
    server.say(Reply(text, stop=stop))
    heard = hear(provider, request())
    assert (heard.done.stop, heard.text) == (stop, text)


def test_the_least_of_the_limits_on_tokens_is_sent(make, server):
    server.say("Hi", "Ho")
    provider = make("openai_compatible", base_url=server.openai, max_output_tokens=1000)
    hear(provider, request())
    hear(provider, request(max_output_tokens=200))
    assert [call.body["max_tokens"] for call in server.calls] == [1000, 200]


STREAMS = [
    (Reply(""), "OSR-LLM-016", 0),
    (Reply("whole text", fault="truncated"), "OSR-LLM-013", 3),
    (Reply("", fault="truncated"), "OSR-LLM-013", 0),
    (Reply("some text", fault="cut"), "OSR-LLM-013", 1),
    (Reply("some text", fault="garbage"), "OSR-LLM-016", 1),
    (Reply("some text", fault="error"), "OSR-LLM-010", 1),
    (Reply("some text", fault="stall"), "OSR-LLM-012", 1),
    (Reply("some text", fault="silent"), "OSR-LLM-012", 0),
    (Reply("some text", fault="mute"), "OSR-LLM-012", 0),
    (Reply("some text", fault="page"), "OSR-LLM-013", 0),
    (Reply(stop="tool"), "OSR-LLM-015", 0),
]


@pytest.mark.parametrize(("reply", "code", "pieces"), STREAMS, ids=lambda value: getattr(value, "fault", value))
def test_a_reply_that_is_not_whole_is_an_error(provider, server, reply, code, pieces):
    server.say(reply)
    _, heard = fails(provider, request(timeouts=LIMITS.get(reply.fault, llm.Timeouts())), code, retriable=True)
    assert len(heard) == pieces
    assert not any(isinstance(event, llm.Done) for event in heard)
    assert len(server.calls) == 1, "the SDK does not try again by itself"


STATUSES = [
    (Status(400, "bad"), "OSR-LLM-006", False),
    (Status(400, "This model's maximum context length is 8192 tokens"), "OSR-LLM-007", False),
    (
        Status(400, "the request exceeds the available context size", code="exceed_context_size_error"),
        "OSR-LLM-007",
        False,
    ),
    (Status(401, f"Incorrect API key provided: {KEY}"), "OSR-LLM-003", False),
    (Status(402, "Insufficient credits"), "OSR-LLM-008", False),
    (Status(403, "not for you"), "OSR-LLM-004", False),
    (Status(404, "The model `x` does not exist", code="model_not_found"), "OSR-LLM-005", False),
    (Status(404, "Not Found"), "OSR-LLM-006", False),
    (Status(408), "OSR-LLM-010", True),
    (Status(409), "OSR-LLM-010", True),
    (Status(413, "Request too large"), "OSR-LLM-007", False),
    (Status(418, "I'm a teapot"), "OSR-LLM-006", False),
    (Status(422, "no"), "OSR-LLM-006", False),
    (Status(429, "slow down", headers={"retry-after": "7"}), "OSR-LLM-009", True),
    (Status(429, "You exceeded your current quota", code="insufficient_quota"), "OSR-LLM-008", False),
    (Status(500, "oops"), "OSR-LLM-010", True),
    (Status(502, body="<html>Bad Gateway</html>"), "OSR-LLM-010", True),
    (Status(503, "Service unavailable", headers={"retry-after": "1.5"}), "OSR-LLM-010", True),
    (Status(529, "overloaded"), "OSR-LLM-010", True),
]


@pytest.mark.parametrize(("status", "code", "retriable"), STATUSES, ids=lambda value: getattr(value, "status", value))
def test_a_status_is_told_by_its_code(make, server, status, code, retriable):
    server.say(status)
    provider = make("openai_compatible", {"MY_KEY": KEY}, base_url=server.openai, api_key_env="MY_KEY")
    error, heard = fails(provider, request(), code, retriable=retriable)
    assert heard == []
    assert error.status == status.status
    assert error.retry_after == (float(status.headers["retry-after"]) if status.headers else None)
    assert len(server.calls) == 1
    assert int(error.exit_code) == 5


def test_when_to_come_back_may_be_a_date(provider, server):
    server.say(
        Status(429, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), Status(429, headers={"retry-after": "?"})
    )
    assert fails(provider, request(), "OSR-LLM-009", retriable=True)[0].retry_after == 0.0
    assert fails(provider, request(), "OSR-LLM-009", retriable=True)[0].retry_after is None


def test_a_server_that_loads_its_model_says_so(provider, server):
    server.say(Status(503, body={"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}))
    _, heard = fails(provider, request(), "OSR-LLM-010", retriable=True)
    assert [type(event) for event in heard] == [llm.Notice]
    assert "loading its model" in heard[0].message


def test_nobody_there(make):
    provider = make("openai_compatible", base_url="http://127.0.0.1:9/v1")
    error, _ = fails(provider, request(), "OSR-LLM-011", retriable=True)
    assert "127.0.0.1:9" in error.message


def test_who_stops_listening_ends_the_connection(provider, server):
    server.say(Reply("some text", fault="stall"))
    with closing(provider.stream(request())) as stream:
        assert next(stream).text == "som"
    assert server.gone.acquire(timeout=60)


def test_a_slow_reader_is_not_a_slow_server(provider, server, monkeypatch):
    """The watch rests while the reader has the piece: an hour of the clock passes, and nothing is ended."""
    import osiris_llm.exchange as module

    hours = [0.0]
    genuine = module.time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: genuine() + hours[0])
    server.say(Reply("some text"))
    texts = []
    for event in provider.stream(request()):
        hours[0] += 3600.0
        if isinstance(event, llm.Text):
            texts.append(event.text)
    assert "".join(texts) == "some text"


# --- health -----------------------------------------------------------------------------------------------------------------


def test_models_are_listed(provider, server):
    server.models = ("b", "a")
    assert provider.models() == ("a", "b")


def test_models_of_nobody(make):
    with pytest.raises(llm.LLMError) as raised:
        make("openai_compatible", base_url="http://127.0.0.1:9/v1").models()
    assert raised.value.code == "OSR-LLM-011"


def test_health_names_each_check(make, server):
    server.json_modes = {"json_object"}
    server.say({"ready": True}, "Ready!")
    provider = make("openai_compatible", base_url=server.openai)
    health = provider.health("test-model")
    assert health.ok
    assert [name for name, _, _ in health.checks] == ["package", "key", "service", "model", "json"]
    assert "takes no json_schema" in health.checks[-1][2]
    health = provider.health("test-model")
    assert not health.ok
    assert "[OSR-LLM-016]" in health.checks[-1][2]


def test_health_of_a_model_that_is_not_there(provider):
    checks = {name: held for name, held, _ in provider.health("other").checks}
    assert checks == {"package": True, "key": True, "service": True, "model": None, "json": False}


def test_health_without_a_key(make, server):
    provider = make("openai_compatible", base_url=server.openai, api_key_env="MY_KEY")
    checks = provider.health("test-model").checks
    assert [held for _, held, _ in checks] == [True, False, None, None, None]
    assert "MY_KEY" in checks[1][2]
    assert server.calls == []


def test_a_reply_cut_off_at_the_limit_of_the_config_says_so(make, server):
    server.on(".", Reply("long", stop="max_tokens"))
    provider = make("openai_compatible", base_url=server.openai, max_output_tokens=64)
    assert hear(provider, request(max_output_tokens=100)).done.limit == 64
    assert hear(provider, request(max_output_tokens=64)).done.limit is None
    assert [call.body["max_tokens"] for call in server.calls] == [64, 64]
