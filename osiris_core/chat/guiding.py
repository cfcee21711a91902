"""A small model's part: it is asked for queries and nothing else; the rest is made of the wish's words.

Several queries are asked for: the likeliest; where it leaves out something of the wish, one that does not; then freer
ones. Each is mended where that needs no model, made a plan, proved and tried on the data; the one that most agree with
is proposed (:mod:`osiris_core.chat.choosing`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.chat.choosing import Attempt, best, settled
from osiris_core.chat.deriving import plan_of
from osiris_core.chat.forms import Query, read_form
from osiris_core.chat.grounding import beyond, doubts, strangers
from osiris_core.chat.linking import links, means
from osiris_core.chat.lowering import lower
from osiris_core.chat.mending import mend
from osiris_core.chat.omitting import omissions
from osiris_core.chat.recipes import notes_for
from osiris_core.diagnostics import Diagnostic
from osiris_core.display import visible_line
from osiris_core.errors import DriverError, OsirisError
from osiris_core.spec.llm import Message

if TYPE_CHECKING:
    from osiris_core.chat.catalog import Sources
    from osiris_core.chat.describing import Privacy
    from osiris_core.chat.destinations import Destination
    from osiris_core.run.proving import Prover

_MOST: Final = 3
"""So many queries are asked for, unless fewer agree."""
_FREELY: Final = 0.7
_SHORT: Final = 4
"""A part of a name that is shorter is no word of the wish."""
_WORD: Final = re.compile(r"[^\W\d_]+")

Ask = Callable[[str, Sequence[Message], float], str]
"""Asks for a purpose, with messages, at a temperature."""


def question(said: str, sources: Sources, privacy: Privacy) -> str:
    """What the model is asked: the wish, which columns its words mean, and how DuckDB says such a thing."""
    meant = [
        f"{one.said} = {one.table}.{one.column}" + ("" if one.value is None else f" {_literal(one.value)}")
        for one in links(said, sources)
        if privacy == "standard" or one.value is None
    ]
    lines = [said]
    if meant:
        lines.append(f"Columns: {visible_line('; '.join(meant))}")
    if notes := notes_for(said):
        lines.append(f"Notes: {'; '.join(notes)}")
    return "\n".join(lines)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@attrs.frozen(kw_only=True)
class Guide:
    """What it takes to make a plan of a small model's queries."""

    wish: str
    sources: Sources
    destinations: Sequence[Destination]
    prover: Prover
    trial: Callable[[str], tuple[tuple[Any, ...], ...]]
    privacy: Privacy
    ask: Ask
    again: Callable[[str, Sequence[str]], Sequence[Message]]
    """What is said after a reply, of which these sentences are what is wrong."""

    def proposal(self, messages: Sequence[Message]) -> Attempt:
        """The best of several attempts."""
        attempts: list[Attempt] = []
        while len(attempts) < _MOST and not settled(attempts):
            last = attempts[-1] if attempts else None
            if last is not None and len(attempts) == 1 and last.rows is not None and last.doubts:
                reply = self.ask("guided", [*messages, *self.again(last.reply, last.doubts)], 0.0)
            else:
                reply = self.ask("guided", messages, _FREELY if attempts else 0.0)
            same = next((one for one in attempts if one.reply == reply), None)
            attempts.append(same or self._attempt(reply))
        chosen = best(attempts)
        if chosen.rows is None and not chosen.missing:
            lacking = frozenset.intersection(*(one.strange for one in attempts))
            if lacking:
                return attrs.evolve(chosen, missing=f"no table has '{min(lacking)}'.")
        return chosen

    def repair(self, messages: Sequence[Message]) -> Attempt:
        """One attempt to do better."""
        return self._attempt(self.ask("repair", messages, 0.0))

    def _attempt(self, reply: str) -> Attempt:
        query, findings = read_form(Query, reply)
        if query is None:
            return Attempt(reply=reply, findings=tuple(findings))
        if not query.sql.strip():
            missing = visible_line(query.missing).strip() or "the tables do not hold that"
            return Attempt(reply=reply, missing=f"the tables lack {missing}" if query.missing.strip() else missing)
        meant = links(self.wish, self.sources)
        mended = mend(query.sql, self.sources, meant, self.wish)
        if (why := beyond(mended.sql, self.sources, self.wish)) is not None:
            return Attempt(reply=reply, missing=why)
        plan = plan_of(mended.sql, self.wish, self.destinations, mended.notes)
        lowered = lower(plan, self.sources, self.destinations, wish=self.wish)
        strange = self._said(strangers(mended.sql, self.sources))
        made = Attempt(reply=reply, plan=plan, findings=lowered.findings, strange=strange)
        against = (*omissions(mended.sql, self.wish), *doubts(mended.sql, self.wish, meant))
        made = attrs.evolve(made, doubts=against)
        if lowered.oml is None:
            return made
        proof = self.prover.prove_text(lowered.oml, file=f"{plan.name}.yaml")
        if proof.unusable is not None:
            raise proof.unusable
        if not proof.holds:
            return attrs.evolve(made, findings=proof.findings)
        made = attrs.evolve(made, strange=frozenset())
        try:
            rows = self.trial(lowered.oml)
        except OsirisError as error:
            # One that takes too long to be tried, or a connection that is down, says nothing against the query.
            failed = isinstance(error, DriverError) and not error.retriable
            return attrs.evolve(made, failed=failed, findings=(*error.diagnostics, self._failure(error)))
        return attrs.evolve(made, rows=rows, doubts=made.doubts if rows else (*made.doubts, "it gives no rows"))

    def _failure(self, error: OsirisError) -> Diagnostic:
        """A query that fits the tables and fails on their rows. What the engine says of it may quote one of them."""
        why = (
            f": {error.message}" if self.privacy == "standard" else ", as a value cannot be converted or computed with"
        )
        return Diagnostic(code=error.code, message=f"the query fails on the data{why}")

    def _said(self, names: frozenset[str]) -> frozenset[str]:
        """The words of the wish of which ``names`` are made, of names none of whose words means a column."""
        words = {word.lower() for word in _WORD.findall(self.wish)}
        meant = {word for link in links(self.wish, self.sources) for word in link.said.split()}
        found: set[str] = set()
        for name in names:
            parts = [part for part in _WORD.findall(name.lower()) if len(part) >= _SHORT]
            if not any(means(word, part) for word in meant for part in parts):
                found |= {part for part in parts if {part, f"{part}s"} & words}
        return frozenset(found)
