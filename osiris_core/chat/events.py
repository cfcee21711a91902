"""The vocabulary of a conversation's record: events named ``chat.…``, with facts only, never the text of a prompt or
reply. What the conversation runs has a record of its own, in the vocabulary of a run.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from osiris_core.run.events import described, event_name

_PURPOSE: Final = "What the call was for: ``intent``, ``plan``, ``guided`` or ``repair``."
_MODEL: Final = "The model, as ``provider:model``."
_ATTEMPT: Final = "The attempt, from 1."
_OML: Final = "The SHA-256 of the pipeline's text."
_PIPELINE: Final = "The pipeline's name."


@attrs.frozen(kw_only=True)
class Template:
    """A prompt that the conversation uses."""

    purpose: str = described(_PURPOSE)
    sha256: str = described("The SHA-256 of its text, placeholders not filled in.")
    origin: str = described("``shipped``, or the file it comes from.")


@attrs.frozen(kw_only=True)
class State:
    """The conversation went from one state to the next."""

    before: str = described("The state it was in.")
    signal: str = described("What happened.")
    after: str = described("The state it is in now.")


@attrs.frozen(kw_only=True)
class LlmRequest:
    """A model is asked."""

    purpose: str = described(_PURPOSE)
    model: str = described(_MODEL)
    attempt: int = described(_ATTEMPT)


@attrs.frozen(kw_only=True)
class LlmResponse:
    """A model answered."""

    purpose: str = described(_PURPOSE)
    model: str = described(_MODEL)
    attempt: int = described(_ATTEMPT)
    stop: str = described("How the reply ended: ``end``, ``max_tokens`` or ``refusal``.")
    input: int | None = described("Tokens read, cached or not; null where the provider does not say.")
    cached: int | None = described("Those of them that came from a cache.")
    output: int | None = described("Tokens written, reasoning included.")
    reasoning: int | None = described("Those of them that are reasoning.")
    cost: float | None = described("US dollars; null where tokens or prices are not known.")
    duration_ms: int = described("From the first attempt on.")


@attrs.frozen(kw_only=True)
class LlmFailed:
    """A call of a model failed."""

    purpose: str = described(_PURPOSE)
    model: str = described(_MODEL)
    attempt: int = described(_ATTEMPT)
    code: str = described("The error's code.")
    retriable: bool = described("Whether the same call may succeed later.")


@attrs.frozen(kw_only=True)
class LlmNotice:
    """A provider has something to say: that it answers from a recording, that a server takes no JSON schema."""

    model: str = described(_MODEL)
    message: str = described("What it says.")


@attrs.frozen(kw_only=True)
class Drafted:
    """A pipeline has been proved and is kept."""

    oml_sha256: str = described(_OML)
    pipeline: str = described(_PIPELINE)


@attrs.frozen(kw_only=True)
class Approved:
    """The person approved a pipeline."""

    oml_sha256: str = described(_OML)
    pipeline: str = described(_PIPELINE)


@attrs.frozen(kw_only=True)
class Ran:
    """An approved pipeline was run."""

    run: str = described("The session of the run, which has a record of its own.")
    status: str = described("``succeeded``, ``failed`` or ``interrupted``.")


VOCABULARY: Final[tuple[type, ...]] = (
    Template, State, LlmRequest, LlmResponse, LlmFailed, LlmNotice, Drafted, Approved, Ran,
)  # fmt: skip


def chat_event_name(kind: type) -> str:
    """The name an event class has in records: ``LlmRequest`` -> ``chat.llm_request``."""
    return f"chat.{event_name(kind)}"


def chat_event_fields(event: Any) -> tuple[str, dict[str, Any]]:
    """An event's name and its fields, every field present."""
    return chat_event_name(type(event)), attrs.asdict(event)
