"""Providers made as the core makes them, before the scripted server of models."""

from __future__ import annotations

import attrs
import pytest

from osiris_core.model.structure import structure
from osiris_core.plugins.registry import load_registry
from osiris_core.spec import llm
from tests.servers.models import ModelServer

KEY = "sk-made-up-0123456789"  # pragma: allowlist secret
QUICK = llm.Timeouts(connect=5.0, first=0.2, between=0.2)
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "rows": {"type": ["integer", "null"]}},
    "required": ["answer", "rows"],
    "additionalProperties": False,
}


class Memory:
    """Kept for a test."""

    def __init__(self):
        self.kept = {}

    def get(self, key):
        return self.kept.get(key)

    def put(self, key, value):
        self.kept[key] = value


@attrs.frozen
class Heard:
    """A whole reply."""

    text: str
    notices: list
    done: llm.Done


@pytest.fixture
def server():
    with ModelServer() as one:
        yield one


@pytest.fixture(scope="session")
def registry():
    return load_registry(only=frozenset({"llm"}))


@pytest.fixture
def make(registry):
    """Makes a provider of a name with a config, in an environment of variables; closes it at the end."""
    made = []

    def one(name, variables=None, memory=None, **config):
        spec = registry.llm_provider(name)
        value, findings = structure(spec.config, config)
        assert findings == []
        context = llm.ProviderContext(variables=variables or {}, memory=memory or Memory())
        provider = registry.load(spec.ref)(value, context)
        made.append(provider)
        return provider

    yield one
    for provider in made:
        provider.close()
        provider.close()


def request(*texts, system=None, schema=None, model="test-model", **more):
    messages = [llm.Message(role="system", text=system)] if system else []
    messages += [
        llm.Message(role="assistant" if at % 2 else "user", text=text) for at, text in enumerate(texts or ("Hello?",))
    ]
    return llm.Request(
        model=model, messages=tuple(messages), purpose=more.pop("purpose", "plan"), schema=schema, **more
    )


def hear(provider, asked):
    """The whole reply; what the contract says of every stream holds of it."""
    events = list(provider.stream(asked))
    assert [isinstance(event, llm.Done) for event in events].count(True) == 1
    assert isinstance(events[-1], llm.Done)
    texts = [event.text for event in events if isinstance(event, llm.Text)]
    assert "" not in texts
    return Heard("".join(texts), [event.message for event in events if isinstance(event, llm.Notice)], events[-1])


def fails(provider, asked, code, *, retriable):
    """The error of a call, and the texts that came before it; it holds no key, nor does anything behind it."""
    heard = []
    with pytest.raises(llm.LLMError) as raised:
        heard.extend(provider.stream(asked))
    error = raised.value
    assert error.code == code, error
    assert error.retriable is retriable
    told = [error.message, error.hint or "", *map(str, (error.__cause__, error.args))]
    assert not any(KEY in text for text in told)
    return error, heard
