"""Shapes and values in words, for messages and for the reference."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from osiris_core.model import shape as shapes

LONGEST: Final = 60
"""Characters of a value that a message shows."""


def shown(value: Any) -> str:
    """A value for a message: short, on one line; a list or mapping by its kind only."""
    if value is None or isinstance(value, bool):
        return constant(value)
    if isinstance(value, str):
        cut = value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
        return json.dumps(cut, ensure_ascii=False)
    if isinstance(value, int | float | Decimal):
        return str(value)[:LONGEST]
    return {"list": "a list", "mapping": "a mapping"}.get(shapes.kind_of(value) or "", type(value).__name__)


def words(shape: shapes.Shape) -> str:
    """What ``shape`` accepts, in words: ``a whole number or null``, ``a list of text``."""
    match shape:
        case shapes.Anything():
            return "any value"
        case shapes.SecretReference():
            return "a reference to a secret"
        case shapes.Decimals():
            return "a decimal number"
        case shapes.Choice(values):
            return " or ".join(constant(value) for value in values)
        case shapes.Items(item=item):
            return f"a list of {plural(item)}"
        case shapes.Entries(value=value):
            return f"a mapping of names to {plural(value)}"
        case shapes.OneOf(members):
            return " or ".join(words(member) for member in members)
        case _:
            return shapes.KIND_WORDS[shapes.kinds(shape)[0]]


def plural(shape: shapes.Shape) -> str:
    """What ``shape`` accepts, as the items of a list."""
    match shape:
        case shapes.Text():
            return "text"
        case shapes.Number(whole=whole):
            return "whole numbers" if whole else "numbers"
        case shapes.Decimals():
            return "decimal numbers"
        case shapes.Group():
            return "mappings"
        case shapes.Items(item=item):
            return f"lists of {plural(item)}"
        case shapes.Anything():
            return "any values"
        case _:
            return f"values that are {words(shape)}"


def constant(value: Any) -> str:
    """A constant as a user would write it in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if isinstance(value, str) else str(value)
