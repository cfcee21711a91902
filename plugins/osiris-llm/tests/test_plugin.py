"""The plugin costs nothing until a model is asked, and says what is missing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from osiris_core.model.structure import structure
from osiris_core.plugins.check import check_plugin

SDKS = ("openai", "anthropic", "google.genai", "xllamacpp", "httpx2", "httpx", "pydantic")

EXTRAS = {
    # provider: (its config, the modules that are hidden, the extra)
    "openai": ({}, ["openai"], "openai"),
    "anthropic": ({}, ["anthropic"], "anthropic"),
    "gemini": ({}, ["google.genai"], "gemini"),
    "openai_compatible": ({"base_url": "http://127.0.0.1:9/v1"}, ["openai"], "openai"),
    "local": ({"path": "none.gguf"}, ["xllamacpp"], "local"),
}


def _python(program, **values):
    text = f"values = {values!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_is_wrong_with_what_it_describes(registry):
    assert [found.message for _, found in check_plugin(registry, "llm")] == []
    assert {spec.name for spec in registry.llm_providers()} == {*EXTRAS, "replay"}


MAKE = """
import json, sys
from osiris_core.model.structure import structure
from osiris_core.plugins.registry import load_registry
from osiris_core.spec import llm

class Memory:
    def get(self, key): return None
    def put(self, key, value): pass

registry = load_registry(only=frozenset({"llm"}))
context = llm.ProviderContext(variables={"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "GOOGLE_API_KEY": "k"}, memory=Memory())
made = {}
for name, config in values["configs"].items():
    spec = registry.llm_provider(name)
    made[name] = registry.load(spec.ref)(structure(spec.config, config)[0], context)
"""


def test_making_every_provider_imports_no_sdk():
    configs = {**{name: config for name, (config, _, _) in EXTRAS.items()}, "replay": {"path": "none.jsonl"}}
    program = """
for provider in made.values():
    provider.default_model(), provider.secrets(), provider.price("m"), provider.close()
print(json.dumps([name for name in values["sdks"] if name in sys.modules]))
"""
    assert _python(MAKE + program, configs=configs, sdks=SDKS) == []


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_package_is_named_with_the_line_that_installs_it(name):
    config, hidden, extra = EXTRAS[name]
    program = """
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in values["hidden"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
(provider,) = made.values()
asked = llm.Request(model="m", messages=(llm.Message(role="user", text="Hi"),), purpose="plan")
found = []
for call in (lambda: list(provider.stream(asked)), provider.models):
    try:
        call()
    except llm.LLMError as error:
        found.append((error.code, error.message, error.hint, error.retriable))
print(json.dumps([found, provider.health("m").checks]))
"""
    found, checks = _python(MAKE + program, configs={name: config}, hidden=hidden)
    install = f"pip install 'osiris-llm[{extra}]'"
    assert len(found) == 2
    for code, message, hint, retriable in found:
        assert (code, hint, retriable) == ("OSR-LLM-001", install, False)
        assert install in message
    assert checks[0][:2] == ["package", False]
    assert install in checks[0][2]
    assert [held for _, held, _ in checks[2:]] == [None] * 3


ADDRESSES = [
    ("", False),
    ("127.0.0.1:8080/v1", False),
    ("ftp://127.0.0.1", False),
    ("http://", False),
    ("http://[::1/v1", False),
    ("https://me:hunter2@example.org/v1", False),  # pragma: allowlist secret
    ("https://example.org/v1?key=1", False),
    ("https://example.org/v1#a", False),
    ("https://example.org/v1", True),
    ("http://[::1]:8080/v1/", True),
]


@pytest.mark.parametrize(("address", "good"), ADDRESSES)
@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "openai_compatible"])
def test_an_address_is_checked_before_it_is_used(registry, name, address, good):
    _, findings = structure(registry.llm_provider(name).config, {"base_url": address})
    assert (findings == []) is good
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("https://example.org", True),
        ("http://localhost:1/v1", True),
        ("http://LOCALHOST.", True),
        ("http://127.0.0.53:80", True),
        ("http://[::1]:80", True),
        ("http://example.org", False),
        ("http://localhost.example.org", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0:1", False),
    ],
)
def test_what_is_this_machine(address, private):
    from osiris_llm.route import Route

    route = Route(provider="p", base_url=address, key_names=(), allow_insecure=False, variables={})
    assert route.is_private is private
