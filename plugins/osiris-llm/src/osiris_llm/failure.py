"""What went wrong, in one set of codes, whichever SDK or server said it. A key never gets into a message."""

from __future__ import annotations

import json
import re
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import llm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from osiris_llm.route import Route

_LONGEST: Final = 400
_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|context (?:length|window|size)|maximum context|prompt is too long"
    r"|too many (?:input )?tokens|input token count|exceed_context_size",
    re.IGNORECASE,
)
_EXHAUSTED: Final = re.compile(
    r"insufficient_quota|credit balance|billing_hard_limit|billing_not_active", re.IGNORECASE
)
_PER_DAY: Final = re.compile(r"per_?day", re.IGNORECASE)
_MODEL: Final = re.compile(r"model", re.IGNORECASE)
_KEY: Final = re.compile(r"api[ _]key", re.IGNORECASE)
_LOADING: Final = re.compile(r"loading model", re.IGNORECASE)
_BUSY: Final = frozenset({408, 409, 425, 500, 502, 503, 504})
_STATUS_OF: Final[Mapping[str, int]] = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
}
"""What a kind of error that comes in the middle of a reply, without a status, amounts to; all others: overloaded."""


@attrs.frozen(kw_only=True)
class Said:
    """What a service said: ``kinds`` are its own words for the error."""

    status: int | None
    message: str
    kinds: tuple[str, ...] = ()
    retry_after: float | None = None
    request_id: str | None = None

    @property
    def everything(self) -> str:
        """Message and kinds, for patterns."""
        return " ".join((self.message, *self.kinds))


def failure(error: BaseException, route: Route, *, heard: bool, expired: bool) -> llm.LLMError:
    """The LLMError for whatever an SDK or the HTTP client raised. ``heard``: a part of the reply had come;
    ``expired``: our own clock ended the call.
    """
    if expired:
        return _late(route, heard=heard)
    said = said_by(error)
    if said is not None:
        return refused(said, route)
    return _lost(error, route, heard=heard)


def refused(said: Said, route: Route) -> llm.LLMError:
    """The LLMError for what a service said."""
    code, retriable, hint = _meaning(said, route)
    status = f" (HTTP {said.status})" if said.status else ""
    return llm.LLMError(
        code,
        without_key(f"{route.provider}{status}: {said.message}", route),
        hint=hint,
        retriable=retriable,
        retry_after=said.retry_after if retriable else None,
        status=said.status,
        request_id=said.request_id,
    )


def is_loading(said: Said) -> bool:
    """Whether a server of llama.cpp says that it has not read its model yet."""
    return said.status == 503 and _LOADING.search(said.message) is not None


def broke_off(route: Route, what: str = "the reply ended without its end mark") -> llm.LLMError:
    """The LLMError for a reply that is not whole."""
    return llm.LLMError(llm.LLMCode.BROKE_OFF, f"{route.provider}: {what}", retriable=True)


def tool_call(route: Route, name: str | None) -> llm.LLMError:
    """The LLMError for a model that calls what nobody offered."""
    shown = f" '{_line(name)}'" if name else ""
    return llm.LLMError(llm.LLMCode.TOOL_CALL, f"{route.provider}: the model called a tool{shown}", retriable=True)


def unusable(route: Route, what: str) -> llm.LLMError:
    """The LLMError for a reply that makes no sense."""
    return llm.LLMError(llm.LLMCode.UNUSABLE, f"{route.provider}: {what}", retriable=True)


def without_key(text: str, route: Route) -> str:
    """``text`` on one line of bounded length, without any key of ``route``."""
    for secret in route.secrets():
        text = text.replace(secret, "***")
    return _line(text)


def said_by(error: BaseException) -> Said | None:
    """What the service said, from any SDK's exception for it; None when it said nothing."""
    status = getattr(error, "status_code", None)
    if status is None and isinstance(getattr(error, "code", None), int):
        status = error.code  # type: ignore[attr-defined]
    body = getattr(error, "body", None) or getattr(error, "details", None)
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if status is None and not isinstance(body, dict):
        return None
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    inner = body.get("error", body) if isinstance(body, dict) else {}
    kinds = _kinds(inner if isinstance(inner, dict) else {})
    # In the middle of a stream the status is 200, or there is none: the kind of error says what it amounts to.
    if not isinstance(status, int) or status < 300:
        status = next((_STATUS_OF[kind] for kind in kinds if kind in _STATUS_OF), None)
        status = status or (
            inner.get("code") if isinstance(inner, dict) and isinstance(inner.get("code"), int) else None
        )
    return Said(
        status=status,
        message=_message(inner, body, error),
        kinds=kinds,
        retry_after=_retry_after(headers, inner),
        request_id=headers.get("x-request-id") or headers.get("request-id"),
    )


def _meaning(said: Said, route: Route) -> tuple[llm.LLMCode, bool, str | None]:  # noqa: C901, PLR0912 - a table
    code, everything = llm.LLMCode, said.everything
    names = " or ".join(route.key_names)
    match said.status:
        case 401:
            hint = (
                f"check the key in {names}" if names else "the server wants a key: name its variable in 'api_key_env'"
            )
            return code.KEY_REFUSED, False, hint
        case 402:
            return code.EXHAUSTED, False, None
        case 403:
            return code.NOT_ALLOWED, False, None
        case 404 if _MODEL.search(everything):
            return code.NO_MODEL, False, f"`osiris llm models --provider {route.provider}` lists those of the service"
        case 404:
            return code.BAD_REQUEST, False, f"check base_url: {route.base_url}"
        case 413:
            return code.TOO_LONG, False, None
        case 429 if _EXHAUSTED.search(everything) or _PER_DAY.search(everything):
            return code.EXHAUSTED, False, None
        case 429:
            return code.RATE_LIMITED, True, None
        case 400 | 422 if _TOO_LONG.search(everything):
            return code.TOO_LONG, False, None
        case 400 if _EXHAUSTED.search(everything):
            return code.EXHAUSTED, False, None
        case 400 if _KEY.search(said.message):  # Gemini's word for a wrong key
            return code.KEY_REFUSED, False, f"check the key in {names}" if names else None
        case None:
            return code.OVERLOADED, True, None
        case status if 300 <= status < 400:
            return code.BAD_REQUEST, False, f"the address leads elsewhere, which is not followed: {route.base_url}"
        case status if status in _BUSY or status >= 520:
            # llama.cpp's Python server answers a prompt that is too long, and much else, with 500.
            too_long = _TOO_LONG.search(everything)
            return (code.TOO_LONG, False, None) if too_long else (code.OVERLOADED, True, None)
        case _:
            return code.BAD_REQUEST, False, None


def _lost(error: BaseException, route: Route, *, heard: bool) -> llm.LLMError:
    import httpx2

    chain = tuple(_causes(error))
    if any(isinstance(one, httpx2.ConnectTimeout) for one in chain):
        message = f"{route.provider}: {route.base_url} did not take the connection in time"
        return llm.LLMError(llm.LLMCode.UNREACHABLE, message, retriable=True)
    if any(isinstance(one, httpx2.TimeoutException | TimeoutError) for one in chain):
        return _late(route, heard=heard)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        reason = next(one.verify_message for one in chain if isinstance(one, ssl.SSLCertVerificationError))
        message = f"{route.provider}: the certificate of {route.base_url} is not trusted: {reason}"
        hint = "add the authority to the system's store, or name it in SSL_CERT_FILE"
        return llm.LLMError(llm.LLMCode.UNREACHABLE, message, hint=hint)
    transport = [one for one in chain if isinstance(one, httpx2.TransportError)]
    if transport:
        reason = without_key(str(transport[-1]) or type(transport[-1]).__name__, route)
        connecting = any(isinstance(one, httpx2.ConnectError | httpx2.ProxyError) for one in transport)
        if heard and not connecting:
            return broke_off(route, f"the connection was lost in the middle of the reply: {reason}")
        message = f"{route.provider}: {route.base_url} cannot be reached: {reason}"
        return llm.LLMError(llm.LLMCode.UNREACHABLE, message, retriable=True)
    if any(isinstance(one, httpx2.InvalidURL | httpx2.UnsupportedProtocol) for one in chain):
        return llm.LLMError(llm.LLMCode.UNREACHABLE, f"{route.provider}: {route.base_url} is no address")
    kind = type(error).__name__
    return unusable(route, without_key(f"what the service sent makes no sense ({kind}: {error})", route))


def _late(route: Route, *, heard: bool) -> llm.LLMError:
    what = "the rest of the reply" if heard else "no answer"
    message = f"{route.provider}: {what} {'did not come' if heard else 'came'} in time from {route.base_url}"
    return llm.LLMError(llm.LLMCode.TIMEOUT, message, retriable=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _kinds(inner: Mapping[str, Any]) -> tuple[str, ...]:
    named = [inner.get(name) for name in ("code", "type", "status")]
    for detail in _details(inner):
        named += [detail.get("reason"), *(one.get("quotaId") for one in detail.get("violations", ()))]
    return tuple(value for value in named if isinstance(value, str))


def _details(inner: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    details = inner.get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def _message(inner: Any, body: Any, error: BaseException) -> str:
    if isinstance(inner, str):
        return inner
    if isinstance(inner, dict) and isinstance(inner.get("message"), str) and inner["message"]:
        return str(inner["message"])
    if isinstance(body, dict | list):
        return json.dumps(body, ensure_ascii=False)
    return str(body or error)


def _retry_after(headers: Mapping[str, str], inner: Any) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if text:
            seconds = _seconds(text, unit)
            if seconds is not None:
                return seconds
    for detail in _details(inner) if isinstance(inner, dict) else ():
        delay = detail.get("retryDelay")
        if isinstance(delay, str):
            return _seconds(delay.removesuffix("s"), 1.0)
    return None


def _seconds(text: str, unit: float) -> float | None:
    try:
        return max(0.0, float(text) / unit)
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    from datetime import UTC, datetime

    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _line(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
