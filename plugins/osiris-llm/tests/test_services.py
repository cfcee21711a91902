"""OpenAI, Anthropic and Gemini by their genuine SDKs, before the scripted server: what each must do like the others."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from osiris_core.spec import llm
from osiris_llm.route import Route
from tests.servers.models import ModelServer, Reply, Status

from .conftest import KEY, LIMITS, SCHEMA, fails, hear, request

pytestmark = pytest.mark.matrix  # what is typed and sent is the same on every Python

SERVICES = {
    # name: (its variable, the header of the key)
    "openai": ("OPENAI_API_KEY", "authorization"),
    "anthropic": ("ANTHROPIC_API_KEY", "authorization"),
    "gemini": ("GEMINI_API_KEY", "x-goog-api-key"),
}


@pytest.fixture(params=SERVICES)
def name(request):
    return request.param


@pytest.fixture
def provider(make, server, name):
    server.key = KEY
    return make(name, {SERVICES[name][0]: KEY}, base_url=getattr(server, name))


def _tokens(name, body):
    return {
        "openai": lambda: body["max_output_tokens"],
        "anthropic": lambda: body["max_tokens"],
        "gemini": lambda: body["generationConfig"]["maxOutputTokens"],
    }[name]()


def test_prose_comes_in_pieces_with_its_usage(provider, server):
    server.say(Reply("Good morning, all of you", pieces=4))
    events = list(provider.stream(request("Hi", "Yes?", "Greet us", system="Be kind")))
    assert [type(event) for event in events] == [*[llm.Text] * 4, llm.Done]
    assert "".join(event.text for event in events[:-1]) == "Good morning, all of you"
    assert events[-1].stop == "end"
    assert events[-1].usage == llm.Usage(input=100, cached=20, output=30, reasoning=5)
    assert events[-1].model.startswith("test-model")
    assert events[-1].request_id


BODIES = {
    "openai": {
        "model": "test-model",
        "input": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Plan"},
        ],
        "instructions": "Be kind",
        "max_output_tokens": 4096,
        "store": False,
        "stream": True,
        "text": {"format": {"type": "json_schema", "name": "plan", "strict": True, "schema": SCHEMA}},
    },
    "anthropic": {
        "model": "test-model",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Plan"},
        ],
        "system": "Be kind",
        "max_tokens": 4096,
        "stream": True,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Yes?"}]},
            {"role": "user", "parts": [{"text": "Plan"}]},
        ],
        "systemInstruction": {"role": "user", "parts": [{"text": "Be kind"}]},
        "generationConfig": {
            "maxOutputTokens": 4096,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
    },
}


def test_what_is_sent(provider, server, name):
    """Nothing but this: no temperature, no parameter that the service would refuse, the schema where it belongs."""
    server.say({"answer": "a", "rows": None})
    heard = hear(provider, request("Hi", "Yes?", "Plan", system="Be kind", schema=SCHEMA, schema_name="plan"))
    assert json.loads(heard.text) == {"answer": "a", "rows": None}
    (call,) = server.calls
    assert call.body == BODIES[name]
    assert call.schema == SCHEMA


def test_the_key_goes_into_its_header_and_nowhere_else(provider, server, name):
    server.say("Hi")
    hear(provider, request())
    (call,) = server.calls
    assert {header for header, value in call.headers.items() if KEY in value} == {SERVICES[name][1]}
    assert KEY not in call.text + call.path
    assert provider.secrets() == (KEY,)
    assert KEY not in repr(provider)


def test_the_environment_of_the_process_decides_nothing(provider, server, monkeypatch):
    """Only the project's variables do; an SDK left alone would go where these lead, with other keys."""
    for variable, value in {
        "OPENAI_API_KEY": "sk-other",  # pragma: allowlist secret
        "OPENAI_BASE_URL": "http://127.0.0.1:9",
        "OPENAI_ORG_ID": "org-other",
        "OPENAI_PROJECT_ID": "project-other",
        "ANTHROPIC_API_KEY": "sk-other",  # pragma: allowlist secret
        "ANTHROPIC_AUTH_TOKEN": "other",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_API_KEY": "other",  # pragma: allowlist secret
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_GENAI_API_VERSION": "v9",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_CLOUD_PROJECT": "other",
        "GOOGLE_CLOUD_LOCATION": "other",
    }.items():
        monkeypatch.setenv(variable, value)
    server.say("Hi")
    assert hear(provider, request()).text == "Hi"
    (call,) = server.calls
    assert "other" not in str(call)


@pytest.fixture
def proxy(monkeypatch):
    """What the environment names as the proxy for everything."""
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    with ModelServer() as one:
        for variable in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(variable, one.url)
        yield one


def test_no_proxy_gets_what_stays_on_this_machine(provider, server, proxy):
    server.say("Hi")
    proxy.say("I read along")
    assert hear(provider, request()).text == "Hi"
    assert provider.models() == ("test-model",)
    assert proxy.calls == []


def test_another_machine_is_reached_by_the_proxy_of_the_environment(make, name, proxy):
    proxy.say("Hi")
    far = {"openai": "http://models.invalid/v1", "gemini": "http://models.invalid/gemini"}
    address = far.get(name, "http://models.invalid")
    variable = SERVICES[name][0]
    fails(make(name, {variable: KEY}, base_url=address), request(), "OSR-LLM-017", retriable=False)
    assert proxy.calls == []
    provider = make(name, {variable: KEY}, base_url=address, allow_insecure=True)
    assert hear(provider, request()).text == "Hi"
    assert proxy.calls[0].path.startswith("http://models.invalid/")


@pytest.mark.parametrize(
    ("address", "near", "private"),
    [
        ("http://127.8.0.1:1", True, True),
        ("http://LOCALHOST.:1", True, True),
        ("http://[::1]:1", True, True),
        ("http://10.1.2.3", True, False),
        ("https://192.168.1.2", True, True),
        ("http://[fd00::1]", True, False),
        ("http://93.184.216.34", False, False),
        ("https://api.example", False, True),
        ("http://localhost.example", False, False),
    ],
)
def test_where_an_address_is(address, near, private):
    route = Route(provider="x", base_url=address, key_names=(), allow_insecure=False, variables={})
    assert (route.is_near, route.is_private) == (near, private)


def test_a_missing_key_is_named_before_anything_is_sent(make, server, name, monkeypatch):
    for variable, _ in SERVICES.values():
        monkeypatch.setenv(variable, "of the process and not of the project")
    provider = make(name, {}, base_url=getattr(server, name))
    error, _ = fails(provider, request(), "OSR-LLM-002", retriable=False)
    assert SERVICES[name][0] in error.message
    with pytest.raises(llm.LLMError) as raised:
        provider.models()
    assert raised.value.code == "OSR-LLM-002"
    assert server.calls == []


def test_another_variable_may_hold_the_key(make, server, name):
    server.key = KEY
    server.say("Hi")
    provider = make(name, {"MY_KEY": KEY}, base_url=getattr(server, name), api_key_env="MY_KEY")
    assert hear(provider, request()).text == "Hi"


def test_a_key_that_no_key_can_be(make, server, name):
    provider = make(name, {"MY_KEY": "clé"}, base_url=getattr(server, name), api_key_env="MY_KEY")
    fails(provider, request(), "OSR-LLM-003", retriable=False)
    assert server.calls == []


def test_a_key_is_not_sent_in_the_clear(make, name):
    provider = make(name, {"MY_KEY": KEY}, base_url="http://models.invalid", api_key_env="MY_KEY")
    fails(provider, request(), "OSR-LLM-017", retriable=False)


def test_a_wrong_key(make, server, name):
    server.key = "another"
    provider = make(name, {SERVICES[name][0]: KEY}, base_url=getattr(server, name))
    error, _ = fails(provider, request(), "OSR-LLM-003", retriable=False)
    assert SERVICES[name][0] in error.hint
    checks = provider.health("test-model").checks
    assert [held for _, held, _ in checks] == [True, True, False, None, None]
    assert KEY not in str(checks)


@pytest.mark.parametrize(("stop", "text"), [("max_tokens", "half of"), ("max_tokens", ""), ("refusal", "I cannot")])
def test_other_ends_than_the_end_are_said(provider, server, stop, text):
    server.say(Reply(text, stop=stop))
    assert hear(provider, request()).done.stop == stop


def test_the_least_of_the_limits_on_tokens_is_sent(make, server, name):
    server.say("Hi", "Ho")
    provider = make(name, {"K": KEY}, base_url=getattr(server, name), api_key_env="K", max_output_tokens=1000)
    hear(provider, request())
    hear(provider, request(max_output_tokens=200))
    assert [_tokens(name, call.body) for call in server.calls] == [1000, 200]


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
    (Reply(stop="tool"), "OSR-LLM-015", 0),
]


@pytest.mark.parametrize(("reply", "code", "pieces"), STREAMS, ids=lambda value: getattr(value, "fault", value))
def test_a_reply_that_is_not_whole_is_an_error(provider, server, reply, code, pieces):
    server.say(reply)
    _, heard = fails(provider, request(timeouts=LIMITS.get(reply.fault, llm.Timeouts())), code, retriable=True)
    assert len(heard) == pieces
    assert not any(isinstance(event, llm.Done) for event in heard)
    assert len(server.calls) == 1, "the SDK does not try again by itself"


def test_the_page_of_another_program_is_no_reply(provider, server):
    server.say(Reply(fault="page"))
    with pytest.raises(llm.LLMError) as raised:
        list(provider.stream(request()))
    assert raised.value.code in ("OSR-LLM-013", "OSR-LLM-016")


STATUSES = [
    (Status(400, "bad"), "OSR-LLM-006", False),
    (Status(400, "prompt is too long: 210000 tokens > 200000 maximum"), "OSR-LLM-007", False),
    (Status(400, "The input token count (2000000) exceeds the maximum number of tokens allowed"), "OSR-LLM-007", False),
    (Status(400, "Your credit balance is too low to access the API"), "OSR-LLM-008", False),
    (Status(401, f"no: {KEY}"), "OSR-LLM-003", False),
    (Status(402, "pay"), "OSR-LLM-008", False),
    (Status(403, "not for you"), "OSR-LLM-004", False),
    (Status(404, "model: nothing of that name", code="not_found_error"), "OSR-LLM-005", False),
    (Status(404, "Not Found"), "OSR-LLM-006", False),
    (Status(408), "OSR-LLM-010", True),
    (Status(409), "OSR-LLM-010", True),
    (Status(413, "Request exceeds the maximum size"), "OSR-LLM-007", False),
    (Status(429, "slow down", headers={"retry-after": "7"}), "OSR-LLM-009", True),
    (Status(500, "oops"), "OSR-LLM-010", True),
    (Status(503, "The model is overloaded", headers={"retry-after": "1.5"}), "OSR-LLM-010", True),
    (Status(529, "Overloaded", code="overloaded_error"), "OSR-LLM-010", True),
]


@pytest.mark.parametrize(("status", "code", "retriable"), STATUSES, ids=lambda value: getattr(value, "status", value))
def test_a_status_is_told_by_its_code(provider, server, status, code, retriable):
    server.say(status)
    error, heard = fails(provider, request(), code, retriable=retriable)
    assert heard == []
    assert error.status == status.status
    assert error.retry_after == (float(status.headers["retry-after"]) if status.headers else None)
    assert len(server.calls) == 1


def test_an_unknown_model(provider, server, name):
    error, _ = fails(provider, request(model="no-such"), "OSR-LLM-005", retriable=False)
    assert f"--provider {name}" in error.hint


def test_nobody_there(make, name):
    provider = make(name, {SERVICES[name][0]: KEY}, base_url="http://127.0.0.1:9")
    error, _ = fails(provider, request(), "OSR-LLM-011", retriable=True)
    assert "127.0.0.1:9" in error.message


def test_an_address_is_not_left_for_another(provider, server):
    server.say(Status(307, headers={"location": "http://127.0.0.1:9/"}))
    fails(provider, request(), "OSR-LLM-006", retriable=False)


def test_who_stops_listening_ends_the_connection(provider, server):
    server.say(Reply("some text", fault="stall"))
    with closing(provider.stream(request())) as stream:
        assert next(stream).text == "som"
    assert server.gone.acquire(timeout=60)


def test_models_and_health(provider, server, name):
    server.models = ("test-model", "a-model")
    server.say({"ready": True})
    assert provider.models() == ("a-model", "test-model")
    health = provider.health("test-model")
    assert health.ok
    assert [(check, held) for check, held, _ in health.checks] == [
        ("package", True),
        ("key", True),
        ("service", True),
        ("model", True),
        ("json", True),
    ]


def test_defaults_and_prices_come_from_the_catalog(make, name):
    provider = make(name)
    assert (
        provider.default_model()
        == {
            "openai": "gpt-6-luna",
            "anthropic": "claude-sonnet-5-5",
            "gemini": "gemini-3.8-flash",
        }[name]
    )
    assert provider.price(provider.default_model()) is None, "unknown is not nothing"
    assert provider.price("no-such") is None
    assert make(name, model="mine").default_model() == "mine"


def test_a_model_that_will_be_switched_off_is_told(make, server):
    server.models = ("gpt-4o",)
    server.say({"ready": True})
    checks = make("openai", {"OPENAI_API_KEY": KEY}, base_url=server.openai).health("gpt-4o").checks
    assert any("2027-01-14" in said for _, _, said in checks)


# --- what only one of them does -----------------------------------------------------------------------------------------


def test_openai_tells_an_empty_account_from_a_hurry(make, server):
    provider = make("openai", {"OPENAI_API_KEY": KEY}, base_url=server.openai)
    server.say(Status(429, "You exceeded your current quota", code="insufficient_quota"))
    fails(provider, request(), "OSR-LLM-008", retriable=False)


def test_gemini_tells_an_empty_account_from_a_hurry(make, server):
    """The same words for both; the difference is in the details."""
    provider = make("gemini", {"GOOGLE_API_KEY": KEY}, base_url=server.gemini)
    words = "You exceeded your current quota, please check your plan and billing details."

    def exhausted(quota):
        violation = {"quotaMetric": "generate_requests", "quotaId": f"GenerateRequests{quota}PerProject-FreeTier"}
        details = [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"},
        ]
        return {"error": {"code": 429, "message": words, "status": "RESOURCE_EXHAUSTED", "details": details}}

    server.say(Status(429, body=exhausted("PerMinute")), Status(429, body=exhausted("PerDay")))
    error, _ = fails(provider, request(), "OSR-LLM-009", retriable=True)
    assert error.retry_after == 37.0
    fails(provider, request(), "OSR-LLM-008", retriable=False)


def test_gemini_takes_either_variable_the_first_one_first(make, server):
    server.say("Hi")
    provider = make("gemini", {"GEMINI_API_KEY": "second", "GOOGLE_API_KEY": "first"}, base_url=server.gemini)
    hear(provider, request())
    assert server.calls[0].headers["x-goog-api-key"] == "first"
    assert set(provider.secrets()) == {"first", "second"}


def test_gemini_speaks_the_version_that_is_configured(make, server):
    server.say("Hi", "Ho")
    for version in ("v1", "v1beta"):
        provider = make("gemini", {"GOOGLE_API_KEY": KEY}, base_url=server.gemini, api_version=version)
        hear(provider, request())
        assert f"/{version}/models/test-model:stream" in server.calls[-1].path


@pytest.mark.parametrize(
    ("text", "timeouts"),
    [
        ("", {"first": 0.2, "total": 0.2}),
        ("Well", {"between": 0.2}),
        ("Well", {"total": 0.2}),
    ],
    ids=["before the first word", "between two", "all together"],
)
def test_pieces_without_text_keep_no_call_alive(provider, server, text, timeouts):
    server.say(Reply(text, fault="hollow"))
    _, heard = fails(provider, request(timeouts=llm.Timeouts(**timeouts)), "OSR-LLM-012", retriable=True)
    assert "".join(event.text for event in heard) == text
    assert server.gone.acquire(timeout=20)
