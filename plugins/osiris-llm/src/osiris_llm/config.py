"""What each provider takes in ``osiris.yaml``. A key is never among it: only the name of the variable that holds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import urlsplit

from osiris_core.api import Problem, config, field

_VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_NAME: Final = r"[^\x00-\x1f\x7f]+"

JsonMode = Literal["auto", "json_schema", "json_object_schema", "json_object", "prompt"]


@config
class OpenAIConfig:
    """OpenAI"""

    model: str | None = field(
        default=None, doc="The model. Unset: the one that the plugin ships as default.", pattern=_NAME
    )
    api_key_env: str = field(
        default="OPENAI_API_KEY", doc="The name of the variable that holds the key.", pattern=_VARIABLE
    )
    base_url: str = field(default="https://api.openai.com/v1", doc="The address of the service.", pattern=_NAME)
    max_output_tokens: int | None = field(
        default=None, minimum=16, doc="The most tokens a reply may take. Unset: what the conversation asks for."
    )
    allow_insecure: bool = field(default=False, doc="Whether the key may be sent without TLS to another machine.")

    def check(self) -> Iterable[Problem]:
        """A usable address."""
        return address_problems(self.base_url)


@config
class AnthropicConfig:
    """Anthropic"""

    model: str | None = field(
        default=None, doc="The model. Unset: the one that the plugin ships as default.", pattern=_NAME
    )
    api_key_env: str = field(
        default="ANTHROPIC_API_KEY", doc="The name of the variable that holds the key.", pattern=_VARIABLE
    )
    base_url: str = field(default="https://api.anthropic.com", doc="The address of the service.", pattern=_NAME)
    max_output_tokens: int | None = field(
        default=None, minimum=16, doc="The most tokens a reply may take. Unset: what the conversation asks for."
    )
    allow_insecure: bool = field(default=False, doc="Whether the key may be sent without TLS to another machine.")

    def check(self) -> Iterable[Problem]:
        """A usable address."""
        return address_problems(self.base_url)


@config
class GeminiConfig:
    """Gemini"""

    model: str | None = field(
        default=None, doc="The model. Unset: the one that the plugin ships as default.", pattern=_NAME
    )
    api_key_env: str | None = field(
        default=None,
        doc="The name of the variable that holds the key. Unset: GOOGLE_API_KEY, else GEMINI_API_KEY.",
        pattern=_VARIABLE,
    )
    base_url: str = field(
        default="https://generativelanguage.googleapis.com", doc="The address of the service.", pattern=_NAME
    )
    api_version: Literal["v1", "v1beta"] = field(
        default="v1", doc="The version of the service's interface; `v1beta` also knows the aliases `gemini-…-latest`."
    )
    max_output_tokens: int | None = field(
        default=None, minimum=16, doc="The most tokens a reply may take. Unset: what the conversation asks for."
    )
    allow_insecure: bool = field(default=False, doc="Whether the key may be sent without TLS to another machine.")

    def check(self) -> Iterable[Problem]:
        """A usable address."""
        return address_problems(self.base_url)


@config
class CompatibleConfig:
    """A server that speaks OpenAI's Chat Completions"""

    base_url: str = field(
        doc="The address, to which `/chat/completions` is added.",
        examples=("http://127.0.0.1:11434/v1", "https://openrouter.ai/api/v1"),
        pattern=_NAME,
    )
    model: str | None = field(default=None, doc="The model, by the server's name for it.", pattern=_NAME)
    api_key_env: str | None = field(
        default=None, doc="The name of the variable that holds the key. Unset: no key is sent.", pattern=_VARIABLE
    )
    json_mode: JsonMode = field(
        default="auto",
        doc="How a reply in JSON is asked for. `auto` begins with `json_schema` and goes on to the next of "
        "`json_object_schema`, `json_object` and `prompt` when the server refuses one; it remembers which.",
    )
    max_output_tokens: int | None = field(
        default=None, minimum=16, doc="The most tokens a reply may take. Unset: what the conversation asks for."
    )
    allow_insecure: bool = field(default=False, doc="Whether the key may be sent without TLS to another machine.")

    def check(self) -> Iterable[Problem]:
        """A usable address."""
        return address_problems(self.base_url)


@config
class LocalConfig:
    """A model on this machine"""

    path: str | None = field(
        default=None,
        doc="The GGUF file of the model, below the current folder or absolute. Unset: the one that lies in "
        "`$XDG_CACHE_HOME/osiris/models` (`~/.cache` when unset), where `scripts/fetch_model.py` puts it.",
        pattern=_NAME,
    )
    n_threads: int = field(
        default=1, minimum=1, maximum=1024, doc="Threads that compute; no more than there are idle processors."
    )
    n_ctx: int = field(
        default=8192, minimum=256, doc="Tokens that question and answer may have together; memory grows with it."
    )
    patience: float = field(
        default=600.0,
        exclusive_minimum=0,
        maximum=86_400,
        doc="Seconds until the first word. Reading a long question takes a small machine minutes.",
    )
    max_output_tokens: int | None = field(
        default=None, minimum=16, doc="The most tokens a reply may take. Unset: what the conversation asks for."
    )


@config
class ReplayConfig:
    """Recorded calls"""

    path: str = field(doc="The JSONL file of the recorded calls, below the current folder or absolute.", pattern=_NAME)


def address_problems(base_url: str) -> Iterable[Problem]:
    """What is wrong with an address: its scheme, or that it holds what belongs elsewhere."""
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        yield Problem(field=("base_url",), message="it is no address that begins with https:// or http://")
    elif parts.username is not None or parts.password is not None:
        yield Problem(
            field=("base_url",),
            message="it holds a user name or a password",
            hint="keep the key in a variable, and name that in 'api_key_env'",
        )
    elif parts.query or parts.fragment:
        yield Problem(field=("base_url",), message="it ends in a query or a fragment, which would be lost")
