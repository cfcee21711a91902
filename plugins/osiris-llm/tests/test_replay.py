"""Recorded calls are answered as before, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.spec import llm, recording

from .conftest import SCHEMA, fails, hear, request

USAGE = llm.Usage(input=3, output=4)


def recorded(asked, *texts, stop="end", model="m"):
    return recording.line_of(asked, [*map(llm.Text, texts), llm.Done(stop=stop, usage=USAGE, model=model)])


@pytest.fixture
def replay(make, tmp_path):
    def one(*lines):
        path = tmp_path / "calls.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return make("replay", path=str(path))

    return one


def test_a_recorded_call_is_answered_whatever_the_model(replay):
    asked = request("Hi", system="Be kind", schema=SCHEMA)
    provider = replay(recorded(asked, '{"answer"', ': "ü"}'), recorded(request("Other"), "x", stop="refusal"))
    heard = hear(provider, request("Hi", system="Be kind", schema=SCHEMA, model="another", max_output_tokens=7))
    assert heard.text == '{"answer": "ü"}'
    assert heard.done == llm.Done(stop="end", usage=USAGE, model="m")
    assert "replay" in heard.notices[0]
    again = hear(provider, request("Other"))
    assert (again.done.stop, again.notices) == ("refusal", [])


@pytest.mark.parametrize(
    "asked",
    [
        request("Hi!"),
        request("Hi", purpose="repair"),
        request("Hi", schema=SCHEMA),
        request("Hi", system="Be kind"),
        request("Hi", "Yes?"),
    ],
)
def test_a_call_that_differs_is_an_error_that_names_its_purpose(replay, asked):
    error, _ = fails(replay(recorded(request("Hi"), "Hello")), asked, "OSR-LLM-019", retriable=False)
    assert f"'{asked.purpose}'" in error.message


def test_a_call_recorded_twice_is_answered_in_order(replay):
    provider = replay(recorded(request("Hi"), "one"), recorded(request("Hi"), "two"))
    assert [hear(provider, request("Hi")).text for _ in range(3)] == ["one", "two", "two"]


def test_a_reply_without_an_end_is_not_recorded():
    with pytest.raises(ValueError, match="did not end"):
        recording.line_of(request("Hi"), [llm.Text("half")])


def test_a_line_can_be_read_by_people():
    line = json.loads(recorded(request("Hi", schema=SCHEMA), "Hello"))
    assert line["purpose"] == "plan"
    assert line["messages"] == [{"role": "user", "text": "Hi"}]
    assert line["schema"] == SCHEMA
    assert line["text"] == "Hello"


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4),
    reply=st.text(st.characters(codec="utf-8")),
    purpose=st.text(st.characters(codec="utf-8")),
)
def test_whatever_is_recorded_is_found(tmp_path_factory, texts, reply, purpose):
    asked = request(*texts, purpose=purpose)
    path = tmp_path_factory.mktemp("recording") / "calls.jsonl"
    path.write_text(recorded(asked, reply) + "\n", encoding="utf-8")
    (call,) = recording.read(path)
    assert (call.key, call.text, call.purpose) == (recording.key_of(asked), reply, purpose)
    assert (call.stop, call.usage, call.model) == ("end", USAGE, "m")


GOOD = recorded(request("Hi"), "Hello")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "3",
        "{}",
        GOOD.replace('"version":1', '"version":2'),
        GOOD.replace('"stop":"end"', '"stop":"never"'),
        GOOD.replace('"text":"Hello"', '"text":3'),
        GOOD.replace('"input":3', '"pigs":3'),
    ],
)
def test_a_file_that_is_no_recording_is_named_with_the_line(replay, line):
    error, _ = fails(replay(GOOD, "", line), request("Hi"), "OSR-LLM-020", retriable=False)
    assert "line 3" in error.message


def test_a_file_that_is_not_there(make, tmp_path):
    provider = make("replay", path=str(tmp_path / "none.jsonl"))
    fails(provider, request("Hi"), "OSR-LLM-020", retriable=False)
    assert not provider.health("recorded").ok
    with pytest.raises(llm.LLMError):
        provider.models()


def test_health_and_models(replay):
    provider = replay(recorded(request("Hi"), "Hello", model="m1"), recorded(request("Ho"), "Hello", model="m2"))
    assert provider.models() == ("m1", "m2")
    assert provider.health("recorded").ok
    assert not replay().health("recorded").ok
    assert provider.default_model() == "recorded"
    assert provider.price("m1") == llm.Price(input=0.0, output=0.0)
