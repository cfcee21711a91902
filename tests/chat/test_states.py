"""The table of states, explored whole."""

from __future__ import annotations

import pytest

from osiris_core.chat.states import TRANSITIONS, WAITING, NoTransition, Signal, State, following


def reachable(start, *, without=frozenset()):
    """Every state that can follow ``start`` by signals that are none of ``without``."""
    seen, open_ = set(), [start]
    while open_:
        state = open_.pop()
        for signal in Signal:
            if signal in without:
                continue
            try:
                after = following(state, signal)
            except NoTransition:
                continue
            if after not in seen:
                seen.add(after)
                open_.append(after)
    return seen


def test_every_state_is_reached_and_left():
    assert reachable(State.INIT) == set(State) - {State.INIT}
    assert set(TRANSITIONS) == set(State)
    for state in State:
        assert reachable(state) >= {State.COMPLETE, State.ERROR}


@pytest.mark.parametrize("state", [State.DISCOVERY, State.SYNTHESIS, State.VALIDATE, State.REGENERATE, State.COMPILE])
def test_there_is_no_question_after_discovery(state):
    """Only a person's own words lead back to where a question may be asked."""
    assert State.CLARIFY not in reachable(state, without={Signal.SAID})


def test_a_question_is_asked_from_one_state_only():
    leading = {state for state, signals in TRANSITIONS.items() if State.CLARIFY in signals.values()}
    assert leading == {State.INTENT}


def test_a_run_follows_an_approval_only():
    leading = {(state, signal) for state, ways in TRANSITIONS.items() for signal, to in ways.items() if to is State.RUN}
    assert leading == {(State.APPROVAL, Signal.APPROVED)}


def test_there_is_one_regeneration():
    """What follows a regeneration by itself ends with the person; a second one takes a refusal by the engine."""
    assert TRANSITIONS[State.REGENERATE] == {Signal.PLANNED: State.VALIDATE, Signal.IMPOSSIBLE: State.COMPLETE}


def test_a_failure_leads_to_where_the_person_can_go_on():
    for state in State:
        assert following(state, Signal.FAILED) is State.ERROR
    assert State.ERROR in WAITING
    assert following(State.ERROR, Signal.SAID) is State.INTENT
    assert following(State.ERROR, Signal.EDITED) is State.VALIDATE


def test_a_person_is_heard_in_every_waiting_state():
    for state in WAITING:
        assert following(state, Signal.SAID) is State.INTENT


def test_a_signal_that_means_nothing_is_a_defect():
    with pytest.raises(NoTransition, match="'approved' means nothing in INIT"):
        following(State.INIT, Signal.APPROVED)
