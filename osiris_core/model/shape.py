"""What a config field accepts, as a value: read once from the annotation and the field's bounds.

:mod:`structure`, :mod:`schema` and :mod:`reference` all interpret this one tree, so that what is accepted, what editors
are told and what the documentation says cannot differ. A declaration that makes no sense (a pattern on a number, a
union whose members cannot be told apart, a default that would be refused) is a TypeError naming class and field.
"""

from __future__ import annotations

import re
import types
import typing
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal

import attrs

from osiris_core.model.fields import FieldInfo, info_of, is_config
from osiris_core.secrets import is_secret_type


@attrs.frozen(kw_only=True)
class Text:
    """Text; ``pattern`` must match all of it."""

    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


@attrs.frozen(kw_only=True)
class Number:
    """A number: whole, or binary floating point, which takes a whole number that it can hold exactly."""

    whole: bool
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None


@attrs.frozen(kw_only=True)
class Decimals:
    """A decimal number of any precision: a whole number, or text such as ``"0.10"``, which keeps every digit."""

    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None


@attrs.frozen
class Flag:
    """``true`` or ``false``."""


@attrs.frozen
class Null:
    """``null``."""


@attrs.frozen
class SecretReference:
    """``${NAME}`` or ``${scheme:name}``, never a secret itself."""


@attrs.frozen
class Anything:
    """Any JSON value."""


@attrs.frozen
class Choice:
    """One of some constants."""

    values: tuple[Any, ...]


@attrs.frozen(kw_only=True)
class Items:
    """A list."""

    item: Shape
    min_length: int | None = None
    max_length: int | None = None


@attrs.frozen(kw_only=True)
class Entries:
    """A mapping with keys of the user's."""

    value: Shape
    min_length: int | None = None
    max_length: int | None = None


@attrs.frozen
class OneOf:
    """A union whose members are told apart by the kind of value."""

    members: tuple[Shape, ...]


@attrs.frozen(kw_only=True)
class Member:
    """A field of a config class."""

    name: str
    shape: Shape
    info: FieldInfo = attrs.field(eq=False)
    required: bool
    attribute: attrs.Attribute[Any] = attrs.field(eq=False, repr=False)

    @property
    def secret(self) -> bool:
        """Whether the field holds a secret."""
        return isinstance(self.shape, SecretReference) or (
            isinstance(self.shape, OneOf) and SecretReference() in self.shape.members
        )

    def default(self) -> Any:
        """The default as the class will hold it; only where the field is not required."""
        default = self.attribute.default
        factory: Any = getattr(default, "factory", None)
        return default if factory is None else factory()


@attrs.frozen(kw_only=True)
class Group:
    """A mapping with the keys of a config class."""

    cls: type = attrs.field(repr=lambda cls: cls.__name__)
    members: tuple[Member, ...]


Shape = Text | Number | Decimals | Flag | Null | SecretReference | Anything | Choice | Items | Entries | OneOf | Group

Kind = Literal["null", "boolean", "integer", "number", "text", "list", "mapping"]
"""The kinds of plain data; a union may have one member for each."""

KIND_WORDS: Final[dict[Kind, str]] = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "text",
    "list": "a list",
    "mapping": "a mapping",
}
_KINDS: Final[dict[type, Kind]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    tuple: "list",
    dict: "mapping",
}
_SHAPE_KINDS: Final[dict[type, tuple[Kind, ...]]] = {
    Text: ("text",),
    Decimals: ("text", "integer"),
    Flag: ("boolean",),
    Null: ("null",),
    SecretReference: ("text",),
    Items: ("list",),
    Entries: ("mapping",),
    Group: ("mapping",),
}


def kind_of(value: Any) -> Kind | None:
    """The kind of a piece of plain data; None when it is no plain data."""
    return _KINDS.get(type(value))


def kinds(shape: Shape) -> tuple[Kind, ...]:
    """The kinds of value that belong to ``shape`` as a member of a union (a float's whole numbers come second)."""
    if isinstance(shape, Number):
        return ("integer",) if shape.whole else ("number",)
    if isinstance(shape, Choice):
        return tuple({_KINDS[type(value)]: None for value in shape.values})
    return _SHAPE_KINDS[type(shape)]


def takes_scalar(shape: Shape) -> bool:
    """Whether a value of ``shape`` may be a text, number, boolean or constant (but no secret)."""
    members = shape.members if isinstance(shape, OneOf) else (shape,)
    return any(isinstance(member, Text | Number | Decimals | Flag | Choice) for member in members)


def holds_secret(shape: Shape) -> bool:
    """Whether a value of ``shape`` may have a secret somewhere in it."""
    match shape:
        case SecretReference():
            return True
        case Items(item=inner) | Entries(value=inner):
            return holds_secret(inner)
        case OneOf(members):
            return any(holds_secret(member) for member in members)
        case Group(members=members):
            return any(holds_secret(member.shape) for member in members)
        case _:
            return False


def shape_of(cls: type) -> Group:
    """The shape of a config class. Raises TypeError for a declaration that makes no sense."""
    return _cached(cls)


@cache
def _cached(cls: type) -> Group:
    # Defaults and examples are checked by structuring them, which needs shapes: the one import that points up.
    from osiris_core.model.declaration import check_declaration

    group = _group(cls, ())
    check_declaration(group)
    return group


def _group(cls: type, outer: tuple[type, ...]) -> Group:
    if not is_config(cls):
        raise TypeError(f"{cls.__name__} is not a config class; declare it with osiris_core.api.config")
    if cls in outer:
        raise TypeError(f"{cls.__name__} contains itself; a config class cannot be recursive")
    try:
        hints = typing.get_type_hints(cls)
    except NameError as error:
        raise TypeError(f"{cls.__name__}: {error}; import the types of config fields at run time") from error
    return Group(cls=cls, members=tuple(_member(cls, a, hints[a.name], (*outer, cls)) for a in attrs.fields(cls)))


def _member(cls: type, attribute: attrs.Attribute[Any], annotation: Any, outer: tuple[type, ...]) -> Member:
    info = info_of(attribute)
    try:
        bounds = _Bounds(info)
        shape = bounds.apply(_shape(annotation, outer))
        bounds.all_used()
    except TypeError as error:
        raise TypeError(f"{cls.__name__}.{attribute.name}: {error}") from error
    required = attribute.default is attrs.NOTHING
    return Member(name=attribute.name, shape=shape, info=info, required=required, attribute=attribute)


def _shape(annotation: Any, outer: tuple[type, ...]) -> Shape:
    simple = _SIMPLE.get(annotation) if isinstance(annotation, typing.Hashable) else None
    if simple is not None:
        return simple
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return _choice(arguments)
    if origin in (typing.Union, types.UnionType):
        return _union(annotation, arguments, outer)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return Items(item=_shape(arguments[0], outer))
    if origin is Mapping and arguments[0] is str:
        return Entries(value=_shape(arguments[1], outer))
    if is_secret_type(annotation):
        return SecretReference()
    if isinstance(annotation, type) and is_config(annotation):
        return _group(annotation, outer)
    raise TypeError(f"{annotation!r} is not a type of config fields (see osiris_core.model.fields)")


_SIMPLE: Final[dict[Any, Shape]] = {
    Any: Anything(),
    bool: Flag(),
    int: Number(whole=True),
    float: Number(whole=False),
    str: Text(),
    Decimal: Decimals(),
    type(None): Null(),
}


def _choice(values: tuple[Any, ...]) -> Choice:
    if any(kind_of(value) not in ("text", "integer", "boolean", "null") for value in values):
        raise TypeError("a Literal holds text, whole numbers, booleans or None")
    return Choice(values)


def _union(annotation: Any, arguments: tuple[Any, ...], outer: tuple[type, ...]) -> Shape:
    members: list[Shape] = []
    if is_secret_type(annotation):
        members.append(SecretReference())
        arguments = tuple(a for a in arguments if not is_secret_type(a))
    members += [_shape(argument, outer) for argument in arguments]
    if len(members) == 1:
        return members[0]
    if any(isinstance(member, Anything | OneOf) for member in members):
        raise TypeError("Any in a union accepts everything")
    counted = Counter(kind for member in members for kind in kinds(member))
    double = [kind for kind, count in counted.items() if count > 1]
    if double:
        raise TypeError(f"two members of the union accept {KIND_WORDS[double[0]]}")
    return OneOf(tuple(members))


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise TypeError(f"'{pattern}' is no regular expression: {error}") from error
    return pattern


class _Bounds:
    """A field's bounds, put where they mean something.

    Lengths bind the outermost text, list or mapping; limits and the pattern bind every number and text inside.
    """

    def __init__(self, info: FieldInfo) -> None:
        self._limits = {
            n: v for n in ("minimum", "maximum", "exclusive_minimum") if (v := getattr(info, n)) is not None
        }
        self._lengths = {n: v for n in ("min_length", "max_length") if (v := getattr(info, n)) is not None}
        self._pattern = {} if info.pattern is None else {"pattern": _compiled(info.pattern)}
        self._unused = {*self._limits, *self._lengths, *self._pattern}

    def apply(self, shape: Shape, *, outermost: bool = True) -> Shape:
        """``shape`` with the bounds that concern it."""
        lengths = self._lengths if outermost else {}
        if isinstance(shape, Text):
            return self._use(shape, {**lengths, **self._pattern})
        if isinstance(shape, Number | Decimals):
            return self._use(shape, self._limits)
        if isinstance(shape, Items):
            return self._use(attrs.evolve(shape, item=self.apply(shape.item, outermost=False)), lengths)
        if isinstance(shape, Entries):
            return self._use(attrs.evolve(shape, value=self.apply(shape.value, outermost=False)), lengths)
        if isinstance(shape, OneOf):
            return OneOf(tuple(self.apply(member, outermost=outermost) for member in shape.members))
        return shape

    def all_used(self) -> None:
        """Raise TypeError when a bound concerns nothing in the field's type."""
        if self._unused:
            raise TypeError(f"{min(self._unused)} does not apply to this type")

    def _use(self, shape: Any, bounds: Mapping[str, Any]) -> Shape:
        self._unused.difference_update(bounds)
        evolved: Shape = attrs.evolve(shape, **bounds)
        return evolved
