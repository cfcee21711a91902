"""What calls of models cost and how that is bounded; and a reply has one end."""

from __future__ import annotations

import pytest

from osiris_core.chat.calling import Caller, Candidate, Limits
from osiris_core.errors import OsirisError
from osiris_core.redaction import Redactor
from osiris_core.spec.llm import Done, LLMError, Message, Price, Text, Usage
from tests.chat.test_codes import Odd

MILLION = Usage(input=1_000_000, output=0)
WHOLE = (Text("whole"), Done(stop="end", usage=MILLION))
DOLLAR = Price(input=1.0, output=2.0, cached=0.5)


def candidate(*events, price=DOLLAR, name="odd"):
    return Candidate(provider_name=name, provider=Odd(*events), model="m", price=price)


class Bench:
    """A caller, what it asked, and what it said."""

    def __init__(self, *candidates, cost=None):
        self.asked, self.shown = [], []
        self.caller = Caller(
            candidates,
            redactor=Redactor(),
            limits=Limits(cost=cost),
            listen=lambda event: self.asked.append(event.model) if type(event).__name__ == "LlmRequest" else None,
            show=self.shown.append,
            wait=lambda _: None,
        )

    def call(self):
        return self.caller.call("plan", [Message(role="user", text="?")], schema=None, schema_name="x")

    def fails(self):
        with pytest.raises(OsirisError) as caught:
            self.call()
        return caught.value


def test_a_limit_ends_the_attempts_of_one_call_too():
    bench = Bench(candidate(Text("long"), Done(stop="max_tokens", usage=MILLION)), cost=1.0)
    assert bench.fails().code == "OSR-CHAT-011"
    assert bench.asked == ["odd:m"]
    assert bench.caller.spent.cost == 1.0


def test_a_limit_ends_the_fallback_too():
    first = candidate(Text("no"), Done(stop="refusal", usage=MILLION))
    bench = Bench(first, candidate(*WHOLE, name="next"), cost=1.0)
    assert bench.fails().code == "OSR-CHAT-011"
    assert bench.asked == ["odd:m"]


@pytest.mark.parametrize(
    "events",
    [(Text("half"),), (Text("half"), LLMError("OSR-LLM-003", "no")), (LLMError("OSR-LLM-012", "late"),)],
    ids=["ends", "fails", "no text"],
)
def test_a_reply_that_breaks_off_is_paid_and_nobody_knows_how_much(events):
    bench = Bench(candidate(*events))
    bench.fails()
    spent = bench.caller.spent
    assert (spent.unknown, spent.cost, spent.calls) == (True, 0.0, len(bench.asked))
    assert spent.feared >= spent.calls * 4096 * DOLLAR.output / 1e6


def test_what_a_service_refuses_costs_nothing():
    bench = Bench(candidate(LLMError("OSR-LLM-009", "too many", retriable=True)))
    bench.fails()
    assert (bench.caller.spent.calls, bench.caller.spent.unknown) == (0, False)


def test_a_model_that_reports_no_usage_reaches_the_limit():
    """By what its replies may have cost at most."""
    bench = Bench(candidate(Text("whole"), Done(stop="end")), cost=0.02)
    assert [bench.call().cost, bench.call().cost, bench.call().cost] == [None] * 3
    error = bench.fails()
    assert error.code == "OSR-CHAT-011"
    assert "no reply told" in error.message


def test_what_costs_nothing_needs_no_count():
    bench = Bench(candidate(Text("whole"), Done(stop="end"), price=Price(input=0, output=0)), cost=0.01)
    assert bench.call().cost == 0.0
    assert bench.caller.spent.unknown is False


def test_under_a_limit_who_has_no_price_is_passed_over():
    bench = Bench(candidate(*WHOLE, price=None, name="unpriced"), candidate(*WHOLE), cost=5.0)
    assert [bench.call().candidate, bench.call().candidate] == ["odd:m", "odd:m"]
    assert len(bench.shown) == 1
    assert "unpriced:m is not asked" in bench.shown[0]


@pytest.mark.parametrize("more", [Text("and"), Done(stop="end")])
def test_a_reply_has_one_end(more):
    bench = Bench(candidate(*WHOLE, more))
    assert bench.fails().code == "OSR-CHAT-016"
    assert bench.asked == ["odd:m"]


def test_more_is_not_asked_for_in_vain():
    bench = Bench(candidate(Text("long"), Done(stop="max_tokens", usage=MILLION, limit=64)))
    error = bench.fails()
    assert error.code == "OSR-CHAT-014"
    assert "llm.providers.odd.max_output_tokens" in error.message
    assert bench.asked == ["odd:m"]
