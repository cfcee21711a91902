"""Gemini's generateContent, by Google's SDK."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import llm
from osiris_llm.failure import tool_call, unusable
from osiris_llm.package import package
from osiris_llm.route import Route
from osiris_llm.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.config import GeminiConfig
    from osiris_llm.exchange import Exchange

_CALLS: Final = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})
_BROKEN: Final = frozenset(
    {"FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "CONTINUATION"}
)
"""Ends that are nobody's refusal. All that is neither these nor an end below is one: safety, recitation, blocklists."""


def provider(config: GeminiConfig, context: llm.ProviderContext) -> Service:
    """The provider ``gemini``."""
    route = Route(
        provider="gemini",
        base_url=config.base_url,
        key_names=(config.api_key_env,) if config.api_key_env else ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        allow_insecure=config.allow_insecure,
        variables=context.variables,
        header="x-goog-api-key",
        prefix="",
    )
    return Service(
        route=route,
        package="google.genai",
        speak=partial(events, config.api_version),
        list_models=partial(models, config.api_version),
        model=config.model,
        max_output_tokens=config.max_output_tokens,
    )


def events(version: str, exchange: Exchange, request: llm.Request, tokens: int) -> Iterator[llm.Event]:
    """One attempt; ends with Done when a ``finishReason`` has come."""
    client = _client(version, exchange)
    stream = client.models.generate_content_stream(
        model=request.model, contents=_contents(request), config=_config(request, tokens)
    )
    reply = _Reply()
    for chunk in exchange.pieces(stream):
        text = reply.take(exchange, chunk)
        if text:
            yield llm.Text(text)
    done = reply.done(exchange)
    if done is not None:
        yield done


def models(version: str, exchange: Exchange) -> tuple[str, ...]:
    """The models that the service lists for generating text."""
    found = _client(version, exchange).models.list(config={"page_size": 1000, "query_base": True})
    names = (model.name or "" for model in found if "generateContent" in (model.supported_actions or ()))
    return tuple(sorted(name.removeprefix("models/") for name in names))


def _client(version: str, exchange: Exchange) -> Any:
    genai = package("google.genai", "gemini")
    # Every choice is made here: the SDK would otherwise take address, version and kind of service from the environment.
    options = {"base_url": exchange.route.base_url, "api_version": version, "httpx_client": exchange.client}
    return genai.Client(vertexai=False, api_key=exchange.key, http_options=options)


def _contents(request: llm.Request) -> list[dict[str, Any]]:
    roles = {"user": "user", "assistant": "model"}
    return [
        {"role": roles[one.role], "parts": [{"text": one.text}]} for one in request.messages if one.role != "system"
    ]


def _config(request: llm.Request, tokens: int) -> dict[str, Any]:
    config: dict[str, Any] = {"max_output_tokens": tokens, "automatic_function_calling": {"disable": True}}
    orders = "\n\n".join(one.text for one in request.messages if one.role == "system")
    if orders:
        config["system_instruction"] = orders
    if request.schema is not None:
        config |= {"response_mime_type": "application/json", "response_json_schema": dict(request.schema)}
    return config


@attrs.define
class _Reply:
    """What has come of a reply beside its text. Thoughts are counted beside the candidates' tokens there."""

    finish: str | None = None
    blocked: bool = False
    usage: llm.Usage = attrs.field(factory=llm.Usage)
    model: str | None = None
    id: str | None = None

    def take(self, exchange: Exchange, chunk: Any) -> str:
        """The text of a chunk, thoughts left out."""
        self.model, self.id = chunk.model_version or self.model, chunk.response_id or self.id
        if chunk.usage_metadata is not None:
            self.usage = _usage(chunk.usage_metadata)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            self.blocked = True
        found = ""
        for candidate in chunk.candidates or ():
            for part in (candidate.content and candidate.content.parts) or ():
                if part.function_call is not None:
                    raise tool_call(exchange.route, part.function_call.name)
                if part.text and not part.thought:
                    found += part.text
            if candidate.finish_reason is not None:
                self.finish = getattr(candidate.finish_reason, "value", str(candidate.finish_reason))
        return found

    def done(self, exchange: Exchange) -> llm.Done | None:
        """How it ended; None when no end mark has come."""
        if self.blocked:
            return llm.Done(stop="refusal", usage=self.usage, model=self.model, request_id=self.id)
        if self.finish is None:
            return None
        if self.finish in _CALLS:
            raise tool_call(exchange.route, None)
        if self.finish in _BROKEN:
            raise unusable(exchange.route, f"the reply ended for the reason '{self.finish}'")
        stop = {"STOP": "end", "MAX_TOKENS": "max_tokens"}.get(self.finish, "refusal")
        return llm.Done(stop=stop, usage=self.usage, model=self.model, request_id=self.id)  # type: ignore[arg-type]


def _usage(usage: Any) -> llm.Usage:
    written = usage.candidates_token_count
    if usage.thoughts_token_count is not None:
        written = (written or 0) + usage.thoughts_token_count
    return llm.Usage(
        input=usage.prompt_token_count,
        cached=usage.cached_content_token_count,
        output=written,
        reasoning=usage.thoughts_token_count,
    )
