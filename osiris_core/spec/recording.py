"""Recorded calls of models: a JSONL file, one call a line, found again by what was asked and not by which model.

A line holds ``version``, ``key``, ``purpose``, the request's ``messages`` and ``schema`` (for people who read it),
and the reply: ``text``, ``stop``, ``usage``, ``model``. What a call was asked is its key: the digest of purpose,
messages and schema in canonical form. Several lines of one key are the replies of one call made several times.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from osiris_core.canonical import canonical_json, digest
from osiris_core.spec.llm import Done, LLMCode, LLMError, Text, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from osiris_core.spec.llm import Event, Request

VERSION: Final = 1
_STOPS: Final = ("end", "max_tokens", "refusal")


@attrs.frozen(kw_only=True)
class Recorded:
    """A reply as it was recorded."""

    key: str
    purpose: str
    text: str
    stop: Literal["end", "max_tokens", "refusal"]
    usage: Usage
    model: str | None


def key_of(request: Request) -> str:
    """What ``request`` asks, as a digest; its model, limits and timeouts are no part of it."""
    return digest(_asked(request))


def line_of(request: Request, events: Iterable[Event]) -> str:
    """The line, without its end, that records ``request`` and the ``events`` of its reply, which must be whole.

    Raises ValueError when they do not end with ``Done``.
    """
    text: list[str] = []
    done: Done | None = None
    for event in events:
        if isinstance(event, Text):
            text.append(event.text)
        elif isinstance(event, Done):
            done = event
    if done is None:
        raise ValueError("a reply that did not end cannot be recorded")
    usage = {name: count for name, count in attrs.asdict(done.usage).items() if count is not None}
    reply = {"text": "".join(text), "stop": done.stop, "usage": usage, "model": done.model}
    return canonical_json({"version": VERSION, "key": key_of(request), **_asked(request), **reply})


def read(path: Path) -> tuple[Recorded, ...]:
    """The recorded calls of a file, in its order; LLMError when it is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise LLMError(LLMCode.RECORDING, f"the recording '{path}' cannot be read: {reason}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_recorded(json.loads(line)))
            except (ValueError, TypeError, KeyError) as error:
                message = f"line {number} of the recording '{path}' is no recorded call: {error}"
                raise LLMError(LLMCode.RECORDING, message) from error
    return tuple(found)


def _asked(request: Request) -> dict[str, Any]:
    messages = [{"role": message.role, "text": message.text} for message in request.messages]
    schema = None if request.schema is None else dict(request.schema)
    return {"purpose": request.purpose, "messages": messages, "schema": schema}


def _recorded(data: dict[str, Any]) -> Recorded:
    if data["version"] != VERSION:
        raise ValueError(f"its version is {data['version']}, not {VERSION}")
    if data["stop"] not in _STOPS:
        raise ValueError(f"'{data['stop']}' is no reason to stop")
    for name in ("key", "purpose", "text"):
        if not isinstance(data[name], str):
            raise TypeError(f"'{name}' is not text")
    return Recorded(
        key=data["key"],
        purpose=data["purpose"],
        text=data["text"],
        stop=data["stop"],
        usage=Usage(**data.get("usage", {})),
        model=data.get("model"),
    )
