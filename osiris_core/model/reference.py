"""A config class as rows of a table, for reference pages and ``osiris components show``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.model import shape as shapes
from osiris_core.model.structure import unstructure
from osiris_core.model.wording import plural, words

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen(kw_only=True)
class FieldRow:
    """A field in words. Nested config classes follow their field, with dotted names (``[]`` and ``*`` for their items).

    ``default`` and ``examples`` are JSON text; ``default`` is None for a required field.
    """

    name: str
    type: str
    required: bool
    default: str | None
    doc: str
    bounds: str
    examples: tuple[str, ...]
    secret: bool

    def to_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return attrs.asdict(self)


def field_rows(cls: type) -> tuple[FieldRow, ...]:
    """The fields of a config class in the order of declaration, those of nested classes after their field."""
    return tuple(_rows(shapes.shape_of(cls), ""))


def _rows(group: shapes.Group, prefix: str) -> Iterator[FieldRow]:
    for member in group.members:
        name = prefix + member.name
        yield FieldRow(
            name=name,
            type=words(member.shape),
            required=member.required,
            default=None if member.required else _text(member.default()),
            doc=member.info.doc,
            bounds="; ".join(_bounds(member.shape)),
            examples=tuple(_text(example) for example in member.info.examples),
            secret=member.secret,
        )
        yield from _nested(member.shape, name)


def _nested(shape: shapes.Shape, name: str) -> Iterator[FieldRow]:
    match shape:
        case shapes.Group():
            yield from _rows(shape, f"{name}.")
        case shapes.Items(item=item):
            yield from _nested(item, f"{name}[]")
        case shapes.Entries(value=value):
            yield from _nested(value, f"{name}.*")
        case shapes.OneOf(members):
            for member in members:
                yield from _nested(member, name)
        case _:
            return


def _text(value: Any) -> str:
    return json.dumps(unstructure(value), ensure_ascii=False)


def _bounds(shape: shapes.Shape) -> Iterator[str]:
    match shape:
        case shapes.Number() | shapes.Decimals():
            yield from _limits(shape)
        case shapes.Text(pattern=pattern):
            yield from _lengths(shape, "character", "characters")
            if pattern is not None:
                yield f"of the form {pattern}"
        case shapes.Items(item=item):
            yield from _lengths(shape, "item", "items")
            yield from (f"each {bound}" for bound in _bounds(item))
        case shapes.Entries(value=value):
            yield from _lengths(shape, "entry", "entries")
            yield from (f"each {bound}" for bound in _bounds(value))
        case shapes.OneOf(members):
            several = len([m for m in members if not isinstance(m, shapes.Null)]) > 1
            for member in members:
                yield from (f"{plural(member)}: {bound}" if several else bound for bound in _bounds(member))
        case _:
            return


def _limits(shape: shapes.Number | shapes.Decimals) -> Iterator[str]:
    if shape.minimum is not None and shape.maximum is not None:
        yield f"{shape.minimum} to {shape.maximum}"
        return
    if shape.minimum is not None:
        yield f"at least {shape.minimum}"
    if shape.exclusive_minimum is not None:
        yield f"more than {shape.exclusive_minimum}"
    if shape.maximum is not None:
        yield f"at most {shape.maximum}"


def _lengths(shape: shapes.Text | shapes.Items | shapes.Entries, one: str, many: str) -> Iterator[str]:
    low, high = shape.min_length, shape.max_length
    if low is not None and low == high:
        yield f"exactly {low} {one if low == 1 else many}"
    elif low is not None and high is not None:
        yield f"{low} to {high} {many}"
    elif low is not None:
        yield "not empty" if low == 1 else f"at least {low} {many}"
    elif high is not None:
        yield f"at most {high} {one if high == 1 else many}"
