"""The secrets of a project's connections, made known before anything of it leaves, and a note on each that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.cli.output import print_note, redactor

if TYPE_CHECKING:
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment


def know_connections(connections: Connections, environment: Environment, registry: Registry) -> None:
    """Tell the redactor what the connections refer to."""
    from osiris_core.project.known_secrets import register_secrets

    for each in register_secrets(connections, environment=environment, registry=registry, redactor=redactor()):
        say_unknown(each)


def say_unknown(what: str) -> None:
    """Say on stderr that a secret could not be had."""
    print_note(f"note: not known, so found only by its shape: {what}")
