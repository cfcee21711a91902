"""The slash commands of the terminal, as a table: what each takes and says of itself, and what does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.cli import terminal_draft, terminal_run, terminal_sources, terminal_talk
from osiris_core.cli.output import print_table
from osiris_core.cli.terminal_desk import CannotDo
from osiris_core.diagnostics import did_you_mean
from osiris_core.display import visible_line

if TYPE_CHECKING:
    from osiris_core.cli.terminal_desk import Desk


@attrs.frozen
class Command:
    """A command: ``takes`` is its argument (empty: none; in brackets: it may be left out)."""

    takes: str
    summary: str
    action: Callable[[Desk, str], object]


def _help(desk: Desk, argument: str) -> None:
    del argument
    print_table(
        ("command", "what it does"),
        [(f"/{name} {one.takes}".strip(), one.summary) for name, one in COMMANDS.items()],
        whole=1,
    )
    desk.note("Anything else is a sentence for the model. Alt-Enter, or \\ at the end, goes on in the next line.")


COMMANDS: Final[dict[str, Command]] = {
    "help": Command("", "List the commands.", _help),
    "connections": Command("", "List the connections.", terminal_sources.connections),
    "tables": Command("[CONNECTION]", "List the tables of a connection, or of all.", terminal_sources.tables),
    "describe": Command("TABLE", "Show a table's columns and what is in them.", terminal_sources.describe),
    "sql": Command("[STEP | QUERY]", "Show the SQL of a step, or of all; or the rows of a query.", terminal_draft.sql),
    "show": Command("", "Show the pipeline's text.", terminal_draft.show),
    "edit": Command("", "Change the pipeline in $VISUAL or $EDITOR.", terminal_draft.edit),
    "diff": Command("", "Show what changed from the draft before.", terminal_draft.diff),
    "validate": Command("", "Prove the pipeline again.", terminal_draft.validate),
    "plan": Command("", "Show what would be read, computed and written.", terminal_draft.plan),
    "preview": Command("", "Show the first rows that would be written; writes nothing.", terminal_run.preview),
    "run": Command("", "Show the pipeline for approval, and run it.", terminal_run.run),
    "save": Command("[FILE]", "Keep the pipeline, in a file if one is named.", terminal_draft.save),
    "cost": Command("", "Show calls, tokens and cost so far.", terminal_talk.cost),
    "model": Command("[PROVIDER:MODEL]", "Show the models, or ask another from now on.", terminal_talk.model),
    "undo": Command("", "Go back to the draft before.", terminal_draft.undo),
    "privacy": Command(
        "[SENTENCE | sent]", "Show what the next call would send, or what the last one sent.", terminal_talk.privacy
    ),
    "resume": Command("[CONVERSATION]", "List earlier conversations, or go on with one.", terminal_talk.resume),
    "quit": Command("", "Leave; the conversation is kept.", terminal_talk.leave),
}


def perform(desk: Desk, line: str) -> object:
    """Do what a line that begins with ``/`` says."""
    # Any white space ends the name: a query may begin in the next line.
    name, argument = [*line.removeprefix("/").split(None, 1), "", ""][:2]
    command = COMMANDS.get(name)
    if command is None:
        hint = did_you_mean(name, COMMANDS)
        said = hint.replace("'", "'/", 1) if hint else "/help lists them"
        raise CannotDo(f"there is no command '/{visible_line(name)}'; {said}")
    if argument.strip() and not command.takes:
        raise CannotDo(f"/{name} takes nothing after it")
    return command.action(desk, argument.strip())
