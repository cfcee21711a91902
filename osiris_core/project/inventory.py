"""What can be said about a connection without opening it: its config, masked, and where its variables come from."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.errors import OsirisError
from osiris_core.model import shape as s
from osiris_core.project.references import is_secret, shape_under
from osiris_core.redaction import MASK, Redactor
from osiris_core.secret_forms import is_weak
from osiris_core.secret_shapes import is_sensitive_key
from osiris_core.secrets import ENVIRONMENT, REFERENCE

if TYPE_CHECKING:
    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.project.environment import Environment
    from osiris_core.secrets import SecretRef


class VariableStatus(StrEnum):
    """Whether a reference will find a value."""

    SET = "set"
    EMPTY = "empty"
    """Set to nothing, which counts as unset."""
    UNSET = "unset"
    STORE = "store"
    """Held by a secret store; only asking it would tell."""


@attrs.frozen(kw_only=True)
class Variable:
    """A reference of a connection. ``origin`` is where its value is set; ``weak`` that it is a secret which cannot be
    masked in text, because it is short or a common word.
    """

    ref: SecretRef
    status: VariableStatus
    origin: str | None = None
    weak: bool = False

    def to_json(self) -> dict[str, Any]:
        """The variable as plain data."""
        return {
            "reference": str(self.ref),
            "name": self.ref.name,
            "status": self.status.value,
            "origin": self.origin,
            "weak": self.weak,
        }

    def __str__(self) -> str:
        note = ", too weak to be masked" if self.weak else ""
        return f"{self.ref} {self.status.value}" + (f" ({self.origin}{note})" if self.origin else "")


def variables(entry: ConnectionEntry, environment: Environment) -> tuple[Variable, ...]:
    """The references of ``entry``, each once, in the order of the file."""
    secret_fields = _secret_paths(entry)
    found: dict[SecretRef, Variable] = {}
    for path, ref in entry.references():
        secret = path in secret_fields
        known = found.get(ref)
        if known is None:
            found[ref] = _variable(ref, environment, secret=secret)
        elif secret and not known.weak:
            found[ref] = _variable(ref, environment, secret=True)
    return tuple(found.values())


def masked_config(entry: ConnectionEntry) -> dict[str, Any]:
    """The entry's fields as they may be shown: references as they are, secrets and what may be one as ``***``.

    Without the family's plugin nobody can tell which fields are secret: then only references are shown.
    """
    shape = _shape(entry)
    masked: dict[str, Any] = _masked(dict(entry.raw), shape)
    return masked


def _variable(ref: SecretRef, environment: Environment, *, secret: bool) -> Variable:
    if ref.scheme != ENVIRONMENT:
        return Variable(ref=ref, status=VariableStatus.STORE, origin=f"store '{ref.scheme}'")
    value = environment.get(ref.name)
    if value is not None:
        weak = secret and is_weak(value)
        return Variable(ref=ref, status=VariableStatus.SET, origin=environment.origin(ref.name), weak=weak)
    empty = environment.empty_at(ref.name)
    return Variable(ref=ref, status=VariableStatus.EMPTY if empty else VariableStatus.UNSET, origin=empty)


def _shape(entry: ConnectionEntry) -> s.Shape | None:
    try:
        return s.shape_of(entry.spec.config)
    except OsirisError:
        return None


def _secret_paths(entry: ConnectionEntry) -> set[tuple[str | int, ...]]:
    shape = _shape(entry)
    if shape is None:
        return set()
    return {path for path, _ in entry.references() if is_secret(_at(shape, path))}


def _at(shape: s.Shape | None, path: tuple[str | int, ...]) -> s.Shape | None:
    for key in path:
        shape = shape_under(shape, key)
    return shape


def _masked(value: Any, shape: s.Shape | None, *, hidden: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: _masked(item, shape_under(shape, key), hidden=hidden or is_sensitive_key(key))
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item, shape_under(shape, index), hidden=hidden) for index, item in enumerate(value)]
    if isinstance(value, str) and not REFERENCE.sub("", value):
        return value
    if hidden or shape is None or is_secret(shape):
        return value if value is None else MASK
    return Redactor().data(value)
