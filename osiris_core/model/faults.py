"""What can be wrong with one value, in words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.model import shape as shapes
from osiris_core.model.scalars import NotHeldError, resolve
from osiris_core.model.wording import LONGEST, shown, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TRUTH: Final = frozenset({"yes", "on", "y", "true", "no", "off", "n", "false"})


@attrs.frozen
class Fault:
    """A code, a message (``must be ...``: the field's name comes before it), and what to do."""

    code: str
    message: str
    hint: str | None = None


def type_fault(shape: shapes.Shape, value: Any) -> Fault:
    """A value of the wrong kind."""
    return Fault("OSR-CFG-001", f"must be {words(shape)}", _type_hint(shape, value))


def _type_hint(shape: shapes.Shape, value: Any) -> str | None:
    members = shape.members if isinstance(shape, shapes.OneOf) else (shape,)
    wanted = {kind for member in members for kind in shapes.kinds(member)}
    if value is None:
        return "leave the key out to use its default, or give it a value"
    if isinstance(value, str):
        return _hint_for_text(wanted, value)
    if isinstance(value, float) and any(isinstance(member, shapes.Decimals) for member in members):
        return f'write it in quotes, which keeps every digit: "{value}"'
    if isinstance(value, bool | int | float) and "text" in wanted:
        return f'put it in quotes: "{shown(value)}"'
    if isinstance(value, float) and value.is_integer() and "integer" in wanted:
        return f"write it without a point: {int(value)}"
    return None


def _hint_for_text(wanted: set[shapes.Kind], value: str) -> str | None:
    if wanted & {"integer", "number"} and _is_number(value):
        return f"remove the quotes: {value}"
    if "boolean" in wanted and value.lower() in _TRUTH:
        return "write true or false, without quotes"
    if "list" in wanted:
        return f"write a list: [{value}]" if len(value) <= LONGEST else "write a list"
    return None


def _is_number(text: str) -> bool:
    try:
        return isinstance(resolve(text), int | float) and text.lower() not in _TRUTH
    except NotHeldError:
        return False


def limit_fault(shape: shapes.Number | shapes.Decimals, value: float | Decimal) -> Fault | None:
    """A number outside its limits."""
    if shape.minimum is not None and value < shape.minimum:
        return Fault("OSR-CFG-005", f"must be at least {shape.minimum}")
    if shape.exclusive_minimum is not None and value <= shape.exclusive_minimum:
        return Fault("OSR-CFG-005", f"must be more than {shape.exclusive_minimum}")
    if shape.maximum is not None and value > shape.maximum:
        return Fault("OSR-CFG-005", f"must be at most {shape.maximum}")
    return None


def length_fault(
    shape: shapes.Text | shapes.Items | shapes.Entries, value: str | Sequence[Any] | Mapping[str, Any]
) -> Fault | None:
    """A text, list or mapping that is too short or too long."""
    if shape.min_length is not None and len(value) < shape.min_length:
        if shape.min_length == 1:
            return Fault("OSR-CFG-006", "must not be empty")
        return Fault("OSR-CFG-006", f"must have at least {_counted(shape, shape.min_length)}, and has {len(value)}")
    if shape.max_length is not None and len(value) > shape.max_length:
        return Fault("OSR-CFG-006", f"must have at most {_counted(shape, shape.max_length)}, and has {len(value)}")
    return None


def _counted(shape: shapes.Text | shapes.Items | shapes.Entries, count: int) -> str:
    unit = {shapes.Text: "character", shapes.Items: "item", shapes.Entries: "entry"}[type(shape)]
    if count == 1:
        return f"1 {unit}"
    return f"{count} entries" if unit == "entry" else f"{count} {unit}s"
