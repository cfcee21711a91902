"""Text from the environment as the value a config field declares: the only place where text becomes a number.

YAML has types and is never coerced; a variable has none, so its field decides how it is read.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from osiris_core.model import shape as s
from osiris_core.model.wording import constant, words

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[KMGT]i?B|B)\Z")
_PREFIXES: Final = "BKMGT"

SIZE_PATTERN: Final = r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B|B)"
"""An amount of memory: ``512MB`` (powers of 1000) or ``1.5GiB`` (powers of 1024)."""


def parse_text(shape: s.Shape, text: str) -> Any:
    """``text`` as plain data for a field of ``shape``; its bounds are not looked at.

    ``true false yes no on off 1 0`` in any case are booleans. A list: items between commas. A union: the first member
    that fits, text last. Raises ValueError that says what was expected, never what was found.
    """
    word = text.strip()
    match shape:
        case s.Text() | s.Anything() | s.SecretReference():
            return text
        case s.Flag() | s.Number() | s.Decimals() | s.Choice():
            return _scalar(shape, word)
        case s.Items(item=item):
            return [parse_text(item, part.strip()) for part in text.split(",") if part.strip()]
        case s.OneOf(members):
            return _one_of(members, text)
        case _:
            raise ValueError(f"expected {words(shape)}, which text cannot hold")


def size_in_bytes(text: str) -> int:
    """The bytes that a text of :data:`SIZE_PATTERN` stands for."""
    match = _SIZE.match(text)
    if match is None:
        raise ValueError("expected an amount such as 512MB or 1.5GiB")
    unit = match["unit"]
    base = 1024 if "i" in unit else 1000
    return int(Decimal(match["number"]) * base ** _PREFIXES.index(unit[0]))


def _scalar(shape: s.Flag | s.Number | s.Decimals | s.Choice, word: str) -> Any:
    if isinstance(shape, s.Flag):
        return _flag(word)
    if isinstance(shape, s.Number):
        return _number(word, whole=shape.whole)
    if isinstance(shape, s.Decimals):
        return _expect(_NUMBER.match(word), word, "a decimal number")
    return _choice(shape.values, word)


def _flag(word: str) -> bool:
    if word.lower() in _TRUE:
        return True
    if word.lower() in _FALSE:
        return False
    raise ValueError("expected true or false")


def _number(word: str, *, whole: bool) -> int | float:
    if whole:
        return int(_expect(_INTEGER.match(word), word, "a whole number"))
    return float(_expect(_NUMBER.match(word), word, "a number"))


def _choice(values: tuple[Any, ...], word: str) -> Any:
    for value in values:
        if constant(value).strip("'") == word:
            return value
    raise ValueError(f"expected {words(s.Choice(values))}")


def _one_of(members: tuple[s.Shape, ...], text: str) -> Any:
    real = [member for member in members if not isinstance(member, s.Null)]
    for member in sorted(real, key=lambda member: isinstance(member, s.Text)):
        try:
            return parse_text(member, text)
        except ValueError as error:
            problem = error
    raise ValueError(str(problem) if len(real) == 1 else f"expected {words(s.OneOf(tuple(real)))}")


def _expect(match: object, word: str, expected: str) -> str:
    if not match:
        raise ValueError(f"expected {expected}")
    return word
