"""Of several queries for one wish, the one to propose: what most of them give is likeliest right.

A small model writes a wrong query as readily as a right one, but seldom the same wrong one twice. So it is asked more
than once, each query is tried on the data, and those that give the same rows vote for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.chat.forms import Plan
    from osiris_core.diagnostics import Diagnostic

ENOUGH = 2
"""So many queries that give the same rows are enough."""


@attrs.frozen(kw_only=True)
class Attempt:
    """A reply, the plan made of it (None when it cannot be read), what is wrong with that, and what it gives.

    ``rows`` is None for a plan that does not hold, and empty for one that gives none; ``missing`` is why the wish
    cannot be met, ``strange`` the words of the wish that the query takes for names which nothing has.
    """

    reply: str
    plan: Plan | None = None
    findings: tuple[Diagnostic, ...] = ()
    failed: bool = False
    """Whether it holds against the tables and fails on their rows."""
    rows: tuple[tuple[Any, ...], ...] | None = None
    missing: str = ""
    strange: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()
    """What speaks against it, a sentence each: what the wish says and the query has not, or the other way round."""

    @property
    def vote(self) -> Any:
        """What it votes for: its rows, whatever their order; that something is missing; nothing."""
        if self.missing:
            return "missing"
        return None if self.rows is None else ("rows", tuple(sorted(map(repr, self.rows))))


def settled(attempts: Sequence[Attempt]) -> bool:
    """Whether enough attempts agree, so that no further one is needed."""
    return any(_voters(one, attempts) >= ENOUGH and (one.rows or one.missing) and not one.doubts for one in attempts)


def best(attempts: Sequence[Attempt]) -> Attempt:
    """The first of those that most agree with, among those that least speaks against; one with rows before one without;
    one that holds before one that does not, and one that can be read before one that cannot.
    """
    return max(
        enumerate(attempts),
        key=lambda one: (
            one[1].vote is not None,
            bool(one[1].rows or one[1].missing),
            -len(one[1].doubts),
            _voters(one[1], attempts),
            one[1].plan is not None,
            -one[0],
        ),
    )[1]


def _voters(attempt: Attempt, attempts: Sequence[Attempt]) -> int:
    return 0 if attempt.vote is None else sum(one.vote == attempt.vote for one in attempts)
