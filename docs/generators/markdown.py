"""Text from code as Markdown that shows it and nothing else."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")


def cell(value: object) -> str:
    """A table cell: one line, bars escaped."""
    return " ".join(str(value).split()).replace("|", "\\|")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; empty text when there is no row."""
    lines = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers), *lines]) + "\n"


def code(text: object) -> str:
    """Inline code, for a table cell too."""
    shown = str(text)
    fence = "``" if "`" in shown else "`"
    return f"{fence}{shown}{fence}"


def prose(text: str | None) -> str:
    """A docstring as Markdown: reStructuredText's marks for code replaced by Markdown's."""
    cleaned = _ROLE.sub(r"``\1``", inspect.cleandoc(text or ""))
    return cleaned.replace("``", "`")


def first_line(text: str | None) -> str:
    """The first sentence-line of a docstring."""
    return prose(text).partition("\n\n")[0].replace("\n", " ")


def documented_fields(cls: type) -> list[tuple[str, Any, str]]:
    """Name, annotation text and the docstring under each field of an attrs class, in order of declaration."""
    import ast
    import textwrap

    import attrs

    notes: dict[str, str] = {}
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    for node, following in zip(body.body, [*body.body[1:], None], strict=True):
        named = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if named and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            notes[node.target.id] = prose(following.value.value)  # type: ignore[union-attr]
    return [(field.name, field.type, notes.get(field.name, "")) for field in attrs.fields(cls)]
