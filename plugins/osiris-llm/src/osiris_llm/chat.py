"""Chat Completions, as every compatible server speaks it: what is sent in which dialect, and what comes back."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import attrs

from osiris_core.api import llm
from osiris_llm.failure import tool_call, unusable
from osiris_llm.package import package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.exchange import Exchange

Mode = Literal["json_schema", "json_object_schema", "json_object", "prompt"]
TokensParameter = Literal["max_tokens", "max_completion_tokens"]

MODES: Final[tuple[Mode, ...]] = ("json_schema", "json_object_schema", "json_object", "prompt")
"""How a reply in JSON is asked for, the surest first."""

_FENCED: Final = re.compile(r"\s*```[a-zA-Z]*\n(?P<inside>.*?)\n?```\s*\Z", re.DOTALL)
_FORM: Final = re.compile(r"response_format|json_schema|json_object", re.IGNORECASE)
_SCHEMA_FAULT: Final = re.compile(r"invalid schema", re.IGNORECASE)
_USAGE: Final = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_TEMPERATURE: Final = re.compile(r"temperature", re.IGNORECASE)
_TOKENS: Final = re.compile(r"max_completion_tokens|max_tokens", re.IGNORECASE)
_UNKNOWN: Final = re.compile(r"unsupported|not supported|unrecognized|unknown|extra|instead|permitted", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Dialect:
    """What a server takes of that which not all servers take."""

    mode: Mode = "json_schema"
    tokens: TokensParameter = "max_tokens"
    usage: bool = True
    temperature: bool = True

    def __str__(self) -> str:
        usage, temperature = "usage" if self.usage else "no_usage", "" if self.temperature else " no_temperature"
        return f"{self.mode} {self.tokens} {usage}{temperature}"

    @classmethod
    def remembered(cls, text: str | None) -> Dialect:
        """The dialect that was written as ``text``; the first one to try when it is no dialect."""
        mode, tokens, usage, temperature = [*(text or "").split(" "), "", "", "", ""][:4]
        if mode not in MODES or tokens not in ("max_tokens", "max_completion_tokens"):
            return cls()
        return cls(
            mode=mode,
            tokens=cast("TokensParameter", tokens),
            usage=usage != "no_usage",
            temperature=temperature != "no_temperature",
        )

    def without(self, error: llm.LLMError, request: llm.Request, *, any_mode: bool) -> tuple[Dialect, str] | None:
        """The dialect to try after ``error``, one step away, and what was given up; None when it is not to blame."""
        if error.status not in (400, 422, 500):
            return None
        said = error.message
        # A mode is given up when the server does not know it, not when it knows it and finds fault with the schema.
        refuses = _FORM.search(said) and not _SCHEMA_FAULT.search(said)
        if request.schema is not None and any_mode and self.mode != MODES[-1] and refuses:
            lower = MODES[MODES.index(self.mode) + 1]
            return attrs.evolve(self, mode=lower), f"the server takes no {self.mode}; asking by {lower}"
        if self.usage and _USAGE.search(said):
            return attrs.evolve(self, usage=False), "the server does not count tokens"
        if self.temperature and request.temperature is not None and _TEMPERATURE.search(said):
            return attrs.evolve(self, temperature=False), "the server takes no temperature"
        if self.tokens == "max_tokens" and _TOKENS.search(said) and _UNKNOWN.search(said):
            return attrs.evolve(self, tokens="max_completion_tokens"), "the server wants max_completion_tokens"
        return None


def events(exchange: Exchange, request: llm.Request, dialect: Dialect, tokens: int) -> Iterator[llm.Event]:
    """One attempt in ``dialect``; ends with Done when the server's end mark has come."""
    openai = package("openai", "openai")
    # An empty key would let the SDK take one from the environment; what is sent is decided by the exchange.
    client = openai.OpenAI(
        api_key=exchange.key or "none",
        base_url=exchange.route.base_url,
        http_client=exchange.client,
        max_retries=0,
    )
    stream = client.chat.completions.create(**_body(request, dialect, tokens))
    reply = _Reply()
    by_prompt = request.schema is not None and dialect.mode == "prompt"
    for chunk in exchange.pieces(stream):
        text = reply.take(exchange, chunk)
        if text and not by_prompt:
            yield llm.Text(text)
    if by_prompt and reply.text:
        yield llm.Text(_unfenced("".join(reply.text)))
    done = reply.done(exchange)
    if done is not None:
        yield done


def models(exchange: Exchange) -> tuple[str, ...]:
    """The models that the server lists."""
    openai = package("openai", "openai")
    client = openai.OpenAI(
        api_key=exchange.key or "none",
        base_url=exchange.route.base_url,
        http_client=exchange.client,
        max_retries=0,
    )
    return tuple(sorted(model.id for model in client.models.list().data))


def _body(request: llm.Request, dialect: Dialect, tokens: int) -> dict[str, Any]:
    messages = [{"role": one.role, "content": one.text} for one in request.messages]
    body: dict[str, Any] = {"model": request.model, "messages": messages, "stream": True, dialect.tokens: tokens}
    if request.temperature is not None and dialect.temperature:
        body["temperature"] = request.temperature
    if dialect.usage:
        body["stream_options"] = {"include_usage": True}
    if request.schema is None:
        return body
    schema = dict(request.schema)
    match dialect.mode:
        case "json_schema":
            form = {"name": request.schema_name, "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        case "json_object_schema":
            body["response_format"] = {"type": "json_object", "schema": schema}
        case "json_object":
            body["response_format"] = {"type": "json_object"}
    if dialect.mode in ("json_object", "prompt"):
        body["messages"] = _told(messages, schema)
    return body


def _told(messages: list[dict[str, str]], schema: dict[str, Any]) -> list[dict[str, str]]:
    """The messages, the first of which says what the reply must look like."""
    text = json.dumps(schema, ensure_ascii=False)
    order = f"Answer with one JSON object and nothing else. It must conform to this JSON Schema:\n{text}"
    if messages and messages[0]["role"] == "system":
        return [{"role": "system", "content": f"{messages[0]['content']}\n\n{order}"}, *messages[1:]]
    return [{"role": "system", "content": order}, *messages]


def _unfenced(text: str) -> str:
    """What stands in a fenced block when the text is one: models that are only told put JSON into such."""
    match = _FENCED.match(text)
    return match["inside"] if match else text


@attrs.define
class _Reply:
    """What has come of a reply."""

    text: list[str] = attrs.field(factory=list)
    refused: bool = False
    finish: str | None = None
    usage: llm.Usage = attrs.field(factory=llm.Usage)
    model: str | None = None
    id: str | None = None

    def take(self, exchange: Exchange, chunk: Any) -> str:
        """The text of a chunk."""
        self.model, self.id = chunk.model or self.model, chunk.id or self.id
        if chunk.usage is not None:
            self.usage = _usage(chunk.usage)
        found = ""
        for choice in chunk.choices or ():
            delta = choice.delta
            if delta.tool_calls or getattr(delta, "function_call", None):
                called = delta.tool_calls[0].function if delta.tool_calls else delta.function_call
                raise tool_call(exchange.route, called.name if called else None)
            self.refused = self.refused or bool(getattr(delta, "refusal", None))
            found += delta.content or ""
            self.finish = choice.finish_reason or self.finish
        self.text.append(found)
        return found

    def done(self, exchange: Exchange) -> llm.Done | None:
        """How it ended; None when no end mark has come."""
        if self.finish is None:
            return None
        if self.finish in ("tool_calls", "function_call"):
            raise tool_call(exchange.route, None)
        stops: dict[str, Literal["end", "max_tokens", "refusal"]] = {
            "stop": "end",
            "length": "max_tokens",
            "content_filter": "refusal",
        }
        stop = "refusal" if self.refused else stops.get(self.finish)
        if stop is None:
            raise unusable(exchange.route, f"the reply ended for an unknown reason, '{self.finish[:40]}'")
        return llm.Done(stop=stop, usage=self.usage, model=self.model, request_id=self.id)


def _usage(usage: Any) -> llm.Usage:
    read, written = getattr(usage, "prompt_tokens_details", None), getattr(usage, "completion_tokens_details", None)
    return llm.Usage(
        input=usage.prompt_tokens,
        cached=getattr(read, "cached_tokens", None),
        output=usage.completion_tokens,
        reasoning=getattr(written, "reasoning_tokens", None),
    )
