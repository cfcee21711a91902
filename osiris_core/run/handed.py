"""Which secrets a manifest's connections refer to, and those of secret stores as one process hands them to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.errors import OsirisError
from osiris_core.project.references import references_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_core.compile.manifest import Manifest
    from osiris_core.project.connections import Connections
    from osiris_core.secrets import SecretRef

Handed = dict[str, dict[str, dict[str, str | None]]]
"""What stores said, by scheme and name: ``{"value": …}``, or the ``code``, ``message`` and ``hint`` of their error."""


def fields_of(manifest: Manifest, connections: Connections) -> Iterator[Mapping[str, Any]]:
    """The fields of each connection that a step of ``manifest`` uses, unresolved, with the step's overrides."""
    entries = {entry.ref: entry for entry in connections.all()}
    for step in manifest.steps:
        use = step.connection
        if use is not None and use.ref in entries:
            yield {**entries[use.ref].raw, **use.overrides}


def references_of(manifest: Manifest, connections: Connections) -> set[SecretRef]:
    """Every reference in the connections that ``manifest`` uses."""
    return {ref for fields in fields_of(manifest, connections) for _, ref in references_in(fields)}


class HandedStore:
    """What one secret store has said to another process (implements :class:`osiris_core.spec.behave.SecretStore`)."""

    def __init__(self, answers: Mapping[str, Mapping[str, str | None]]) -> None:
        self._answers = answers

    def get(self, name: str) -> str | None:
        """The secret; raises the store's error."""
        answer = self._answers.get(name, {})
        if answer.get("code"):
            raise OsirisError(str(answer["code"]), str(answer["message"]), hint=answer["hint"])
        return answer.get("value")
