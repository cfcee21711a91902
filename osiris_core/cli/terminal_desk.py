"""What the terminal of a conversation works with, and how it speaks: what commands and screens are handed."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import attrs

from osiris_core.cli.output import print_note, print_text, redactor, standard_output
from osiris_core.display import visible, visible_line

if TYPE_CHECKING:
    from osiris_core.chat.draft import Draft
    from osiris_core.chat.session import ChatSession
    from osiris_core.chat.states import Signal, State
    from osiris_core.cli.printed import Printed


class CannotDo(Exception):
    """Why a command cannot be done now, in a line."""


class Leave(Exception):
    """The person leaves; for another conversation when ``conversation`` names one."""

    def __init__(self, conversation: str | None = None) -> None:
        super().__init__(conversation)
        self.conversation = conversation


class Lines(Protocol):
    """Where what the person says comes from. EOFError: nothing more comes; KeyboardInterrupt: they pressed Ctrl-C."""

    @property
    def interactive(self) -> bool:
        """Whether a person sits there, who can be asked again."""
        ...

    def sentence(self) -> str:
        """A sentence or command, of one line or several."""
        ...

    def answer(self, question: str) -> str:
        """The answer to a question of the program's."""
        ...


@attrs.define(kw_only=True)
class Desk:
    """One conversation at a terminal. ``shown`` is what drivers print, which stands above what we print after it."""

    session: ChatSession
    shown: Printed
    lines: Lines
    closing: ExitStack = attrs.field(factory=ExitStack)
    """Closes what commands have opened for the rest of the conversation."""

    def note(self, text: str) -> None:
        """Progress, notes and refusals, on standard error, before anything that is printed next."""
        print_note(text)
        self.shown.drain()

    def draft(self) -> Draft:
        """The pipeline as it stands."""
        draft = self.session.draft
        if draft is None:
            raise CannotDo("there is no pipeline yet: say what you want")
        return draft

    def proved(self) -> Draft:
        """The pipeline, of which is known what it would do."""
        draft = self.draft()
        if draft.proof is None or draft.proof.manifest is None:
            raise CannotDo(not_proved(draft))
        return draft

    def ask(self, question: str, answers: tuple[str, ...]) -> str:
        """One of ``answers``, which a letter stands for, too. EOFError and KeyboardInterrupt pass."""
        while True:
            said = self.lines.answer(f"{question} [{' / '.join(answers)}] ").strip().lower()
            for answer in answers:
                if said in (answer, answer[0]):
                    return answer
            self.note(f"'{visible_line(said)}' is no answer: {', '.join(answers)}")


class TerminalFront:
    """Shows a conversation. Each line of the model's stands behind a mark, so that none passes for one of ours."""

    def __init__(self, shown: Printed) -> None:
        self._shown = shown

    def say(self, text: str) -> None:
        """What the model says."""
        self._shown.drain()
        print_text("\n".join(f"» {line}" for line in text.splitlines()))

    def progress(self, text: str) -> None:
        """What is being done."""
        print_note(f"… {visible_line(text)}")
        self._shown.drain()

    def moved(self, before: State, signal: Signal, after: State) -> None:
        """States are in the status line."""


def colourful() -> bool:
    """Whether standard output is a terminal that shows colours, and nobody has asked for none."""
    return standard_output().isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_highlighted(text: str, language: str) -> None:
    """A text in a language (``yaml``, ``sql``, ``diff``) on standard output, coloured where there are colours."""
    if not colourful():
        print_text(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    # The colours are the terminal's own; nothing in the text acts, and none of it is markup.
    syntax = Syntax("", language, theme="ansi_dark", background_color="default")
    highlighted = syntax.highlight(visible(redactor().text(text)))
    highlighted.rstrip()
    Console(file=standard_output(), markup=False, emoji=False, highlight=False).print(highlighted, soft_wrap=True)


def not_proved(draft: Draft) -> str:
    """What to say of a pipeline that no proof holds for."""
    if draft.proof is None:
        return "the pipeline has not been proved since the conversation was resumed: /validate proves it"
    return "the pipeline is not proved: /validate says what is wrong"
