"""Calls of models: what is sent is checked, what fails is tried again or elsewhere, what it costs is bounded.

One implementation for all providers, which translate and nothing else (:mod:`osiris_core.spec.llm`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.chat import events
from osiris_core.errors import InvalidInput, OsirisError
from osiris_core.plugins.containment import contained
from osiris_core.spec.llm import Done, LLMError, Message, Notice, Request, Text, Timeouts, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.redaction import Redactor
    from osiris_core.spec.llm import LLMProvider, Price

SECRET: Final = "OSR-CHAT-010"  # noqa: S105 - a code
DEAR: Final = "OSR-CHAT-011"
LATE: Final = "OSR-CHAT-012"
NO_END: Final = "OSR-CHAT-013"
SHORT: Final = "OSR-CHAT-014"
REFUSED: Final = "OSR-CHAT-015"
DEFECT: Final = "OSR-CHAT-016"
UNPRICED: Final = "OSR-CHAT-017"

_TRIES: Final = 3
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
_MOST_ASKED: Final = 60.0
"""Seconds to wait at most when a provider says how long."""


def cost_of(usage: Usage, price: Price | None) -> float | None:
    """What ``usage`` costs in US dollars; None when tokens or prices are not known."""
    if price is None or usage.input is None or usage.output is None:
        return None
    cached = usage.cached or 0
    per_cached = price.input if price.cached is None else price.cached
    return ((usage.input - cached) * price.input + cached * per_cached + usage.output * price.output) / 1e6


@attrs.frozen(kw_only=True)
class Candidate:
    """A model that may be asked: ``name`` is ``provider:model``."""

    provider_name: str
    provider: LLMProvider
    model: str
    price: Price | None = None

    @property
    def name(self) -> str:
        """``provider:model``."""
        return f"{self.provider_name}:{self.model}"


@attrs.frozen(kw_only=True)
class Reply:
    """What a model answered, which one, and what it took."""

    text: str
    candidate: str
    usage: Usage
    cost: float | None
    seconds: float
    tries: int
    request_id: str | None = None


@attrs.define
class Spent:
    """What the conversation has taken so far. ``unknown`` says that some of it has no price."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cost: float = 0.0
    unknown: bool = False

    def add(self, usage: Usage, cost: float | None) -> None:
        """Count one call."""
        self.calls += 1
        self.input += usage.input or 0
        self.output += usage.output or 0
        self.unknown = self.unknown or cost is None
        self.cost += cost or 0.0

    @property
    def shown(self) -> str:
        """In words: tokens and money."""
        money = f"at least ${self.cost:.4f}, some prices unknown" if self.cost else "cost unknown"
        return f"{self.input:,} tokens in, {self.output:,} out, {money if self.unknown else f'${self.cost:.4f}'}"


@attrs.frozen(kw_only=True)
class Limits:
    """What a call and a conversation may take; ``cost`` in US dollars for all calls."""

    timeouts: Timeouts = attrs.field(factory=Timeouts)
    cost: float | None = None
    output_tokens: int = 4096


Listener = Callable[[object], None]
"""Hears the events of calls (:mod:`osiris_core.chat.events`), which hold facts, never a text."""


@attrs.frozen(kw_only=True)
class Sent:
    """What a model was sent last: the messages and the schema of its reply, as they were handed to the provider."""

    purpose: str
    candidate: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None


class Caller:
    """Calls the first of ``candidates`` that answers."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        redactor: Redactor,
        limits: Limits,
        listen: Listener = lambda _: None,
        show: Callable[[str], None] = lambda _: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.candidates = tuple(candidates)
        self.spent = Spent()
        self.sent: Sent | None = None
        """The last that was sent, as long as the process lives; no file holds it."""
        self._redactor = redactor
        self._limits = limits
        self._listen = listen
        self._show = show
        self._wait = wait
        for one in candidates:
            self._mask(one)

    def ask_first(self, candidate: Candidate) -> None:
        """Ask ``candidate`` from now on, and those there are after it."""
        self._mask(candidate)
        self.candidates = (candidate, *(one for one in self.candidates if one.name != candidate.name))

    def _mask(self, candidate: Candidate) -> None:
        for secret in candidate.provider.secrets():
            self._redactor.register(secret)

    def call(
        self,
        purpose: str,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None,
        schema_name: str,
        temperature: float | None = None,
        output_tokens: int | None = None,
    ) -> Reply:
        """The reply of the first candidate that gives one; cut off at ``output_tokens`` where they are given.

        Raises the last one's LLMError, or OsirisError for what is
        not sent at all: a secret, or a call beyond ``limits.cost``.
        """
        self._check(messages)
        failure: LLMError | None = None
        for at, candidate in enumerate(self.candidates):
            if failure is not None:
                self._show(
                    f"{self.candidates[at - 1].name} does not answer ({failure.message}); asking {candidate.name}"
                )
            try:
                return self._ask(candidate, purpose, messages, schema, schema_name, temperature, output_tokens)
            except LLMError as error:
                failure = error
        assert failure is not None
        raise failure

    def _check(self, messages: Sequence[Message]) -> None:
        for one in messages:
            if self._redactor.text(one.text) != one.text:
                raise OsirisError(
                    SECRET,
                    "what would be sent holds a secret; nothing was sent",
                    hint="/privacy shows it, masked; take it out of the message, the table names or the comments",
                )
        if self._limits.cost is not None and self.spent.cost >= self._limits.cost:
            message = f"the conversation has cost ${self.spent.cost:.4f}, and may cost ${self._limits.cost:.2f}"
            raise OsirisError(DEAR, message, hint="raise --max-cost or llm.max_cost")

    def _ask(
        self,
        candidate: Candidate,
        purpose: str,
        messages: Sequence[Message],
        schema: Mapping[str, Any] | None,
        schema_name: str,
        temperature: float | None,
        output_tokens: int | None,
    ) -> Reply:
        if self._limits.cost is not None and candidate.price is None:
            message = f"the price of {candidate.name} is not known, so a limit of cost cannot be kept; nothing was sent"
            raise InvalidInput(UNPRICED, message, hint="leave out --max-cost and llm.max_cost, or use another model")
        tokens, began = output_tokens or self._limits.output_tokens, time.monotonic()
        for tried in range(1, _TRIES + 1):
            request = Request(
                model=candidate.model,
                messages=tuple(messages),
                purpose=purpose,
                schema=schema,
                schema_name=schema_name,
                temperature=temperature,
                max_output_tokens=tokens,
                timeouts=self._limits.timeouts,
            )
            facts: dict[str, Any] = {"purpose": purpose, "model": candidate.name, "attempt": tried}
            self._listen(events.LlmRequest(**facts))
            self.sent = Sent(
                purpose=purpose, candidate=candidate.name, messages=request.messages, schema=request.schema
            )
            try:
                text, done = self._read(candidate, request)
                cost = cost_of(done.usage, candidate.price)
                self.spent.add(done.usage, cost)
                seconds = round(time.monotonic() - began, 3)
                self._listen(
                    events.LlmResponse(
                        **facts,
                        stop=done.stop,
                        **attrs.asdict(done.usage),
                        cost=cost,
                        duration_ms=round(seconds * 1000),
                    )
                )
                if done.stop == "refusal":
                    raise LLMError(REFUSED, f"{candidate.name} refused to answer", hint="say it in other words")
                if done.stop == "max_tokens" and output_tokens is None:
                    tokens *= 2
                    message = f"the reply of {candidate.name} was cut off at {request.max_output_tokens:,} tokens"
                    raise LLMError(SHORT, message, retriable=True)
            except LLMError as error:
                self._listen(events.LlmFailed(**facts, code=error.code, retriable=error.retriable))
                if not error.retriable or tried == _TRIES:
                    raise
                self._pause(error, tried, candidate)
                continue
            return Reply(
                text=text,
                candidate=candidate.name,
                usage=done.usage,
                cost=cost,
                seconds=seconds,
                tries=tried,
                request_id=done.request_id,
            )
        raise AssertionError("unreachable")

    def _read(self, candidate: Candidate, request: Request) -> tuple[str, Done]:
        """The whole text and how it ended; what a provider does wrong is an LLMError."""
        outcome = contained(lambda: self._collect(candidate, request))
        if outcome.failure is None:
            made: tuple[str, Done] = outcome.get()
            return made
        error = outcome.failure.error
        if isinstance(error, LLMError):
            raise error
        message = f"the provider '{candidate.provider_name}' failed: {outcome.failure.message}"
        raise LLMError(DEFECT, message) from error

    def _collect(self, candidate: Candidate, request: Request) -> tuple[str, Done]:
        pieces: list[str] = []
        done: Done | None = None
        ends: float | None = None
        stream: Any = candidate.provider.stream(request)
        with closing(stream):
            for event in stream:
                if ends is not None and time.monotonic() > ends:
                    message = f"the reply had not ended {self._limits.timeouts.total:g} seconds after its first word"
                    raise LLMError(LATE, message, retriable=True)
                match event:
                    case Text(text):
                        ends = ends or time.monotonic() + self._limits.timeouts.total
                        pieces.append(text)
                    case Notice(said):
                        self._listen(events.LlmNotice(model=candidate.name, message=said))
                        self._show(said)
                    case Done():
                        done = event
        if done is None:
            raise LLMError(NO_END, f"the reply of {candidate.name} broke off", retriable=True)
        return "".join(pieces), done

    def _pause(self, error: LLMError, tried: int, candidate: Candidate) -> None:
        seconds = random.uniform(0.5, 1.0) * min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tried - 1))  # noqa: S311 - jitter
        if error.retry_after is not None:
            if error.retry_after > _MOST_ASKED:
                raise error
            seconds = max(seconds, error.retry_after)
        if error.code != SHORT:
            self._show(f"{candidate.name}: {error.message}; trying again")
            self._wait(seconds)
