"""Anthropic's Messages, by its SDK. ``temperature`` and its kind are never sent: the API refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from osiris_core.api import llm
from osiris_llm.failure import Said, refused, tool_call, unusable
from osiris_llm.package import package
from osiris_llm.service import bearer_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.config import AnthropicConfig
    from osiris_llm.exchange import Exchange
    from osiris_llm.service import Service

_STOPS: Final[dict[str, Literal["end", "max_tokens", "refusal"]]] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "max_tokens",
    "refusal": "refusal",
}
_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


def provider(config: AnthropicConfig, context: llm.ProviderContext) -> Service:
    """The provider ``anthropic``."""
    return bearer_service("anthropic", config, context, speak=events, list_models=models)


def events(exchange: Exchange, request: llm.Request, tokens: int) -> Iterator[llm.Event]:
    """One attempt; ends with Done when ``message_stop`` has come."""
    stream = _client(exchange).messages.create(**_body(request, tokens))
    reply = _Reply()
    for event in exchange.pieces(stream):
        match event.type:
            case "message_start":
                reply.start(event.message)
            case "content_block_start" if event.content_block.type in _CALLS:
                raise tool_call(exchange.route, getattr(event.content_block, "name", None))
            case "content_block_delta" if event.delta.type == "text_delta":
                yield llm.Text(event.delta.text)
            case "message_delta":
                reply.stop = event.delta.stop_reason or reply.stop
                reply.count(event.usage)
            case "message_stop":
                yield reply.done(exchange)
                return


def models(exchange: Exchange) -> tuple[str, ...]:
    """The models that the service lists."""
    return tuple(sorted(model.id for model in _client(exchange).models.list(limit=1000).data))


def _client(exchange: Exchange) -> Any:
    anthropic = package("anthropic", "anthropic")
    return anthropic.Anthropic(
        api_key=exchange.key, base_url=exchange.route.base_url, http_client=exchange.client, max_retries=0
    )


def _body(request: llm.Request, tokens: int) -> dict[str, Any]:
    said = [{"role": one.role, "content": one.text} for one in request.messages if one.role != "system"]
    body: dict[str, Any] = {"model": request.model, "messages": said, "max_tokens": tokens, "stream": True}
    orders = "\n\n".join(one.text for one in request.messages if one.role == "system")
    if orders:
        body["system"] = orders
    if request.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": dict(request.schema)}}
    return body


@attrs.define
class _Reply:
    """What has come of a reply beside its text. Tokens from a cache are counted beside ``input_tokens`` there."""

    model: str | None = None
    id: str | None = None
    stop: str | None = None
    read: int | None = None
    cached: int | None = None
    written: int | None = None
    thought: int | None = None

    def start(self, message: Any) -> None:
        """The message's head."""
        self.model, self.id = message.model, message.id
        self.count(message.usage)

    def count(self, usage: Any) -> None:
        """Tokens, as far as ``usage`` has them; later counts are of the whole reply, too."""
        if usage is None:
            return
        if usage.input_tokens is not None:
            from_cache = usage.cache_read_input_tokens or 0
            into_cache = usage.cache_creation_input_tokens or 0
            self.read, self.cached = usage.input_tokens + from_cache + into_cache, from_cache
        self.written = usage.output_tokens
        details = getattr(usage, "output_tokens_details", None)
        self.thought = getattr(details, "thinking_tokens", self.thought)

    def done(self, exchange: Exchange) -> llm.Done:
        """How it ended."""
        if self.stop == "tool_use":
            raise tool_call(exchange.route, None)
        if self.stop == "model_context_window_exceeded":
            said = Said(status=413, message="the conversation fills the model's context window")
            raise refused(said, exchange.route)
        stop = _STOPS.get(self.stop or "")
        if stop is None:
            raise unusable(exchange.route, f"the reply ended for an unknown reason, '{self.stop}'")
        usage = llm.Usage(input=self.read, cached=self.cached, output=self.written, reasoning=self.thought)
        return llm.Done(stop=stop, usage=usage, model=self.model, request_id=self.id)
