"""What a model provider does: one request in, a stream of events out, of which exactly one, the last, is ``Done``.

A provider translates between these values and one service's own protocol, and nothing else: retries, budgets, fallback
and the check of what is sent are the conversation's (:mod:`osiris_core.chat`), so that they are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal, Protocol

import attrs

from osiris_core.errors import ConnectionUnusable


@attrs.frozen(kw_only=True)
class Message:
    """A part of the conversation as the model sees it. ``system`` comes first, at most once."""

    role: Literal["system", "user", "assistant"]
    text: str


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds that a call may take: to connect, until the first word, between two pieces of text, and ``total`` from
    the first word to the end.

    A model that thinks sends marks before its first word, each of which may take the time for the first; but all that
    comes before it takes no longer than the longer of ``first`` and ``total``.
    """

    connect: float = 5.0
    first: float = 60.0
    between: float = 60.0
    total: float = 300.0


@attrs.frozen(kw_only=True)
class Request:
    """One call of a model.

    ``schema`` is the JSON Schema of the reply, within what every provider's strict mode takes: each object closed, each
    property required, no recursion, no default, no union at the root. None asks for prose. ``purpose`` says what the
    call is for, in the record and in a replay. ``temperature`` is how freely the model chooses its words, 0 not at all;
    None leaves it to the service, and so does a service that takes none.
    """

    model: str
    messages: tuple[Message, ...]
    purpose: str
    schema: Mapping[str, Any] | None = None
    schema_name: str = "reply"
    temperature: float | None = None
    max_output_tokens: int = 4096
    timeouts: Timeouts = attrs.field(factory=Timeouts)


@attrs.frozen(kw_only=True)
class Usage:
    """Tokens as the provider counts them, made comparable; None where it does not say.

    ``input`` is everything that was read, cached or not; ``cached`` the part of it that came from a cache; ``output``
    everything that was written, ``reasoning`` included.
    """

    input: int | None = None
    cached: int | None = None
    output: int | None = None
    reasoning: int | None = None


@attrs.frozen
class Text:
    """A piece of the reply."""

    text: str


@attrs.frozen
class Notice:
    """What the person at the terminal should know: a server that still loads its model, a JSON mode given up."""

    message: str


@attrs.frozen(kw_only=True)
class Done:
    """The reply is whole: the terminal marker of the provider's protocol has come.

    ``stop`` is why it ended: of itself, at ``max_output_tokens``, or because the model refused. ``model`` is the one
    that answered, in the provider's words; ``request_id`` the provider's number of the call, for its support. ``limit``
    is the number of tokens at which a reply was cut off, where that is less than the request's: asking for more is in
    vain.
    """

    stop: Literal["end", "max_tokens", "refusal"]
    usage: Usage = attrs.field(factory=Usage)
    model: str | None = None
    request_id: str | None = None
    limit: int | None = None


Event = Text | Notice | Done


@attrs.frozen(kw_only=True)
class Price:
    """US dollars for a million tokens; ``cached`` None: as ``input``."""

    input: float
    output: float
    cached: float | None = None


class LLMCode(StrEnum):
    """Why a call failed, the same for every provider; :mod:`osiris_core.catalogue` says what each means."""

    NOT_INSTALLED = "OSR-LLM-001"
    NO_KEY = "OSR-LLM-002"
    KEY_REFUSED = "OSR-LLM-003"
    NOT_ALLOWED = "OSR-LLM-004"
    NO_MODEL = "OSR-LLM-005"
    BAD_REQUEST = "OSR-LLM-006"
    TOO_LONG = "OSR-LLM-007"
    EXHAUSTED = "OSR-LLM-008"
    RATE_LIMITED = "OSR-LLM-009"
    OVERLOADED = "OSR-LLM-010"
    UNREACHABLE = "OSR-LLM-011"
    TIMEOUT = "OSR-LLM-012"
    BROKE_OFF = "OSR-LLM-013"
    TOOL_CALL = "OSR-LLM-015"
    UNUSABLE = "OSR-LLM-016"
    IN_THE_CLEAR = "OSR-LLM-017"
    LOCAL_MODEL = "OSR-LLM-018"
    NOT_RECORDED = "OSR-LLM-019"
    RECORDING = "OSR-LLM-020"


class LLMError(ConnectionUnusable):
    """A call that failed. ``retriable`` says that the same call may succeed later; ``retry_after`` after how many
    seconds at the earliest, when the provider said so.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        retriable: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(str(code), message, hint=hint, retriable=retriable)
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id


class Memory(Protocol):
    """Facts about servers that a provider found out, kept for the project: which JSON mode one takes, say."""

    def get(self, key: str) -> str | None:
        """What was kept under ``key``, or None."""
        ...

    def put(self, key: str, value: str) -> None:
        """Keep ``value`` under ``key``; a failure to write it is no error."""
        ...


@attrs.frozen(kw_only=True)
class ProviderContext:
    """What a provider gets besides its config: the project's variables (the process environment and the ``.env``
    files), in which it finds its key, and a memory.
    """

    variables: Mapping[str, str]
    memory: Memory


@attrs.frozen(kw_only=True)
class ProviderHealth:
    """What ``osiris llm doctor`` says: each check's name, whether it held (None: could not be made), and why."""

    checks: tuple[tuple[str, bool | None, str], ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(held is not False for _, held, _ in self.checks)


class LLMProvider(Protocol):
    """What the ``ref`` of an ``LLMProviderSpec`` makes, called with the provider's config (an instance of
    ``LLMProviderSpec.config``) and a :class:`ProviderContext`. Making one imports no SDK and opens nothing.
    """

    def default_model(self) -> str | None:
        """The model that is used when nobody names one; None when one has to be named."""
        ...

    def price(self, model: str) -> Price | None:
        """What ``model`` costs; None where it is not known, which is not the same as nothing."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """The keys it would send, to be masked wherever they might appear."""
        ...

    def stream(self, request: Request) -> Iterator[Event]:
        """The reply as it comes, one attempt. Ends with one :class:`Done` or raises :class:`LLMError`; closing the
        generator closes the connection. What the SDK would retry or time out by itself is switched off.
        """
        ...

    def models(self) -> tuple[str, ...]:
        """The models that the service says it has; LLMError when it cannot be asked."""
        ...

    def health(self, model: str) -> ProviderHealth:
        """Whether the SDK is installed, a key is set, the service answers, it has the model, and JSON can be asked for;
        costs a few tokens at most.
        """
        ...

    def close(self) -> None:
        """Give back what it holds: connections, a model in memory. May be called twice, and nothing after it."""
        ...
