"""A pipeline of a query that the person wrote: no model is asked, and what it becomes is proved like a model's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.chat.asking import BAD_QUERY
from osiris_core.chat.deriving import plan_of
from osiris_core.chat.lowering import lower
from osiris_core.errors import InvalidInput

if TYPE_CHECKING:
    from osiris_core.chat.session import ChatSession


def propose(session: ChatSession, query: str, wish: str) -> None:
    """Make the draft of ``query``, its rows stored as ``wish`` says, in a file where it says nothing.

    Raises InvalidInput for what is no query, or reads what there is not.
    """
    conversation = session.conversation
    conversation.memory.hear(wish or query)
    # Of large catalogs the tables are looked at that the goal names.
    conversation.memory.goal = query
    session.question(query)
    destinations = session.destinations
    plan = plan_of(query, wish, destinations)
    lowered = lower(plan, conversation.all_sources(), destinations, wish=wish or query)
    if lowered.oml is None:
        first = lowered.findings[0]
        raise InvalidInput(BAD_QUERY, f"the query cannot become a pipeline: {first.message}", hint=first.advice)
    conversation.edit(lowered.oml)
