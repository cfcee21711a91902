"""The prompts, as files with placeholders: those shipped, or those of a folder that the person keeps (pro mode).

What is safe is decided by code, in no prompt; so another text can make the model worse, and nothing less safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final, Literal

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import InvalidInput
from osiris_core.spec.llm import Message

_TURN: Final = re.compile(r"^=== (?P<who>person|model)[ \t]*\n", re.MULTILINE)
"""A line that begins a turn of an example conversation; what stands before the first is the system's."""
_ROLES: Final[Mapping[str, Literal["user", "assistant"]]] = {"person": "user", "model": "assistant"}
_PLACEHOLDER: Final = re.compile(r"\{\{(?P<name>[^{}\n]*)\}\}")


@attrs.frozen(kw_only=True)
class Purpose:
    """One of the calls: what its prompt may and must hold, with what each placeholder stands for."""

    name: str
    required: Mapping[str, str]
    optional: Mapping[str, str] = attrs.field(factory=dict)


_PLAN: Final = {
    "tables": "the tables with their columns, between the marks",
    "destinations": "the places a pipeline can write to, a line each",
}
_BESIDES: Final = {
    "components": "the installed components with all their fields (`osiris prompts build-context`)",
    "begin": "the mark before the data",
    "end": "the mark after the data",
    "default_destination": "the destination of a wish that names none",
    "default_ending": "what the path of that destination ends in",
}

PURPOSES: Final = (
    Purpose(
        name="intent",
        required={
            "connections": "the connections of the project, a line each",
            "destinations": "the places a pipeline can write to, a line each",
        },
    ),
    Purpose(name="plan", required=_PLAN, optional=_BESIDES),
    Purpose(
        name="guided",
        required={
            "tables": "the tables as CREATE TABLE statements, between the marks",
            "question": "the wish, and which columns its words mean; last, so that all before it is read once",
        },
        optional={name: _BESIDES[name] for name in ("components", "begin", "end")},
    ),
    Purpose(name="repair", required={"errors": "what is wrong with the plan, a line each"}),
)

BAD_TEMPLATE: Final = "OSR-CHAT-006"


@attrs.frozen(kw_only=True)
class Template:
    """A prompt's text with its placeholders; ``hash`` is the digest of the text."""

    purpose: str
    text: str
    origin: str

    @property
    def hash(self) -> str:
        """The SHA-256 of the text, as lower-case hex."""
        return digest_bytes(self.text.encode())

    @property
    def placeholders(self) -> frozenset[str]:
        """What it wants to be told."""
        return frozenset(match["name"].strip() for match in _PLACEHOLDER.finditer(self.text))

    def render(self, values: Mapping[str, str]) -> str:
        """The prompt. What a value holds is not looked at for placeholders."""
        return _rendered(self.text, values)

    def messages(self, values: Mapping[str, str]) -> list[Message]:
        """The prompt as messages, one for each turn that the text has; a value begins no turn."""
        head, *turns = _TURN.split(self.text)
        made = [Message(role="system", text=_rendered(head, values))]
        for who, text in zip(turns[::2], turns[1::2], strict=True):
            made.append(Message(role=_ROLES[who], text=_rendered(text, values)))
        return made


def _rendered(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match["name"].strip()], text).strip() + "\n"


def load_templates(folder: Path | None = None) -> dict[str, Template]:
    """The prompts by purpose: those shipped, or those in ``folder``, in a file each (``plan.md``).

    Raises InvalidInput, with file and line, for a placeholder that is not known or one that is missing.
    """
    return {purpose.name: _load(purpose, folder) for purpose in PURPOSES}


def _load(purpose: Purpose, folder: Path | None) -> Template:
    name = f"{purpose.name}.md"
    if folder is None:
        text = resources.files("osiris_core.chat").joinpath("prompts", name).read_text("utf-8")
        return Template(purpose=purpose.name, text=text, origin="shipped")
    path = folder / name
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        hint = "osiris dump-prompts --export writes all of them"
        raise InvalidInput(BAD_TEMPLATE, f"there is no {path}", hint=hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(BAD_TEMPLATE, f"{path} cannot be read: {error}") from error
    check(text, purpose, str(path))
    return Template(purpose=purpose.name, text=text, origin=str(path))


def check(text: str, purpose: Purpose, file: str) -> None:
    """Raise InvalidInput unless ``text`` has the placeholders of ``purpose``, each of them known."""
    known = {**purpose.required, **purpose.optional}
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        for match in _PLACEHOLDER.finditer(line):
            name = match["name"].strip()
            if name not in known:
                hint = did_you_mean(name, known) or f"there is {', '.join(known)}"
                message = f"'{match.group()}' is no placeholder of the prompt '{purpose.name}'"
                raise InvalidInput(BAD_TEMPLATE, message, where=f"{file}:{number}", hint=hint)
            seen.add(name)
    missing = [name for name in purpose.required if name not in seen]
    if missing:
        last = max(1, len(text.splitlines()))
        message = f"the prompt '{purpose.name}' lacks {{{{{missing[0]}}}}}: {purpose.required[missing[0]]}"
        raise InvalidInput(BAD_TEMPLATE, message, where=f"{file}:{last}", hint="put it where the model shall read it")
