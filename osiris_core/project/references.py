"""References in plain data: where they stand, and what the field there accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.model import shape as s
from osiris_core.secrets import ENVIRONMENT, REFERENCE, SecretRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.diagnostics import Path


def references_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, SecretRef]]:
    """Every reference in the texts of ``value``, with the path of its text."""
    for where, text in texts(value, path):
        for match in REFERENCE.finditer(text):
            yield where, SecretRef(match["scheme"] or ENVIRONMENT, match["name"])


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text in ``value``, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))


def stray(text: str) -> bool:
    """Whether ``text`` has a ``${`` that does not start a reference."""
    return "${" in REFERENCE.sub("", text)


def shape_under(shape: s.Shape | None, key: str | int) -> s.Shape | None:
    """The shape of what stands under ``key`` in a value of ``shape``; None when nothing may."""
    for candidate in shape.members if isinstance(shape, s.OneOf) else (shape,):
        if isinstance(candidate, s.Items) and isinstance(key, int):
            return candidate.item
        if isinstance(candidate, s.Entries):
            return candidate.value
        if isinstance(candidate, s.Group):
            return next((member.shape for member in candidate.members if member.name == key), None)
    return None


def is_secret(shape: s.Shape | None) -> bool:
    """Whether a value of ``shape`` may be a reference to a secret."""
    members = shape.members if isinstance(shape, s.OneOf) else (shape,)
    return any(isinstance(member, s.SecretReference) for member in members)
