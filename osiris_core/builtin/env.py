"""The secret store ``env``: ``${NAME}`` is the variable NAME of the process environment or a ``.env`` file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.api import SecretStoreSpec, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OSIRIS_API = "1.0"


class EnvironmentStore:
    """Secrets that are environment variables; empty counts as unset."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def get(self, name: str) -> str | None:
        """The value of the variable ``name``, or None."""
        return self._environment.get(name) or None


@hookimpl
def osiris_secret_stores() -> Iterable[SecretStoreSpec]:
    """The store of the scheme ``env``, which ``${NAME}`` without a scheme means."""
    return (
        SecretStoreSpec(
            scheme="env",
            ref="osiris_core.builtin.env:EnvironmentStore",
            summary="Variables of the process environment and of .env files.",
        ),
    )
