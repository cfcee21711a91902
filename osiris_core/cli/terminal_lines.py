"""Where the sentences and commands of a conversation come from: a line editor on a terminal, or lines of a pipe.

The editor is prompt_toolkit's, imported only here. It draws on the stream that is given, never on standard output,
which leads elsewhere while a command runs.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from osiris_core.cli.output import print_text
from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from osiris_core.cli.printed import Printed

PROMPT: Final = "osiris> "
_GOES_ON: Final = "   ...> "


def is_editable(stream: TextIO) -> bool:
    """Whether a line editor can be used: a terminal on both sides that understands more than lines."""
    return (
        find_spec("prompt_toolkit") is not None
        and sys.stdin.isatty()
        and stream.isatty()
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    )


class PlainLines:
    r"""Lines of standard input; ``\`` at the end goes on. The prompt is shown to who sits at a terminal; along a pipe
    it is shown, with the line, when ``echo`` says so.
    """

    def __init__(self, stream: TextIO, *, echo: bool = False) -> None:
        self._stream = stream
        self.interactive = sys.stdin.isatty()
        self._echoes = echo and not self.interactive

    def sentence(self) -> str:
        """A line, with those it goes on in."""
        lines = [self._line(PROMPT)]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1].removesuffix("\\")
            try:
                lines.append(self._line(_GOES_ON))
            except EOFError:
                break
        return "\n".join(lines)

    def answer(self, question: str) -> str:
        """A line."""
        return self._line(question)

    def _line(self, prompt: str) -> str:
        if self.interactive:
            click.echo(prompt, file=self._stream, nl=False)
        # Bytes that are no UTF-8 are shown escaped, as everywhere.
        data = sys.stdin.buffer.readline()
        if not data:
            raise EOFError
        line = data.decode("utf-8", "backslashreplace").rstrip("\r\n")
        if self._echoes:
            # Printed like everything else, so that a secret in it is masked and nothing in it acts.
            print_text(f"{prompt}{line}")
        return line


class EditedLines:
    """A line editor with history and completion. What drivers print meanwhile is shown when a line is ready."""

    interactive = True

    def __init__(
        self, stream: TextIO, shown: Printed, *, history: History, completer: Completer, status: Callable[[], str]
    ) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import ThreadedCompleter
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.input import create_input
        from prompt_toolkit.output.vt100 import Vt100_Output
        from prompt_toolkit.styles import Style

        class Output(Vt100_Output):
            """Draws below the cursor without asking where that is: an answer that comes late would be read as typed."""

            def get_rows_below_cursor_position(self) -> int:
                return 1

        output = Output.from_pty(stream, term=os.environ.get("TERM"))
        output.enable_cpr = False
        plain = bool(os.environ.get("NO_COLOR"))
        style = Style([("bottom-toolbar", "noreverse" if plain else "noreverse fg:ansibrightblack")])
        common: dict[str, Any] = {"input": create_input(sys.stdin), "output": output, "style": style}
        self._shown = shown
        self._editor: PromptSession[str] = PromptSession(
            **common,
            multiline=True,
            prompt_continuation=_GOES_ON,
            history=history,
            completer=ThreadedCompleter(completer),
            complete_while_typing=Condition(self._is_command),
            key_bindings=_bindings(),
            bottom_toolbar=lambda: visible_line(status()),
            reserve_space_for_menu=6,
        )
        self._question: PromptSession[str] = PromptSession(**common)

    def sentence(self) -> str:
        """What was typed until Enter."""
        with self._undisturbed():
            return self._editor.prompt(PROMPT)

    def answer(self, question: str) -> str:
        """What was typed until Enter; neither kept nor completed."""
        with self._undisturbed():
            return self._question.prompt(question)

    def _is_command(self) -> bool:
        return self._editor.default_buffer.text.startswith("/")

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        held: list[str] = []
        self._shown.drain()
        before, self._shown.show = self._shown.show, held.append
        try:
            yield
        finally:
            self._shown.drain()
            self._shown.show = before
            if held:
                self._shown.write("".join(held))


def masked_history(path: Path, clean: Callable[[str], str]) -> History:
    """What was typed before, in a file that only its owner may read; secrets are masked before they are written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Masked(FileHistory):
        def store_string(self, string: str) -> None:
            super().store_string(clean(string))

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except OSError:
        return InMemoryHistory()  # a folder that cannot be written to: it is remembered for this conversation only
    return Masked(path)


def _bindings() -> KeyBindings:
    """Enter ends, Alt-Enter and a trailing backslash go on, Ctrl-C clears what is typed and else interrupts."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def end(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def go_on(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def clear(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return keys
