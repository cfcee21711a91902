"""Secret values as a type of their own, and references to them.

A :class:`SecretStr` is deliberately not a ``str``: it cannot be formatted, joined, compared to text, pickled or
written as JSON by accident. A :class:`SecretRef` names a secret without holding it; only the executor turns one into
the other (:mod:`osiris_core.project.resolve`). The redactor lives in :mod:`osiris_core.redaction`.
"""

from __future__ import annotations

import hmac
import re
import types
import typing
from typing import Any, Never

import attrs

ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The name of an environment variable, as a whole."""

REFERENCE = re.compile(r"\$\{(?:(?P<scheme>[a-z][a-z0-9+.-]*):|(?=[A-Za-z_][A-Za-z0-9_]*\}))(?P<name>[^${}\s]+)\}")
"""``${NAME}`` (the environment) or ``${scheme:name}`` (a secret store's URI scheme)."""

ENVIRONMENT = "env"
"""The scheme of ``${NAME}``."""

_SHOWN = "***"
_UNIONS = (typing.Union, types.UnionType)


class SecretStr:
    """A secret text. :meth:`reveal` is the only way to its value."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a secret holds text, not {type(value).__name__}")
        self.__value = value

    def reveal(self) -> str:
        """The secret itself; call it where the value leaves for the system it belongs to, nowhere else."""
        return self.__value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretStr):
            return NotImplemented
        return hmac.compare_digest(
            self.__value.encode("utf-8", "surrogatepass"), other.reveal().encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((SecretStr, self.__value))

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __repr__(self) -> str:
        return f"SecretStr('{_SHOWN}')"

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __reduce__(self) -> Never:
        raise TypeError("a secret cannot be pickled or copied")


@attrs.frozen
class SecretRef:
    """A reference to a secret: the scheme of the store that holds it and its name there."""

    scheme: str
    name: str

    def __str__(self) -> str:
        if self.scheme == ENVIRONMENT and ENVIRONMENT_NAME.fullmatch(self.name):
            return f"${{{self.name}}}"
        return f"${{{self.scheme}:{self.name}}}"

    @classmethod
    def parse(cls, text: str) -> SecretRef | None:
        """The reference that ``text`` is as a whole, or None when it is anything else."""
        match = REFERENCE.fullmatch(text)
        return cls(match["scheme"] or ENVIRONMENT, match["name"]) if match else None


Secret = SecretStr | SecretRef
"""What a secret field of a config class holds: a reference until it is resolved, then the value."""


def is_secret_type(annotation: Any) -> bool:
    """Whether an annotation marks a secret field (``Secret``, ``SecretStr`` or ``SecretRef``, optional or not)."""
    members = typing.get_args(annotation) if typing.get_origin(annotation) in _UNIONS else (annotation,)
    return any(member in (SecretStr, SecretRef) for member in members)
