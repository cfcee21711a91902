"""Declarations that make no sense are refused when they are read, naming class and field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs
import pytest

from osiris_core.api import Secret, SecretRef, SecretStr, config, field
from osiris_core.model.fields import info_of, is_config
from osiris_core.model.shape import Items, OneOf, SecretReference, Text, shape_of

LITERAL_OR_TEXT = Literal["a"] | str  # noqa: PYI051 - the point of the case


def declared(annotation, **bounds):
    return config(type("Made", (), {"__annotations__": {"x": annotation}, "x": field(doc="X.", **bounds)}))


@config
class Plain:
    """Plain."""

    a: int = field(doc="A.")


class NotConfig:
    pass


@attrs.frozen
class AttrsOnly:
    a: int


@config
class Endless:
    """Contains itself."""

    again: Endless | None = field(default=None, doc="Again.")


@config
class Unresolvable:
    """Its type is imported for type checking only."""

    x: Nowhere = field(doc="X.")  # noqa: F821


@pytest.mark.parametrize(
    ("annotation", "bounds", "message"),
    [
        (list[str], {}, "list[str] is not a type of config fields (see osiris_core.model.fields)"),
        (dict[str, int], {}, "dict[str, int] is not a type of config fields (see osiris_core.model.fields)"),
        (Mapping[int, str], {}, "collections.abc.Mapping[int, str] is not a type of config fields"),
        (tuple[str, int], {}, "tuple[str, int] is not a type of config fields"),
        (bytes, {}, "<class 'bytes'> is not a type of config fields"),
        (AttrsOnly, {}, "is not a type of config fields"),
        (int, {"pattern": "x"}, "pattern does not apply to this type"),
        (int, {"min_length": 1}, "min_length does not apply to this type"),
        (str, {"minimum": 1}, "minimum does not apply to this type"),
        (bool, {"maximum": 1}, "maximum does not apply to this type"),
        (Secret, {"pattern": "x"}, "pattern does not apply to this type"),
        (tuple[Plain, ...], {"pattern": "x"}, "pattern does not apply to this type"),
        (str | Decimal, {}, "two members of the union accept text"),
        (int | Decimal, {}, "two members of the union accept a whole number"),
        (LITERAL_OR_TEXT, {}, "two members of the union accept text"),
        (tuple[str, ...] | tuple[int, ...], {}, "two members of the union accept a list"),
        (Plain | Mapping[str, int], {}, "two members of the union accept a mapping"),
        (Secret | str, {}, "two members of the union accept text"),
        (Any | None, {}, "Any in a union accepts everything"),
        (Literal[b"x"], {}, "a Literal holds text, whole numbers, booleans or None"),
    ],
)
def test_a_declaration_that_makes_no_sense(annotation, bounds, message):
    with pytest.raises(TypeError) as caught:
        shape_of(declared(annotation, **bounds))
    assert str(caught.value).startswith("Made.x: ")
    assert message in str(caught.value)


def test_a_pattern_must_compile():
    with pytest.raises(TypeError, match=r"Made\.x: '\(' is no regular expression"):
        shape_of(declared(str, pattern="("))


@pytest.mark.parametrize(
    ("annotation", "arguments", "message"),
    [
        (int, {"default": "5"}, "the default is refused: 'x' must be a whole number, not \"5\""),
        (int, {"default": 0, "minimum": 1}, "the default is refused: 'x' must be at least 1, not 0"),
        (tuple[str, ...], {"factory": lambda: [1]}, "the default is refused: 'x[0]' must be text, not 1"),
        (int, {"examples": ("5",)}, "an example is refused: 'x' must be a whole number, not \"5\""),
        (float, {"default": 5}, "the default must be written as 5.0, not 5"),
        (tuple[str, ...], {"factory": list}, "the default must be written as (), not []"),
        (Secret, {"default": "hunter2"}, "the default is refused: 'x' is a secret"),
    ],
)
def test_a_default_or_example_that_would_be_refused(annotation, arguments, message):
    with pytest.raises(TypeError) as caught:
        shape_of(declared(annotation, **arguments))
    assert str(caught.value).startswith("Made.x: ")
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_classes_that_are_no_config_classes():
    for cls in (NotConfig, AttrsOnly, int):
        with pytest.raises(TypeError, match=f"{cls.__name__} is not a config class"):
            shape_of(cls)


def test_a_class_that_contains_itself():
    with pytest.raises(TypeError, match="Endless contains itself; a config class cannot be recursive"):
        shape_of(Endless)


def test_a_type_that_is_not_there_at_run_time():
    with pytest.raises(TypeError, match=r"Unresolvable: name 'Nowhere' is not defined; import .* at run time"):
        shape_of(Unresolvable)


def test_every_field_is_made_with_field():
    with pytest.raises(TypeError, match=r"Bare\.a must be declared with osiris_core\.api\.field\(\)"):
        config(type("Bare", (), {"__annotations__": {"a": int}}))


def test_a_config_class_is_frozen_keyword_only_and_compares_by_value():
    assert Plain(a=1) == Plain(a=1)
    assert is_config(Plain)
    assert not is_config(AttrsOnly)
    assert not is_config(Plain(a=1))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Plain(a=1).a = 2
    with pytest.raises(TypeError):
        Plain(1)
    assert info_of(attrs.fields(Plain).a).doc == "A."


def test_a_config_class_may_have_no_fields():
    empty = config(type("Empty", (), {}))
    assert shape_of(empty).members == ()


@pytest.mark.parametrize("annotation", [Secret, SecretStr, SecretRef])
def test_every_spelling_of_a_secret_takes_a_reference(annotation):
    (member,) = shape_of(declared(annotation)).members
    assert member.shape == SecretReference()
    assert member.secret


def test_an_optional_secret_is_a_secret():
    (member,) = shape_of(declared(Secret | None, default=None)).members
    assert isinstance(member.shape, OneOf)
    assert member.secret


def test_lengths_bind_the_outermost_and_patterns_the_texts_inside():
    (member,) = shape_of(declared(tuple[str, ...], min_length=1, pattern="a+")).members
    assert member.shape == Items(item=Text(pattern="a+"), min_length=1)


def test_inherited_fields_come_first():
    @config
    class Child(Plain):
        """More."""

        b: str = field(doc="B.")

    assert [m.name for m in shape_of(Child).members] == ["a", "b"]
