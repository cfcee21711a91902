"""Records the conversation of `make demo`: what is said and typed is ``examples/flights/conversation/lines.txt``, what
the model answers ``replies.yaml``, and ``recording.jsonl`` is made of both and of the prompts as they are now.

The conversation is the genuine one over the genuine data: discovery, prompts, checks; only the model is the file of
replies. ``python scripts/record_demo.py`` writes the recording, with ``--check`` it says whether it would be the same.
Exit status: 0 it is; 1 it is not, or a reply no longer leads to a pipeline that can be approved.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML

from osiris_core.api import llm, recording
from osiris_core.chat.calling import Caller, Candidate, Limits
from osiris_core.chat.session import ChatSession, Choices
from osiris_core.chat.states import State
from osiris_core.chat.templates import load_templates
from osiris_core.cli.chat import world_of
from osiris_core.errors import OsirisError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TALK: Final = Path(__file__).resolve().parents[1] / "examples" / "flights" / "conversation"
ANSWERS: Final = ("yes", "no", "edit")
HOW: Final = "`make record-demo` records it anew; then read its difference, and whether `make demo` still tells a story"


class Mismatch(Exception):
    """Why there is no recording, in words."""


class Written:
    """A model that answers what stands in a file, and remembers the calls as lines of a recording."""

    def __init__(self, replies: Sequence[dict[str, Any]]) -> None:
        self._left = list(replies)
        self.lines: list[str] = []

    def secrets(self) -> tuple[str, ...]:
        """None."""
        return ()

    def stream(self, request: llm.Request) -> Iterator[llm.Event]:
        """The next reply, which must be one to such a call."""
        if not self._left or self._left[0]["call"] != request.purpose:
            expected = self._left[0]["call"] if self._left else "none"
            raise Mismatch(f"the conversation makes a call '{request.purpose}' where replies.yaml has {expected}")
        text = json.dumps(self._left.pop(0)["reply"], ensure_ascii=False)
        # Nobody counted tokens, because there were none.
        events = (llm.Text(text), llm.Done(stop="end", usage=llm.Usage(input=0, output=0), model="recorded"))
        self.lines.append(recording.line_of(request, events))
        yield from events

    def require_empty(self) -> None:
        """Raise Mismatch when a reply was not asked for."""
        if self._left:
            raise Mismatch(f"nobody asks for {len(self._left)} of the replies")


class Silent:
    """Shows nothing, and keeps why something failed."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, text: str) -> None:
        """Nothing."""

    def moved(self, before: State, signal: object, after: State) -> None:
        """Nothing."""


def sentences(lines: str) -> list[str]:
    """What is said to the model among the lines of a conversation."""
    return [line for line in lines.splitlines() if not line.startswith("/") and line not in ANSWERS]


def record(folder: Path = TALK) -> str:
    """The recording; raises Mismatch when the conversation goes another way than the replies expect."""
    model = Written(YAML(typ="safe").load((folder / "replies.yaml").read_text("utf-8")))
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="osiris-demo-") as made:
        (Path(made) / "data").symlink_to(folder.parent / "data")
        project = Path(made) / folder.name
        project.mkdir()
        for name in ("osiris.yaml", "osiris_connections.yaml"):
            shutil.copy(folder / name, project)
        os.chdir(project)
        try:
            _talk(model, sentences((folder / "lines.txt").read_text("utf-8")))
        finally:
            os.chdir(before)
    model.require_empty()
    return "\n".join(model.lines) + "\n"


def _talk(model: Written, said: Sequence[str]) -> None:
    world = world_of(None, notes=False)
    candidate = Candidate(provider_name="written", provider=model, model="by-hand")  # type: ignore[arg-type]
    session = ChatSession(
        world,
        Choices(templates=load_templates()),
        Silent(),  # type: ignore[arg-type]
        lambda listen: Caller([candidate], redactor=world.redactor, limits=Limits(), listen=listen),
    )
    try:
        for sentence in said:
            session.say(sentence)
            if session.state is not State.APPROVAL:
                raise Mismatch(f"'{sentence}' leads to {session.state.value}: {session.conversation.memory.problem}")
    finally:
        session.close()


def main(arguments: Sequence[str] | None = None, folder: Path = TALK) -> int:
    """Write the recording, or with ``--check`` compare; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; only compare")
    options = parser.parse_args(arguments)
    path = folder / "recording.jsonl"
    try:
        made = record(folder)
    except (Mismatch, OsirisError) as error:
        print(f"error: {error}\nmend lines.txt or replies.yaml in {folder.name}/", file=sys.stderr)
        return 1
    if not options.check:
        path.write_text(made, "utf-8")
        print(f"{len(made.splitlines())} calls recorded")
        return 0
    found = path.read_text("utf-8") if path.is_file() else ""
    if found == made:
        print(f"{len(made.splitlines())} calls are recorded as they would be now")
        return 0
    print(f"error: the recording of the demonstration does not fit the present prompts\n{HOW}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
