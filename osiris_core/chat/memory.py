"""What a conversation consists of, as plain values: all that is kept to resume it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.chat.forms import UNSAID
from osiris_core.chat.states import State
from osiris_core.spec.llm import Message

if TYPE_CHECKING:
    from osiris_core.chat.draft import Draft

REMEMBERED: Final = 6
"""How many of the person's last sentences a call is told."""


@attrs.define(kw_only=True)
class Memory:
    """The state, what was said and asked, and what came of it."""

    state: State = State.INIT
    said: list[str] = attrs.field(factory=list)
    asked: dict[int, str] = attrs.field(factory=dict)
    """The questions since the wish, each by the place in ``said`` of the sentence that answers it."""
    goal: str = ""
    connections: tuple[str, ...] = ()
    destination: str = UNSAID
    draft: Draft | None = None
    previous: Draft | None = None
    problem: str | None = None
    files: dict[str, str] = attrs.field(factory=dict)
    """The files that this conversation wrote in the project, with the SHA-256 of what it wrote last."""

    cost: float = 0.0
    """What the models have cost at most, in US dollars."""

    def hear(self, sentence: str) -> None:
        """The person said this: the answer to a question, or a wish of its own."""
        self.said = [*self.said, sentence]
        if self.state is not State.CLARIFY:
            self.goal = ""
            self.asked = {}

    def ask(self, question: str) -> None:
        """What is said next answers this."""
        self.asked = {**self.asked, len(self.said): question}

    def dialogue(self) -> list[Message]:
        """The last sentences as messages, each question before its answer: `the second` means nothing without it."""
        made: list[Message] = []
        for at, sentence in list(enumerate(self.said))[-REMEMBERED:]:
            if made and at not in self.asked:
                made[-1] = Message(role="user", text=f"{made[-1].text}\n{sentence}")
                continue
            if made:
                made.append(Message(role="assistant", text=self.asked[at]))
            made.append(Message(role="user", text=sentence))
        return made
