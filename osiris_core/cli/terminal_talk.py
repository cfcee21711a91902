"""The terminal's commands about the conversation itself: the model, what it costs, what it is told, other ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from osiris_core.cli.output import print_table, print_text
from osiris_core.cli.terminal_desk import CannotDo, Leave
from osiris_core.diagnostics import did_you_mean
from osiris_core.display import counted, visible_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.cli.terminal_desk import Desk
    from osiris_core.spec.llm import Message

_LISTED: Final = 10
_SENT: Final = "sent"
_ANYTHING: Final = "(what you say)"
_TITLE: Final = 60


def cost(desk: Desk, argument: str) -> None:
    """What the conversation has taken since it was opened."""
    del argument
    spent = desk.session.caller.spent
    print_text(f"{counted(spent.calls, 'call')} of a model: {spent.shown}")


def model(desk: Desk, argument: str) -> None:
    """The models in the order in which they are asked; one first."""
    caller = desk.session.caller
    if not argument:
        for number, one in enumerate(caller.candidates):
            print_text(f"{visible_line(one.name)}{'' if number else ' (asked first)'}")
        return
    chosen = next((one for one in caller.candidates if one.name == argument), None)
    if chosen is None:
        from osiris_core.chat.providers import Providers

        world = desk.session.world
        providers = Providers(registry=world.registry, loaded=world.loaded, environment=world.environment)
        provider, _, name = argument.partition(":")
        chosen = providers.candidate(provider, name or None)
        desk.closing.callback(chosen.provider.close)
    desk.session.ask_first(chosen)
    desk.note(f"{visible_line(chosen.name)} is asked from now on")


def privacy(desk: Desk, argument: str) -> None:
    """What the next call would send if the person said this, or what the last one has sent."""
    if argument == _SENT:
        sent = desk.session.caller.sent
        if sent is None:
            raise CannotDo("nothing has been sent since this conversation was opened")
        print_text(f"Sent last, to {sent.candidate}, for '{sent.purpose}':")
        _print_call(sent.messages, sent.schema)
        return
    call = desk.session.conversation.outgoing(argument or _ANYTHING)
    if call is None:
        raise CannotDo("no table has been looked at yet, so what the call for a plan would say of them is not known")
    purpose, messages, schema = call
    print_text(f"The next call, for '{purpose}', would send this and nothing else:")
    _print_call(messages, schema)
    if not argument:
        desk.note(
            f"{_ANYTHING} stands for your sentence: /privacy SENTENCE puts it in; /privacy sent shows the last call"
        )


def _print_call(messages: Sequence[Message], schema: Mapping[str, Any] | None) -> None:
    for one in messages:
        print_text(f"--- {one.role} ---")
        print_text(one.text)
    if schema is not None:
        print_text("--- the form of the reply (JSON Schema) ---")
        print_text(json.dumps(schema, ensure_ascii=False))


def resume(desk: Desk, argument: str) -> None:
    """The latest conversations of the project, or going on with one."""
    session = desk.session
    kept = [one for one in session.store.all() if one.id != session.id]
    if not kept:
        raise CannotDo("there is no other conversation in this project")
    if not argument:
        rows = [(one.id, one.changed, one.state, one.title[:_TITLE]) for one in kept[:_LISTED]]
        print_table(("conversation", "changed", "state", "began with"), rows, whole=1)
        desk.note("/resume CONVERSATION goes on with one")
        return
    names = ["last", *(one.id for one in kept)]
    if argument not in names:
        hint = did_you_mean(argument, names) or "/resume lists them"
        raise CannotDo(f"there is no conversation '{argument}'; {hint}")
    raise Leave(kept[0].id if argument == "last" else argument)


def leave(desk: Desk, argument: str) -> None:
    """End; the conversation is kept."""
    del desk, argument
    raise Leave
