"""What Tab offers: commands, and the names that can stand after them. Nothing is asked of a server.

The tables are those that discovery has kept; ``/tables`` looks for more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

_MOST = 200


class Names(Completer):
    """``commands`` with what each does; ``arguments`` gives for a command the names that it takes; ``anywhere`` those
    that a sentence may hold.
    """

    def __init__(
        self,
        commands: Mapping[str, str],
        arguments: Mapping[str, Callable[[], Iterable[str]]],
        anywhere: Callable[[], Iterable[str]],
    ) -> None:
        self._commands = commands
        self._arguments = arguments
        self._anywhere = anywhere

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What could stand where the cursor is."""
        del complete_event
        before = document.text_before_cursor
        if before.startswith("/") and " " not in before:
            for name, summary in self._commands.items():
                if name.startswith(before):
                    yield Completion(name, start_position=-len(before), display_meta=summary)
            return
        command = before.split(" ", 1)[0] if before.startswith("/") else None
        known = self._anywhere if command is None else self._arguments.get(command)
        word = before.rsplit(maxsplit=1)[-1] if before and not before[-1].isspace() else ""
        if known is None or (command is None and not word):
            return
        shown = (name for name in known() if name.lower().startswith(word.lower()))
        for _, name in zip(range(_MOST), shown, strict=False):
            if visible_line(name) == name:  # what would act on the terminal is not offered
                yield Completion(name, start_position=-len(word))
