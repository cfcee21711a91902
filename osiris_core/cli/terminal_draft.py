"""The terminal's commands about the pipeline as it stands: showing it, comparing it, changing it, keeping it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.cli.output import print_text, standard_output
from osiris_core.cli.terminal_desk import CannotDo, not_proved, print_highlighted
from osiris_core.diagnostics import did_you_mean
from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.draft import Draft
    from osiris_core.cli.terminal_desk import Desk
    from osiris_core.plugins.registry import Registry


def show(desk: Desk, argument: str) -> None:
    """The pipeline's text."""
    del argument
    print_highlighted(desk.draft().oml.rstrip(), "yaml")


def sql(desk: Desk, argument: str) -> None:
    """The SQL of a step, or of all; or the rows that a query gives."""
    if len(argument.split()) > 1:  # no step's name has a space in it, and no query is without one
        from osiris_core.cli.terminal_run import answer

        answer(desk, argument)
        return
    found = sql_of(desk.draft(), desk.session.world.registry)
    if not found:
        raise CannotDo("no step of the pipeline holds SQL")
    if argument and argument not in found:
        hint = did_you_mean(argument, found) or f"there is {', '.join(found)}"
        raise CannotDo(f"no step '{argument}' holds SQL; {hint}")
    for step, text in found.items():
        if argument in ("", step):
            print_text(f"-- {visible_line(step)}")
            print_highlighted(text, "sql")


def sql_of(draft: Draft, registry: Registry) -> dict[str, str]:
    """The SQL of each step that holds some, by its id."""
    from osiris_core.errors import OsirisError
    from osiris_core.model import yaml
    from osiris_core.model.shape import shape_of

    found: dict[str, str] = {}
    try:
        data: Any = yaml.load(draft.oml, file="draft").data
        for step in data["steps"]:
            members = shape_of(registry.component(step["component"]).config).members
            texts = [step["config"].get(member.name) for member in members if member.info.sql]
            found |= {str(step["id"]): text.strip() for text in texts if isinstance(text, str)}
    except (OsirisError, LookupError, TypeError, AttributeError) as error:
        raise CannotDo("the pipeline's text is not valid: /validate says what is wrong") from error
    return found


def diff(desk: Desk, argument: str) -> None:
    """What changed from the draft before to this one."""
    import difflib

    del argument
    draft, before = desk.draft(), desk.session.conversation.memory.previous
    if before is None:
        raise CannotDo("there is no draft before this one")
    lines = difflib.unified_diff(before.oml.splitlines(), draft.oml.splitlines(), "before", "now", lineterm="")
    text = "\n".join(lines)
    if not text:
        raise CannotDo("nothing has changed")
    print_highlighted(text, "diff")


def plan(desk: Desk, argument: str) -> None:
    """What would be read, computed and written."""
    from osiris_core.chat.draft import effects

    del argument
    for line in effects(desk.proved()):
        print_text(f"- {visible_line(line)}")


def proposal(desk: Desk) -> None:
    """What a pipeline that is ready would do, for whoever has just asked for it."""
    from osiris_core.cli.output import print_diagnostics

    draft = desk.proved()
    print_text(f"pipeline {visible_line(draft.name)}:")
    plan(desk, "")
    for line in draft.assumptions:
        print_text(f"- assumed: {visible_line(line)}")
    if draft.proof is not None:
        print_diagnostics(draft.proof.warnings)
    if desk.session.file is not None:
        shown = desk.session.world.loaded.project.shown(desk.session.file.absolute())
        desk.note(
            f"It is proved, and kept as {visible_line(shown)}. /run runs it, /preview shows rows, /show the text."
        )


def validate(desk: Desk, argument: str) -> None:
    """Prove the pipeline again: the sources may have changed."""
    del argument
    draft = desk.draft()
    desk.session.conversation.edit(draft.oml)
    steps = len(desk.proved().proof.bound)  # type: ignore[union-attr]
    print_text(f"valid: {visible_line(draft.name)} compiles, and each of its {steps} steps accepts what it would get")


def undo(desk: Desk, argument: str) -> None:
    """The draft before the last change."""
    del argument
    desk.session.conversation.undo()
    desk.note("back to the draft before; /undo again takes that back")
    proposal(desk)


def edit(desk: Desk, argument: str) -> None:
    """Change the pipeline in the person's editor."""
    del argument
    draft = desk.draft()
    changed = _edited(desk, draft.oml)
    if changed == draft.oml:
        desk.note("nothing was changed")
        return
    desk.session.conversation.edit(changed)
    proposal(desk)


def save(desk: Desk, argument: str) -> None:
    """Keep the pipeline: where it is already, or in a file."""
    from osiris_core.chat.states import Signal, State

    draft, session = desk.draft(), desk.session
    project = session.world.loaded.project
    if argument:
        path = _write(desk, argument, draft.oml)
    elif session.file is None or _read(session.file) != draft.oml.encode():
        raise CannotDo("the pipeline is kept nowhere as it stands: /validate keeps it, /save FILE writes it anyway")
    else:
        path = session.file.absolute()
    if session.state is State.APPROVAL:
        session.conversation.finish(Signal.KEPT)
    shown = visible_line(project.shown(path))
    print_text(f"saved: {shown}")
    if draft.proof is None or not draft.proof.holds:
        desk.note(not_proved(draft))


def _read(path: Path) -> bytes | None:
    """What a file holds; None for one that has gone or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(desk: Desk, name: str, text: str) -> Path:
    """Keep ``text`` in the file that the person named; its path."""
    data = text.encode()
    shown = visible_line(name)
    try:
        path = Path(name).expanduser().absolute()
        shown = visible_line(str(path))
        other = path.exists() and path.read_bytes() != data
        if other and desk.ask(f"{shown} is there already. Replace it?", ("yes", "no")) == "no":
            raise CannotDo("nothing was written")
        path.write_bytes(data)
    except (OSError, ValueError, RuntimeError) as error:  # no such user's home is a RuntimeError, a NUL a ValueError
        why = error.strerror if isinstance(error, OSError) else None
        raise CannotDo(f"{shown} cannot be written: {why or error}") from error
    return path


def _edited(desk: Desk, text: str) -> str:
    """``text`` as it comes back from the person's editor."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not desk.lines.interactive:
        raise CannotDo("/edit needs a terminal")
    if not editor:
        raise CannotDo("there is no editor: set VISUAL or EDITOR")
    with tempfile.TemporaryDirectory(prefix="osiris-edit-") as folder, _left_alone():
        path = Path(folder) / "pipeline.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            command = [*shlex.split(editor), str(path)]
            # What the editor draws goes to the terminal itself, not to where a driver's output goes.
            done = subprocess.run(command, stdout=standard_output(), stderr=desk.shown.terminal, check=False)  # noqa: S603
            if done.returncode:
                raise CannotDo(f"the editor ended with status {done.returncode}; the pipeline is as it was")
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CannotDo(f"the editor '{visible_line(editor)}' cannot be used: {error}") from error


@contextmanager
def _left_alone() -> Iterator[None]:
    """Ctrl-C is the editor's while it is open. A handler that does nothing: one that is ignored is inherited."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
