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
from osiris_core.project.paths import SETTINGS_FILE
from osiris_core.spec.llm import Done, LLMCode, LLMError, Message, Notice, Request, Text, Timeouts, Usage

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

_MAYBE_PAID: Final = frozenset({NO_END, LATE, LLMCode.TIMEOUT, LLMCode.BROKE_OFF, LLMCode.TOOL_CALL, LLMCode.UNUSABLE})
"""How a call fails that a service has, or may have, computed; what fails otherwise costs nothing."""

_TRIES: Final = 3
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
_MOST_ASKED: Final = 60.0
"""Seconds to wait at most when a provider says how long."""


def cost_of(usage: Usage, price: Price | None) -> float | None:
    """What ``usage`` costs in US dollars; None when tokens or prices are not known."""
    if price is not None and price.input == price.output == 0:
        return 0.0
    if price is None or usage.input is None or usage.output is None:
        return None
    cached = usage.cached or 0
    per_cached = price.input if price.cached is None else price.cached
    return ((usage.input - cached) * price.input + cached * per_cached + usage.output * price.output) / 1e6


def most_of(request: Request, price: Price | None) -> float:
    """What a call costs at most, in US dollars: a token is a byte or more, and a reply as long as it may be."""
    if price is None:
        return 0.0
    read = sum(len(one.text.encode("utf-8", "replace")) for one in request.messages)
    return (read * price.input + request.max_output_tokens * price.output) / 1e6


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
    """What the conversation has taken so far. ``unknown`` says that the cost of some of it is not known; ``feared`` is
    what that may be at most, where there is a price: a limit counts it.
    """

    calls: int = 0
    input: int = 0
    output: int = 0
    cost: float = 0.0
    unknown: bool = False
    feared: float = 0.0

    def add(self, usage: Usage, cost: float | None, *, most: float = 0.0) -> None:
        """Count one call, which costs ``most`` at most where its ``cost`` is not known."""
        self.calls += 1
        self.input += usage.input or 0
        self.output += usage.output or 0
        self.unknown = self.unknown or cost is None
        self.cost += cost or 0.0
        self.feared += most if cost is None else 0.0

    @property
    def shown(self) -> str:
        """In words: tokens and money."""
        money = f"at least ${self.cost:.4f}, some of it unknown" if self.cost else "cost unknown"
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
        self.before = 0.0
        """What the conversation cost before it was resumed, in US dollars; a limit counts it."""
        self.sent: Sent | None = None
        """The last that was sent, as long as the process lives; no file holds it."""
        self._redactor = redactor
        self._limits = limits
        self._listen = listen
        self._show = show
        self._wait = wait
        self._passed_over: set[str] = set()
        for one in candidates:
            self._mask(one)

    @property
    def total(self) -> float:
        """What the conversation has cost so far at most, in US dollars."""
        return self.before + self.spent.cost + self.spent.feared

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

        Raises the last one's LLMError, or OsirisError for what is not sent at all: a secret, or an attempt when
        ``limits.cost`` is reached.
        """
        self._check(messages)
        failure: LLMError | None = None
        candidates = self._priced()
        for at, candidate in enumerate(candidates):
            if failure is not None:
                self._show(f"{candidates[at - 1].name} does not answer ({failure.message}); asking {candidate.name}")
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

    def _priced(self) -> list[Candidate]:
        """The candidates that may be asked: under a limit of cost those with a price."""
        if self._limits.cost is None:
            return list(self.candidates)
        for one in self.candidates:
            if one.price is None and one.name not in self._passed_over:
                self._passed_over.add(one.name)
                self._show(f"{one.name} is not asked: its price is not known, so a limit of cost could not be kept")
        priced = [one for one in self.candidates if one.price is not None]
        if not priced:
            names = ", ".join(one.name for one in self.candidates)
            message = f"the price of {names} is not known, so a limit of cost cannot be kept; nothing was sent"
            hint = f"give it in llm.prices in {SETTINGS_FILE}, or leave out --max-cost and llm.max_cost"
            raise InvalidInput(UNPRICED, message, hint=hint)
        return priced

    def _afford(self) -> None:
        """Raise OsirisError when the limit of cost is reached."""
        limit, spent = self._limits.cost, self.spent
        if limit is not None and self.total >= limit:
            more = f", and up to ${spent.feared:.4f} more that no reply told" if spent.feared else ""
            message = f"the conversation has cost ${self.before + spent.cost:.4f}{more}, and may cost ${limit:.2f}"
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
        tokens, began = output_tokens or self._limits.output_tokens, time.monotonic()
        for tried in range(1, _TRIES + 1):
            self._afford()
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
                self.spent.add(done.usage, cost, most=most_of(request, candidate.price))
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
                    if done.limit is not None and done.limit < tokens:
                        option = f"llm.providers.{candidate.provider_name}.max_output_tokens"
                        message = f"the reply of {candidate.name} was cut off at the {done.limit:,} tokens of {option}"
                        raise LLMError(SHORT, message, hint=f"raise {option} in {SETTINGS_FILE}")
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
        pieces: list[str] = []
        try:
            outcome = contained(lambda: self._collect(candidate, request, pieces))
        except KeyboardInterrupt:
            self._lost(candidate, request)
            raise
        if outcome.failure is None:
            return "".join(pieces), outcome.get()
        error = outcome.failure.error
        if pieces or (isinstance(error, LLMError) and error.code in _MAYBE_PAID):
            self._lost(candidate, request)
        if isinstance(error, LLMError):
            raise error
        message = f"the provider '{candidate.provider_name}' failed: {outcome.failure.message}"
        raise LLMError(DEFECT, message) from error

    def _lost(self, candidate: Candidate, request: Request) -> None:
        """Count a call that a service computed, and that told no usage."""
        self.spent.add(Usage(), cost_of(Usage(), candidate.price), most=most_of(request, candidate.price))

    def _collect(self, candidate: Candidate, request: Request, pieces: list[str]) -> Done:
        """How the reply ended, whose text goes into ``pieces`` as it comes."""
        done: Done | None = None
        ends: float | None = None
        stream: Any = candidate.provider.stream(request)
        with closing(stream):
            for event in stream:
                if ends is not None and time.monotonic() > ends:
                    message = f"the reply had not ended {self._limits.timeouts.total:g} seconds after its first word"
                    raise LLMError(LATE, message, retriable=True)
                if done is not None:
                    message = f"the provider '{candidate.provider_name}' said more after the end of its reply"
                    raise LLMError(DEFECT, message)
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
        return done

    def _pause(self, error: LLMError, tried: int, candidate: Candidate) -> None:
        seconds = random.uniform(0.5, 1.0) * min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (tried - 1))  # noqa: S311 - jitter
        if error.retry_after is not None:
            if error.retry_after > _MOST_ASKED:
                raise error
            seconds = max(seconds, error.retry_after)
        if error.code != SHORT:
            self._show(f"{candidate.name}: {error.message}; trying again")
            self._wait(seconds)
