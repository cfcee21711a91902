"""How a config class is declared.

    @config
    class CsvExtractor:
        path: str = field(doc="Files to read; a glob.", path="read")
        delimiter: str = field(default=",", doc="One character between cells.", min_length=1, max_length=1)

A config class is a frozen, keyword-only attrs class whose every field is made with :func:`field`. Its docstring's
first line is its title. A rule over several fields is a method ``check(self)`` that yields :class:`Problem` values.

Field types: ``bool int float str Decimal Any``, ``Literal``, ``X | None``, unions whose members take different kinds of
value, ``tuple[X, ...]`` (a YAML list), ``Mapping[str, X]``, another config class, and ``Secret``; they must be
importable at run time. Values are never coerced, and a default stands as the field holds it (``5.0`` for a float).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar, dataclass_transform, runtime_checkable

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osiris_core.diagnostics import Path

_METADATA: Final = "osiris"

Override = Literal["allowed", "warn", "forbidden"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class FieldInfo:
    """What a field declares beyond its name, type and default.

    Bounds are inclusive unless named exclusive. Limits bind every number and ``pattern`` all of every text in the
    field, lengths its outermost text, list or mapping.
    """

    doc: str
    examples: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    sql: bool = False
    """The text is SQL: ``${params.*}`` is refused in it, ``:name`` is bound, ``diff`` compares it by syntax tree."""
    path: Literal["read", "write"] | None = None
    """The text is a path below the connection's root, and what the step does there."""
    identity: bool = False
    """Connection fields only: part of a connection's non-secret identity, written into manifests."""
    override: Override = "forbidden"
    """Connection fields only: whether a step's ``connection_overrides`` may replace the value."""


@attrs.frozen(kw_only=True)
class Problem:
    """A finding of a config class's own ``check``: the field it concerns, what is wrong, what to do."""

    field: Path = ()
    message: str
    hint: str | None = None


@runtime_checkable
class Checked(Protocol):
    """A config class with a rule over several fields."""

    def check(self) -> Iterable[Problem]:
        """Every breach of the rule; nothing when the values agree."""
        ...


def field(
    *,
    doc: str,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    examples: Sequence[Any] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    exclusive_minimum: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    sql: bool = False,
    path: Literal["read", "write"] | None = None,
    identity: bool = False,
    override: Override = "forbidden",
) -> Any:
    """One field of a config class; without ``default`` or ``factory`` it is required. See :class:`FieldInfo`."""
    info = FieldInfo(
        doc=doc,
        examples=tuple(examples),
        minimum=minimum,
        maximum=maximum,
        exclusive_minimum=exclusive_minimum,
        min_length=min_length,
        max_length=max_length,
        pattern=pattern,
        sql=sql,
        path=path,
        identity=identity,
        override=override,
    )
    if factory is not None:
        return attrs.field(factory=factory, metadata={_METADATA: info})
    return attrs.field(default=default, metadata={_METADATA: info})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def config(cls: type[T]) -> type[T]:
    """Make ``cls`` a config class: attrs-frozen, keyword-only, every field made with :func:`field`."""
    made = attrs.frozen(kw_only=True)(cls)
    for attribute in attrs.fields(made):  # type: ignore[arg-type]
        if _METADATA not in attribute.metadata:
            raise TypeError(f"{cls.__name__}.{attribute.name} must be declared with osiris_core.api.field()")
    return made


def info_of(attribute: attrs.Attribute[Any]) -> FieldInfo:
    """What ``attribute`` of a config class declared."""
    info = attribute.metadata[_METADATA]
    assert isinstance(info, FieldInfo)
    return info


def is_config(cls: Any) -> bool:
    """Whether ``cls`` is a config class."""
    return isinstance(cls, type) and attrs.has(cls) and all(_METADATA in a.metadata for a in attrs.fields(cls))
