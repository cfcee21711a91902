"""Every secret of a project made known to a redactor, for what leaves the project without having been run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.errors import OsirisError
from osiris_core.project.resolve import STORE, resolve, store_of
from osiris_core.secrets import ENVIRONMENT

if TYPE_CHECKING:
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment
    from osiris_core.redaction import Redactor
    from osiris_core.secrets import SecretRef


def register_secrets(
    connections: Connections, *, environment: Environment, registry: Registry, redactor: Redactor
) -> tuple[str, ...]:
    """Make known what the connections refer to. Returns, in words, what could not be had, and is therefore not known.

    Where a connection cannot be resolved as a whole, all it refers to counts as secret.
    """
    missing: list[str] = []
    for entry in connections.all():
        try:
            resolve(entry, environment=environment, registry=registry, redactor=redactor)
        except OsirisError:
            for ref in dict.fromkeys(ref for _, ref in entry.references()):
                try:
                    value = _value(ref, environment, registry)
                except OsirisError as error:
                    missing.append(f"{ref} of {entry.ref}: {error.message}")
                else:
                    if value:
                        redactor.register(value)
    return tuple(missing)


def _value(ref: SecretRef, environment: Environment, registry: Registry) -> str | None:
    if ref.scheme == ENVIRONMENT:
        return environment.get(ref.name)
    try:
        value = store_of(ref.scheme, registry=registry, environment=environment).get(ref.name)
    except OsirisError:
        raise
    except Exception as error:  # a plugin's; its text may hold anything
        raise OsirisError(STORE, f"its store failed with {type(error).__name__}") from error
    return value if isinstance(value, str) else None
