"""OpenAI's Responses, by its SDK. Nothing is stored there; a model that thinks is sent no ``temperature``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from osiris_core.api import llm
from osiris_llm.chat import models
from osiris_llm.failure import Said, refused, tool_call, unusable
from osiris_llm.package import package
from osiris_llm.service import bearer_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.config import OpenAIConfig
    from osiris_llm.exchange import Exchange
    from osiris_llm.service import Service

_CUT: Final[dict[str, Literal["max_tokens", "refusal"]]] = {
    "max_output_tokens": "max_tokens",
    "content_filter": "refusal",
}
_CALLS: Final = frozenset({"function_call", "custom_tool_call", "mcp_call", "computer_call", "web_search_call"})
_STATUS: Final = {"rate_limit_exceeded": 429, "insufficient_quota": 429, "invalid_prompt": 400}


def provider(config: OpenAIConfig, context: llm.ProviderContext) -> Service:
    """The provider ``openai``."""
    return bearer_service("openai", config, context, speak=events, list_models=models)


def events(exchange: Exchange, request: llm.Request, tokens: int) -> Iterator[llm.Event]:
    """One attempt; ends with Done when ``response.completed`` or ``response.incomplete`` has come."""
    openai = package("openai", "openai")
    client = openai.OpenAI(
        api_key=exchange.key, base_url=exchange.route.base_url, http_client=exchange.client, max_retries=0
    )
    refuses = False
    for event in exchange.pieces(client.responses.create(**_body(request, tokens))):
        match event.type:
            case "response.output_text.delta":
                yield llm.Text(event.delta)
            case "response.refusal.delta":
                refuses = True
            case "response.output_item.added" if event.item.type in _CALLS:
                raise tool_call(exchange.route, getattr(event.item, "name", None))
            case "response.completed":
                yield _done(event.response, "refusal" if refuses else "end")
                return
            case "response.incomplete":
                reason = event.response.incomplete_details and event.response.incomplete_details.reason
                if reason not in _CUT:
                    raise unusable(exchange.route, f"the reply ended for an unknown reason, '{reason}'")
                yield _done(event.response, _CUT[reason])
                return
            case "response.failed":
                error = event.response.error
                raise _failed(exchange, getattr(error, "code", None), getattr(error, "message", None))
            case "error":
                raise _failed(exchange, event.code, event.message)


def _body(request: llm.Request, tokens: int) -> dict[str, Any]:
    said = [{"role": one.role, "content": one.text} for one in request.messages if one.role != "system"]
    body: dict[str, Any] = {
        "model": request.model,
        "input": said,
        "max_output_tokens": tokens,
        "store": False,
        "stream": True,
    }
    orders = "\n\n".join(one.text for one in request.messages if one.role == "system")
    if orders:
        body["instructions"] = orders
    if request.schema is not None:
        form = {"type": "json_schema", "name": request.schema_name, "strict": True, "schema": dict(request.schema)}
        body["text"] = {"format": form}
    return body


def _done(response: Any, stop: Literal["end", "max_tokens", "refusal"]) -> llm.Done:
    usage = llm.Usage()
    if response.usage is not None:
        read, written = response.usage.input_tokens_details, response.usage.output_tokens_details
        usage = llm.Usage(
            input=response.usage.input_tokens,
            cached=getattr(read, "cached_tokens", None),
            output=response.usage.output_tokens,
            reasoning=getattr(written, "reasoning_tokens", None),
        )
    return llm.Done(stop=stop, usage=usage, model=response.model, request_id=response.id)


def _failed(exchange: Exchange, code: str | None, message: str | None) -> llm.LLMError:
    said = Said(status=_STATUS.get(code or ""), message=message or "the reply failed", kinds=(code,) if code else ())
    return refused(said, exchange.route)
