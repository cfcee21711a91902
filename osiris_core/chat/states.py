"""The conversation's states, and what leads from one to the next, as data.

By construction there is no way back to a question once discovery has begun: ``CLARIFY`` is entered from ``INTENT``
only, and ``INTENT`` only by something that the person said. From any state a failure leads to ``ERROR``, and from
``ERROR`` the person can go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a conversation stands."""

    INIT = "INIT"
    INTENT = "INTENT_CAPTURED"
    CLARIFY = "CLARIFY"
    DISCOVERY = "DISCOVERY"
    SYNTHESIS = "OML_SYNTHESIS"
    VALIDATE = "VALIDATE_OML"
    REGENERATE = "REGENERATE_ONCE"
    COMPILE = "COMPILE"
    APPROVAL = "APPROVAL"
    RUN = "RUN"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"


class Signal(StrEnum):
    """What happened."""

    SAID = "said"
    UNCLEAR = "unclear"
    UNDERSTOOD = "understood"
    DECLINED = "declined"
    FOUND = "found"
    PLANNED = "planned"
    LACKS_TABLES = "lacks_tables"
    IMPOSSIBLE = "impossible"
    UNUSABLE = "unusable"
    VALID = "valid"
    INVALID = "invalid"
    COMPILED = "compiled"
    EDITED = "edited"
    APPROVED = "approved"
    KEPT = "kept"
    REJECTED = "rejected"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


WAITING: Final = frozenset({State.INIT, State.CLARIFY, State.APPROVAL, State.COMPLETE, State.ERROR})
"""The states in which it is the person's turn."""

_AFTERWARDS: Final = {Signal.SAID: State.INTENT, Signal.EDITED: State.VALIDATE}

TRANSITIONS: Final[Mapping[State, Mapping[Signal, State]]] = {
    State.INIT: _AFTERWARDS,
    State.INTENT: {
        Signal.UNCLEAR: State.CLARIFY,
        Signal.UNDERSTOOD: State.DISCOVERY,
        Signal.DECLINED: State.COMPLETE,
    },
    State.CLARIFY: _AFTERWARDS,
    State.DISCOVERY: {Signal.FOUND: State.SYNTHESIS},
    State.SYNTHESIS: {
        Signal.PLANNED: State.VALIDATE,
        Signal.LACKS_TABLES: State.DISCOVERY,
        Signal.IMPOSSIBLE: State.COMPLETE,
        Signal.UNUSABLE: State.REGENERATE,
    },
    State.VALIDATE: {Signal.VALID: State.COMPILE, Signal.INVALID: State.REGENERATE},
    State.REGENERATE: {Signal.PLANNED: State.VALIDATE, Signal.IMPOSSIBLE: State.COMPLETE},
    State.COMPILE: {Signal.COMPILED: State.APPROVAL},
    State.APPROVAL: {
        **_AFTERWARDS,
        Signal.APPROVED: State.RUN,
        Signal.KEPT: State.COMPLETE,
        Signal.REJECTED: State.COMPLETE,
    },
    State.RUN: {Signal.SUCCEEDED: State.COMPLETE},
    State.COMPLETE: _AFTERWARDS,
    State.ERROR: _AFTERWARDS,
}
"""For each state what each signal leads to; ``FAILED`` leads to ``ERROR`` from every one."""


class NoTransition(ValueError):
    """A signal that means nothing in that state: a defect of the program."""


def following(state: State, signal: Signal) -> State:
    """The state after ``signal`` in ``state``; NoTransition when there is none."""
    if signal is Signal.FAILED:
        return State.ERROR
    try:
        return TRANSITIONS[state][signal]
    except KeyError:
        raise NoTransition(f"'{signal}' means nothing in {state}") from None
