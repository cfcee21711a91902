"""Which column types can hold which values exactly: the type table of ``duckdb.writer``, as data and rules.

A type is refused when some of its values would change without a word (a decimal cut, a time zone dropped), and also
when some would not fit (BIGINT into INTEGER): a load that fails at the row that is too large is a surprise at night,
a cast in a step before is a decision. Text that DuckDB checks (VARCHAR into JSON or an ENUM) is let in: the value stays
what it is or the load fails naming it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_INTEGERS: Final[Mapping[str, tuple[int, int]]] = {
    name: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for name, bits in (("tinyint", 8), ("smallint", 16), ("integer", 32), ("bigint", 64), ("hugeint", 128))
} | {
    name: (0, 2**bits - 1)
    for name, bits in (("utinyint", 8), ("usmallint", 16), ("uinteger", 32), ("ubigint", 64), ("uhugeint", 128))
}
_FLOATS: Final[Mapping[str, int]] = {"float": 24, "double": 53}
_STEPS: Final[Mapping[str, int]] = {"timestamp_s": 0, "timestamp_ms": 1, "timestamp": 2, "timestamp_ns": 3}
_ZONED_STEPS: Final[Mapping[str, int]] = {"timestamp with time zone": 2, "timestamptz_ns": 3}
_TIME_STEPS: Final[Mapping[str, int]] = {"time": 2, "time_ns": 3}


def holds(source: Any, target: Any) -> bool:
    """Whether a column of type ``target`` holds every value of ``source`` as it is (or refuses it by name)."""
    if str(source) == str(target) or source.id == "null":
        return True
    rule = _RULES.get(source.id)
    return rule is not None and rule(source, target)


def _holds_integer(source: Any, target: Any) -> bool:
    low, high = _INTEGERS[source.id]
    if target.id in _INTEGERS:
        least, most = _INTEGERS[target.id]
        return least <= low and high <= most
    if target.id == "decimal":
        precision, scale = _decimal(target)
        return precision - scale >= len(str(max(high, -low)))
    if target.id in _FLOATS:
        return max(high, -low - 1).bit_length() <= _FLOATS[target.id]
    return bool(target.id == "bignum")


def _holds_decimal(source: Any, target: Any) -> bool:
    precision, scale = _decimal(source)
    if target.id == "decimal":
        wide, fine = _decimal(target)
        return fine >= scale and wide - fine >= precision - scale
    if target.id in _INTEGERS and scale == 0:
        least, most = _INTEGERS[target.id]
        return least < 0 and 10**precision - 1 <= most
    return False


def _holds_text(source: Any, target: Any) -> bool:
    if source.id == "enum" and target.id == "enum":
        return set(source.children[0][1]) <= set(target.children[0][1])
    if str(target) == "VARCHAR":
        return True
    return source.id == "varchar" and str(source) == "VARCHAR" and (str(target) == "JSON" or target.id == "enum")


def _holds_nested(source: Any, target: Any) -> bool:
    if source.id in ("list", "array") and target.id in ("list", "array"):
        fits = target.id == "list" or (source.id == "array" and source.children[1] == target.children[1])
        return fits and holds(source.children[0][1], target.children[0][1])
    if source.id == target.id == "map":
        return all(holds(one, other) for (_, one), (_, other) in zip(source.children, target.children, strict=True))
    if source.id == target.id == "struct":
        ours = {name.casefold(): kind for name, kind in source.children}
        theirs = {name.casefold(): kind for name, kind in target.children}
        return ours.keys() == theirs.keys() and all(holds(ours[name], theirs[name]) for name in ours)
    return False


def _holds_moment(source: Any, target: Any) -> bool:
    steps = next(steps for steps in (_STEPS, _ZONED_STEPS, _TIME_STEPS) if source.id in steps)
    return target.id in steps and steps[target.id] >= steps[source.id]


def _decimal(kind: Any) -> tuple[int, int]:
    (_, precision), (_, scale) = kind.children
    return precision, scale


_RULES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(_INTEGERS, _holds_integer),
    "decimal": _holds_decimal,
    "float": lambda _, target: bool(target.id == "double"),
    **dict.fromkeys(("varchar", "enum", "uuid"), _holds_text),
    **dict.fromkeys((*_STEPS, *_ZONED_STEPS, *_TIME_STEPS), _holds_moment),
    "date": lambda _, target: target.id in _STEPS,
    **dict.fromkeys(("list", "array", "map", "struct"), _holds_nested),
}
"""For each type, what other types hold it; a type without a rule is held by itself only."""
