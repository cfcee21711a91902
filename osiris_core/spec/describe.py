"""What plugins return from their hooks: frozen descriptions with unique names. Behaviour hangs on a string ``ref``
(``package.module:attribute``) that is imported when it runs, so that describing costs nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.catalogue import ErrorEntry

RESERVED_CONFIG: Final = ("connection", "connection_overrides")
"""Keys of a step's ``config`` that belong to the core; a component's config class never sees them."""


class Role(StrEnum):
    """What a component does to rows; fixes the mode of a step that uses it."""

    EXTRACTOR = "extractor"
    PROCESSOR = "processor"
    WRITER = "writer"


class Capability(StrEnum):
    """What a driver can do beyond ``run``; each is a Protocol in :mod:`osiris_core.spec.behave`."""

    PARTITIONED = "partitioned"
    STAGED = "staged"
    BINDS = "binds"
    KEEPS_STATE = "keeps_state"


@attrs.frozen(kw_only=True)
class Example:
    """A step's config as it may stand in OML, with a title; the reference page shows it and a test validates it."""

    title: str
    config: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class ComponentSpec:
    """A kind of step.

    ``name`` is ``family.role`` with the plugin's id as family; ``version`` is semantic: a manifest compiled for
    another major is refused. ``connection`` is the family of the connection a step needs, None when it takes none.
    ``hints`` are sentences for a model that writes pipelines. ``errors`` are the codes its driver may raise.
    ``sql_dialect`` is sqlglot's name of the dialect of fields marked ``sql``.
    """

    name: str
    version: str
    role: Role
    config: type
    summary: str
    description: str = ""
    connection: str | None = None
    connection_required: bool = True
    examples: tuple[Example, ...] = ()
    hints: tuple[str, ...] = ()
    errors: tuple[ErrorEntry, ...] = ()
    sql_dialect: str = "duckdb"


@attrs.frozen(kw_only=True)
class DriverSpec:
    """The code that runs a component: a class without constructor arguments that is a ``Driver``."""

    component: str
    ref: str
    capabilities: frozenset[Capability] = frozenset()

    @property
    def name(self) -> str:
        """The component's name, unique among drivers."""
        return self.component


@attrs.frozen(kw_only=True)
class ConnectionSpec:
    """A family of connections: its config class (secret fields typed ``Secret``) and its ``Doctor``."""

    family: str
    config: type
    summary: str
    doctor: str | None = None
    example: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """The family, unique among connections."""
        return self.family


@attrs.frozen(kw_only=True)
class DiscovererSpec:
    """The code that reads the catalog behind a connection family."""

    family: str
    ref: str

    @property
    def name(self) -> str:
        """The family, unique among discoverers."""
        return self.family


@attrs.frozen(kw_only=True)
class LLMProviderSpec:
    """A model provider for chat: its name, config class and implementation."""

    name: str
    ref: str
    config: type
    summary: str


@attrs.frozen(kw_only=True)
class TargetSpec:
    """A place where a manifest runs."""

    name: str
    ref: str
    summary: str


@attrs.frozen(kw_only=True)
class SecretStoreSpec:
    """A store of secrets, addressed as ``${scheme:name}``.

    ``ref`` names a callable that makes the ``SecretStore``; its one argument is the project's variables (a mapping: the
    process environment and the ``.env`` files), in which a store finds its own address and credentials.
    """

    scheme: str
    ref: str
    summary: str

    @property
    def name(self) -> str:
        """The scheme, unique among secret stores."""
        return self.scheme
