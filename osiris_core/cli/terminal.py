"""The conversation at a terminal, or along a pipe: a line in, what comes of it out, until the person leaves.

A pipe ends with the status of its last line, as a shell script does, and with 3 when the pipeline waits for approval or
the model for an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from osiris_core.chat.states import WAITING, Signal, State
from osiris_core.cli.output import print_error, print_text, print_unforeseen, standard_output
from osiris_core.cli.terminal_commands import COMMANDS, perform
from osiris_core.cli.terminal_desk import CannotDo, Desk, Leave
from osiris_core.cli.terminal_lines import EditedLines, PlainLines, is_editable, masked_history
from osiris_core.display import visible_line
from osiris_core.errors import ExitCode, OsirisError
from osiris_core.run.outcome import RunOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris_core.chat.session import ChatSession
    from osiris_core.cli.printed import Printed
    from osiris_core.cli.terminal_desk import Lines

HISTORY: Final = "chat-history"
_REPEATED: Final = 6
"""How many lines of a conversation are shown when it is resumed."""


def talk(
    session: ChatSession,
    wish: str | None,
    shown: Printed,
    *,
    run_it: bool = False,
    yes: bool = False,
    echo: bool = False,
) -> str | None:
    """Talk until the person leaves; the conversation that they want to go on with, if any.

    ``run_it`` asks for approval as soon as a pipeline is ready, ``yes`` gives it. ``echo`` shows the lines of a pipe.
    """
    desk = Desk(session=session, shown=shown, lines=_lines(session, shown, echo=echo))
    talking = _Talking(desk, run_it=run_it, yes=yes)
    with desk.closing:
        try:
            talking.begin(wish)
            while True:
                talking.turn()
        except Leave as end:
            if not desk.lines.interactive and talking.status is not ExitCode.OK:
                raise click.exceptions.Exit(int(talking.status)) from end
            return end.conversation


class _Talking:
    def __init__(self, desk: Desk, *, run_it: bool, yes: bool) -> None:
        self._desk = desk
        self._session = desk.session
        self._run_it = run_it
        self._yes = yes
        self.status = ExitCode.OK
        """How the last line ended."""

    def begin(self, wish: str | None) -> None:
        """Greet, show what a resumed conversation was about, say the first sentence."""
        desk, session = self._desk, self._session
        if desk.lines.interactive:
            name = visible_line(session.caller.candidates[0].name)
            desk.note(f"osiris chat with {name}. Say what you want; /help lists the commands, Ctrl-D leaves.")
        if session.conversation.memory.said:
            for line in session.store.lines(session.id)[-_REPEATED:]:
                mark = "»" if line.who == "model" else ">"
                print_text("\n".join(f"{mark} {text}" for text in line.text.splitlines()))
            if (problem := session.conversation.memory.problem) is not None:
                desk.note(visible_line(problem))
            self._guarded(self._resume)
        if wish:
            self._guarded(lambda: self._say(wish))

    def turn(self) -> None:
        """One line of the person's."""
        desk = self._desk
        desk.shown.drain()
        try:
            line = desk.lines.sentence().strip()
        except KeyboardInterrupt:
            desk.note("Ctrl-D or /quit leaves; the conversation is kept")
            return
        except EOFError:
            self._ended()
            raise Leave from None
        if line.startswith("/"):
            self._guarded(lambda: self._perform(line))
        elif line:
            self._guarded(lambda: self._say(line))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something whose failure, or Ctrl-C, ends it and not the conversation."""
        desk = self._desk
        self.status = ExitCode.OK
        try:
            action()
        except CannotDo as error:
            self.status = ExitCode.INVALID
            desk.note(visible_line(str(error)))
        except OsirisError as error:
            self.status = error.exit_code
            print_error(error, as_json=False)
        except KeyboardInterrupt:
            self.status = ExitCode.INTERRUPTED
            desk.note("stopped")
        except EOFError:
            # Nobody answered a question of ours.
            if not desk.lines.interactive:
                self.status = ExitCode.STALE
                desk.note("an answer is needed, and nothing more comes")
                raise Leave from None
            desk.note("not done")
        except Leave:
            raise
        except Exception as error:  # noqa: BLE001 - reported as the defect that it is; what was said is not lost by it
            self.status = ExitCode.FAILED
            print_unforeseen(error, as_json=False)
        if self._session.state not in WAITING:
            # Stopped between two states: the person can go on from here, too.
            self._session.conversation.finish(Signal.FAILED, "stopped")
        desk.shown.drain()

    def _perform(self, line: str) -> None:
        found = perform(self._desk, line)
        if isinstance(found, RunOutcome):
            self.status = found.exit_code

    def _say(self, text: str) -> None:
        self._session.say(text)
        self._ready()

    def _resume(self) -> None:
        """Back to where it waited. Nothing is run: nobody has seen the pipeline since, and it may have run already."""
        self._session.resume()
        self._shown()

    def _ready(self) -> None:
        """A pipeline is ready, if it is: show it, or ask for approval where that was wanted."""
        from osiris_core.cli.terminal_run import execute, screen

        if not self._run_it:
            self._shown()
        elif self._session.state is not State.APPROVAL:
            return
        elif self._yes:
            draft = self._desk.proved()
            screen(self._desk, draft)
            self.status = execute(self._desk, draft).exit_code
        else:
            self._perform("/run")

    def _shown(self) -> None:
        from osiris_core.cli.terminal_draft import proposal

        if self._session.state is State.APPROVAL:
            proposal(self._desk)

    def _ended(self) -> None:
        """Nothing more comes. Along a pipe that is no answer."""
        if self._desk.lines.interactive:
            return
        needed = {State.APPROVAL: "approval", State.CLARIFY: "an answer"}.get(self._session.state)
        if needed is not None:
            self.status = ExitCode.STALE
            self._desk.note(f"{needed} is needed: osiris chat --resume {self._session.id}")


def _lines(session: ChatSession, shown: Printed, *, echo: bool) -> Lines:
    stream = standard_output()
    if not is_editable(stream):
        return PlainLines(stream, echo=echo)
    from osiris_core.cli.terminal_completion import Names
    from osiris_core.cli.terminal_draft import sql_of
    from osiris_core.cli.terminal_sources import known_connections, known_tables

    world = session.world
    kept = [one.id for one in session.store.all() if one.id != session.id]

    def steps() -> list[str]:
        try:
            return [] if session.draft is None else list(sql_of(session.draft, world.registry))
        except CannotDo:
            return []

    def named() -> list[str]:
        return [*known_connections(world), *known_tables(world)]

    completer = Names(
        {f"/{name}": one.summary for name, one in COMMANDS.items()},
        {
            "/tables": lambda: known_connections(world),
            "/describe": named,
            "/sql": steps,
            "/model": lambda: [one.name for one in session.caller.candidates],
            "/resume": lambda: ["last", *kept],
        },
        named,
    )
    return EditedLines(
        stream,
        shown,
        history=masked_history(world.loaded.project.root / ".osiris" / HISTORY, world.redactor.text),
        completer=completer,
        status=lambda: _status(session),
    )


def _status(session: ChatSession) -> str:
    return f"{session.state.value} | {session.caller.candidates[0].name} | {session.caller.spent.shown}"
