"""Recorded calls: found again by what was asked, and never mistaken for a model's."""

from __future__ import annotations

import pytest

from osiris_core.api import llm, recording
from osiris_llm.config import ReplayConfig
from osiris_llm.replay import ReplayProvider


def request(text, model="one"):
    return llm.Request(model=model, messages=(llm.Message(role="user", text=text),), purpose="plan")


def recorded(*calls):
    lines = [recording.line_of(request(asked), [llm.Text(said), llm.Done(stop="end")]) for asked, said in calls]
    return "\n".join(lines) + "\n"


def replay(path):
    return ReplayProvider(ReplayConfig(path=str(path)), llm.ProviderContext(variables={}, memory={}))


def said(provider, text, model="another"):
    events = list(provider.stream(request(text, model)))
    return "".join(event.text for event in events if isinstance(event, llm.Text))


def test_it_answers_as_before_whatever_the_model(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text(recorded(("a", "1"), ("b", "2"), ("a", "3")))
    one = replay(path)
    assert [said(one, text) for text in ("a", "b", "a", "a")] == ["1", "2", "3", "3"]


def test_it_says_that_it_is_a_replay(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text(recorded(("a", "1")))
    first = next(iter(replay(path).stream(request("a"))))
    assert isinstance(first, llm.Notice)
    assert "replay" in first.message


def test_what_was_not_recorded_is_an_error(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text(recorded(("a", "1")))
    with pytest.raises(llm.LLMError, match="has no call 'plan'"):
        said(replay(path), "b")


@pytest.mark.parametrize("text", ["{", "[]\n", '{"version": 1}\n'])
def test_a_file_that_is_no_recording(tmp_path, text):
    path = tmp_path / "calls.jsonl"
    path.write_text(text)
    with pytest.raises(llm.LLMError, match="line 1"):
        said(replay(path), "a")
    assert not replay(path).health("one").ok


def test_a_reply_without_an_end_is_not_recorded():
    with pytest.raises(ValueError, match="did not end"):
        recording.line_of(request("a"), [llm.Text("1")])
