from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import pytest

from osiris_core.model.fields import config, field
from osiris_core.model.shape import shape_of
from osiris_core.model.structure import structure
from osiris_core.project.literals import parse_text


@config
class Kinds:
    """One field of each kind."""

    text: str = field(default="", doc=".")
    whole: int = field(default=0, doc=".")
    number: float = field(default=0.0, doc=".")
    exact: Decimal = field(default=Decimal(0), doc=".")
    flag: bool = field(default=False, doc=".")
    choice: Literal["a", "b", 3, True] = field(default="a", doc=".")
    items: tuple[int, ...] = field(default=(), doc=".")
    maybe: int | None = field(default=None, doc=".")
    either: int | bool | str = field(default=0, doc=".")
    numbers: int | bool = field(default=0, doc=".")
    anything: Any = field(default=None, doc=".")
    mapping: Mapping[str, int] = field(factory=dict, doc=".")


SHAPES = {member.name: member.shape for member in shape_of(Kinds).members}

READ = [
    ("text", " as it is ", " as it is "),
    ("whole", " 12 ", 12),
    ("whole", "-0", 0),
    ("whole", "+7", 7),
    ("number", "1.5", 1.5),
    ("number", ".5e3", 500.0),
    ("number", "7", 7.0),
    ("exact", "0.10", "0.10"),
    ("flag", "Yes", True),
    ("flag", "0", False),
    ("choice", "b", "b"),
    ("choice", "3", 3),
    ("choice", "true", True),
    ("items", "1, 2,3 ,", [1, 2, 3]),
    ("items", "", []),
    ("maybe", "4", 4),
    ("either", "5", 5),
    ("either", "true", True),
    ("either", "five", "five"),
    ("anything", "x", "x"),
]


@pytest.mark.parametrize(("name", "text", "value"), READ)
def test_what_is_read_is_what_the_field_takes(name, text, value):
    assert parse_text(SHAPES[name], text) == value
    made, findings = structure(Kinds, {name: value})
    assert findings == []
    assert made is not None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("whole", "1.0", "expected a whole number"),
        ("whole", "0x10", "expected a whole number"),
        ("whole", "１２", "expected a whole number"),
        ("whole", "9" * 5000, "expected a whole number"),
        ("number", "nan", "expected a number"),
        ("number", "inf", "expected a number"),
        ("number", "1_000", "expected a number"),
        ("exact", "1e", "expected a decimal number"),
        ("flag", "maybe", "expected true or false"),
        ("choice", "c", "expected 'a' or 'b' or 3 or true"),
        ("items", "1,x", "expected a whole number"),
        ("maybe", "x", "expected a whole number"),
        ("numbers", "x", "expected a whole number or true or false"),
        ("mapping", "{a: 1}", "expected a mapping of names to whole numbers, which text cannot hold"),
    ],
)
def test_what_does_not_fit_is_refused_without_being_shown(name, text, message):
    with pytest.raises(ValueError, match="expected") as caught:
        parse_text(SHAPES[name], text)
    assert str(caught.value) == message
