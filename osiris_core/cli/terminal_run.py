"""Approval and what it is of: the screen that is approved, the run, and rows of a trial beforehand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from osiris_core.cli.output import print_note, print_table, print_text, redactor
from osiris_core.cli.terminal_desk import CannotDo, print_highlighted
from osiris_core.cli.terminal_draft import edit, sql_of
from osiris_core.display import counted, visible_line

if TYPE_CHECKING:
    from osiris_core.chat.draft import Draft
    from osiris_core.chat.trying import Tried
    from osiris_core.cli.terminal_desk import Desk
    from osiris_core.run.outcome import RunOutcome

_ANSWERS: Final = ("yes", "edit", "no")
_PREVIEWED: Final = 10
_PREVIEW_SECONDS: Final = 15.0
_PART: Final = 10_000
_ANSWERED: Final = 50
_ANSWER_SECONDS: Final = 60.0
_TIMED_OUT: Final = "OSR-RUN-008"


def run(desk: Desk, argument: str) -> RunOutcome | None:
    """Show what would be run, ask, run it. None: it was not approved."""
    from osiris_core.chat.states import Signal, State

    del argument
    session = desk.session
    desk.draft()
    while True:
        if session.state is not State.APPROVAL:
            session.conversation.edit(desk.draft().oml)
        draft = desk.proved()
        screen(desk, draft)
        match desk.ask("Run this pipeline?", _ANSWERS):
            case "yes":
                return execute(desk, draft)
            case "edit":
                edit(desk, "")
            case _:
                session.conversation.finish(Signal.REJECTED)
                desk.note("not run; say what should be different, or /quit")
                return None


def screen(desk: Desk, draft: Draft) -> None:
    """Everything that an approval is of."""
    from osiris_core.chat.draft import effects

    assert draft.proof is not None
    print_text(f"=== pipeline {visible_line(draft.name)} ===")
    print_highlighted(draft.oml.rstrip(), "yaml")
    if redactor().text(draft.oml) != draft.oml:
        desk.note("what looks like a secret in it is shown as ***")
    print_text("--- what it does ---")
    for line in effects(draft):
        print_text(f"- {visible_line(line)}")
    for line in draft.assumptions:
        print_text(f"- assumed: {visible_line(line)}")
    for step, text in sql_of(draft, desk.session.world.registry).items():
        print_text(f"--- SQL of {visible_line(step)} ---")
        print_highlighted(text, "sql")
    _columns(draft)
    print_text("--- cost so far ---")
    print_text(desk.session.caller.spent.shown)
    print_text(f"text: SHA-256 {draft.hash}")


def _columns(draft: Draft) -> None:
    """The columns of the rows that each write would get."""
    assert draft.proof is not None
    assert draft.proof.manifest is not None
    bound = {one.id: one for one in draft.proof.bound}
    for step in draft.proof.manifest.steps:
        if step.mode != "write":
            continue
        for needed in step.needs:
            print_text(f"--- columns that {visible_line(step.id)} writes ---")
            one = bound[needed]
            if one.columns is None:
                print_text(f"not known before the run: {visible_line(one.unknown or '')}")
                continue
            print_table(("column", "type"), [(column["name"], column["type"]) for column in one.columns])


def execute(desk: Desk, draft: Draft) -> RunOutcome:
    """Run ``draft``, which was approved, with progress in this window; Ctrl-C stops the run and nothing else."""
    from osiris_core.cli.progress import progress
    from osiris_core.cli.run import show_outcome
    from osiris_core.run.executor import Interrupts
    from osiris_core.run.signals import handling

    assert draft.proof is not None
    assert draft.proof.manifest is not None
    manifest, interrupts = draft.proof.manifest, Interrupts()
    with progress(manifest, desk.shown, verbose=False) as listener, handling(interrupts.request) as ending:
        outcome = desk.session.run(draft.hash, listeners=(listener,), interrupts=interrupts)
        ending.exit_code = outcome.exit_code
    desk.shown.drain()
    watched = desk.shown.terminal.isatty()
    show_outcome(outcome, manifest, desk.session.world.loaded, watched=watched, as_json=False)
    desk.shown.drain()
    if outcome.stuck:
        print_note("a driver does not stop; the conversation is kept")
        desk.session.close()
        desk.shown.end()
        os._exit(int(outcome.exit_code))
    return outcome


def preview(desk: Desk, argument: str) -> None:
    """The first rows that would be written, of a trial that writes nothing of the project's."""
    del argument
    draft = desk.proved()
    tried, part = _tried(desk, draft)
    for one in tried:
        shown = min(_PREVIEWED, one.total)
        what = (
            f"of a part of the data (at most {_PART:,} rows of each source that can be limited)"
            if part
            else "of all data"
        )
        print_text(f"{visible_line(one.source)}: {counted(shown, 'row')} of {one.total:,}, {what}; nothing was written")
        headers = [f"{name} {kind}" for name, kind in one.columns]
        print_table(headers, [[_cell(value) for value in row] for row in one.rows])


def answer(desk: Desk, query: str) -> None:
    """The first rows of a query of the person's; nothing is written, and Ctrl-C stops it."""
    from osiris_core.errors import RunFailed
    from osiris_core.run.executor import Interrupts
    from osiris_core.run.signals import handling

    interrupts = Interrupts()
    document = desk.session.question(query)
    desk.note("… asking")
    try:
        with handling(interrupts.request):
            found = desk.session.answer(document, rows=_ANSWERED, seconds=_ANSWER_SECONDS, interrupts=interrupts)
    except RunFailed as error:
        if error.code != _TIMED_OUT:
            raise
        message = f"the query was stopped after {_ANSWER_SECONDS:g} seconds; ask for less, or make a pipeline of it"
        raise CannotDo(message) from error
    headers = [f"{name} {kind}" for name, kind in found.columns]
    print_table(headers, [[_cell(value) for value in row] for row in found.rows])
    shown = len(found.rows)
    desk.note(counted(shown, "row") if shown == found.total else f"the first {shown} of {counted(found.total, 'row')}")


def _tried(desk: Desk, draft: Draft) -> tuple[tuple[Tried, ...], bool]:
    """The rows, and whether they are of a part of the data: of all that can be computed in a few seconds."""
    from osiris_core.chat.trying import try_out
    from osiris_core.errors import RunFailed
    from osiris_core.run.executor import Interrupts
    from osiris_core.run.signals import handling

    interrupts, world = Interrupts(), desk.session.world
    desk.note("… trying it out")
    with handling(interrupts.request):
        try:
            made = try_out(draft.oml, world, rows=_PREVIEWED, seconds=_PREVIEW_SECONDS, interrupts=interrupts)
        except RunFailed as error:
            if error.code != _TIMED_OUT:
                raise
        else:
            return made, False
        desk.note(f"… that takes longer than {_PREVIEW_SECONDS:g} seconds; trying it with a part of the data")
        try:
            part = try_out(
                draft.oml,
                world,
                rows=_PREVIEWED,
                seconds=_PREVIEW_SECONDS,
                of_each_source=_PART,
                interrupts=interrupts,
            )
        except RunFailed as error:
            if error.code != _TIMED_OUT:
                raise
            raise CannotDo("there is no preview: the sources cannot be read in part, and all takes too long") from error
    return part, True


def _cell(value: object) -> str:
    """A value as text; NULL is told from an empty text."""
    return "NULL" if value is None else str(value)
