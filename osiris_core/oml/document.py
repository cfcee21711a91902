"""An OML document as values: what the author wrote, after its shape was checked and before anything is resolved."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.spec.describe import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.spec.describe import ComponentSpec

OML_VERSION: Final = "0.1.0"


class Mode(StrEnum):
    """What a step does, in its canonical spelling."""

    EXTRACT = "extract"
    TRANSFORM = "transform"
    WRITE = "write"


MODE_ALIASES: Final = {"read": Mode.EXTRACT}

MODE_OF_ROLE: Final = {
    Role.EXTRACTOR: Mode.EXTRACT,
    Role.PROCESSOR: Mode.TRANSFORM,
    Role.WRITER: Mode.WRITE,
}


class ParamType(StrEnum):
    """The type of a parameter's values, named as JSON Schema names it; ``date`` is text in the form ``YYYY-MM-DD``."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


PARAM_TYPE_ALIASES: Final = {
    "str": ParamType.STRING,
    "int": ParamType.INTEGER,
    "float": ParamType.NUMBER,
    "bool": ParamType.BOOLEAN,
}

ParamValue = str | int | float | bool


@attrs.frozen(kw_only=True)
class ParamDoc:
    """A declared parameter. ``default`` is None when a value must be given (null is no parameter value)."""

    name: str
    type: ParamType
    default: ParamValue | None = None
    enum: tuple[ParamValue, ...] = ()
    minimum: ParamValue | None = None
    maximum: ParamValue | None = None
    description: str = ""


@attrs.frozen(kw_only=True)
class ProfileDoc:
    """A named set of replacements: parameter values, and connections by family or by reference."""

    name: str
    description: str = ""
    params: Mapping[str, Any] = attrs.field(factory=dict)
    connections: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class StepDoc:
    """A step as written. ``needs`` is None when it was left out; ``mode`` is canonical.

    ``id``, ``component`` and ``mode`` are None where the document has nothing usable (which is an error by itself).
    """

    index: int
    id: str | None
    component: str | None
    mode: Mode | None
    needs: tuple[str, ...] | None
    config: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Pipeline:
    """One OML document."""

    name: str
    description: str
    metadata: Mapping[str, Any]
    params: Mapping[str, ParamDoc]
    profiles: Mapping[str, ProfileDoc]
    steps: tuple[StepDoc, ...]
    oml_version: str = OML_VERSION


@attrs.frozen(kw_only=True)
class Catalog:
    """What is installed and configured, as ``osiris_validate_pipeline`` hooks see it: names and descriptions only.

    ``connections`` has for each reference (``@family.alias``) the names of the fields that are set, never a value.
    """

    components: Mapping[str, ComponentSpec]
    connections: Mapping[str, frozenset[str]]
