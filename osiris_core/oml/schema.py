"""One JSON Schema (2020-12) for whole pipelines with the components that are installed here.

Editors use it to complete and check OML as it is typed. It accepts every document that the validator accepts; what no
schema can say (unique ids, edges, references, parameters that exist) is left to the validator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.ids import COMPONENT_NAME, MAX_NAME, STEP_ID
from osiris_core.model.schema import DIALECT, PLACEHOLDER_PATTERN, object_schema
from osiris_core.model.shape import shape_of
from osiris_core.oml.document import MODE_ALIASES, MODE_OF_ROLE, OML_VERSION, PARAM_TYPE_ALIASES, Mode, ParamType
from osiris_core.oml.params import PARAM_NAME
from osiris_core.oml.read import STEP_REQUIRED, TOP_REQUIRED

if TYPE_CHECKING:
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec

_PARAM_PATTERN: Final = r"\$\{params\."
_ALIAS_PATTERN: Final = r"[a-z][a-z0-9_-]*"


def oml_schema(registry: Registry) -> dict[str, Any]:
    """The schema of an OML document whose steps use the components of ``registry``."""
    components = registry.components()
    return {
        "$schema": DIALECT,
        "title": f"OML {OML_VERSION}",
        "description": "An Osiris pipeline. Made by `osiris schema oml` from the components installed here.",
        "type": "object",
        "required": list(TOP_REQUIRED),
        "properties": {
            "oml_version": {"description": "The version of the format.", "const": OML_VERSION},
            "name": {"description": "The pipeline's name.", "$ref": "#/$defs/name"},
            "description": {"description": "What the pipeline is for.", "type": "string"},
            "metadata": {"description": "Anything about the pipeline: owner, team, …", "type": "object"},
            "params": {
                "description": "Values that can be given from outside, used as `${params.x}`.",
                "type": "object",
                "propertyNames": {"pattern": _whole(PARAM_NAME.pattern)},
                "additionalProperties": {"$ref": "#/$defs/param"},
            },
            "profiles": {
                "description": "Named replacements, chosen with `--profile`.",
                "type": "object",
                "propertyNames": {"$ref": "#/$defs/name"},
                "additionalProperties": {"$ref": "#/$defs/profile"},
            },
            "steps": {
                "description": "What is done.",
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/step"},
            },
        },
        "patternProperties": {"^x-": {"description": "Ignored."}},
        "additionalProperties": False,
        "$defs": {
            "name": {"type": "string", "pattern": _whole(STEP_ID.pattern), "maxLength": MAX_NAME},
            "param": _param(),
            "profile": _profile(),
            "step": _step(components),
            **{f"config:{spec.name}": _config(spec, registry) for spec in components},
        },
    }


def _step(components: tuple[ComponentSpec, ...]) -> dict[str, Any]:
    modes = [*Mode, *MODE_ALIASES]
    return {
        "title": "Step",
        "type": "object",
        "required": list(STEP_REQUIRED),
        "properties": {
            "id": {"description": "The step's name; the next step sees its rows under it.", "$ref": "#/$defs/name"},
            "component": {
                "description": "The kind of step, `family.role`.",
                "type": "string",
                "pattern": _whole(COMPONENT_NAME.pattern),
                "enum": [spec.name for spec in components],
            },
            "mode": {"description": "What the step does; its component's role.", "enum": [str(mode) for mode in modes]},
            "needs": {
                "description": "The steps whose rows it takes; left out, the step before (an extract takes none).",
                "type": "array",
                "items": {"$ref": "#/$defs/name"},
                "uniqueItems": True,
            },
            "config": {"description": "The settings of its component.", "type": "object"},
        },
        "additionalProperties": False,
        "allOf": [_of_component(spec) for spec in components],
    }


def _of_component(spec: ComponentSpec) -> dict[str, Any]:
    """What holds for a step of one component."""
    mode = MODE_OF_ROLE[spec.role]
    spellings = [str(mode), *(alias for alias, canonical in MODE_ALIASES.items() if canonical is mode)]
    then: dict[str, Any] = {
        "properties": {"mode": {"enum": spellings}, "config": {"$ref": f"#/$defs/config:{spec.name}"}}
    }
    if mode is Mode.EXTRACT:
        then["properties"]["needs"] = {"maxItems": 0}
    if mode is Mode.WRITE:
        then["properties"]["needs"] = {"minItems": 1, "maxItems": 1}
    if any(member.required for member in shape_of(spec.config).members):
        then["required"] = ["config"]
    is_it = {"properties": {"component": {"const": spec.name}}, "required": ["component"]}
    return {"if": is_it, "then": then}


def _config(spec: ComponentSpec, registry: Registry) -> dict[str, Any]:
    schema: dict[str, Any] = _with_params(object_schema(spec.config, placeholders=True))
    if spec.connection is not None:
        schema["properties"] = {**_connection(spec.connection, registry), **schema["properties"]}
    examples = [dict(example.config) for example in spec.examples]
    return {"title": spec.summary.removesuffix("."), **schema, "examples": examples} if examples else schema


def _connection(family: str, registry: Registry) -> dict[str, Any]:
    connection = {
        "description": f"The connection, `@{family}.alias`; left out: the default of the family '{family}'.",
        "type": "string",
        "pattern": f"^(?:@{family}\\.{_ALIAS_PATTERN}|.*{_PARAM_PATTERN}.*)$",
    }
    served = {spec.family: spec for spec in registry.connections()}
    if family not in served:
        return {"connection": connection}
    cls = served[family].config
    fields = _with_params(object_schema(cls, placeholders=True))["properties"]
    open_ = [member.name for member in shape_of(cls).members if member.info.override != "forbidden"]
    return {
        "connection": connection,
        "connection_overrides": {
            "description": "Fields of the connection that are different for this step.",
            "type": "object",
            "properties": {name: fields[name] for name in open_},
            "additionalProperties": False,
        },
    }


def _param() -> dict[str, Any]:
    value = {"type": ["string", "integer", "number", "boolean"]}
    return {
        "title": "Parameter",
        "type": "object",
        "properties": {
            "type": {
                "description": "The type of its values; left out: that of `default`.",
                "enum": [*map(str, ParamType), *PARAM_TYPE_ALIASES],
            },
            "default": {"description": "The value when none is given.", **value},
            "enum": {"description": "The only values allowed.", "type": "array", "minItems": 1, "items": value},
            "min": {"description": "The least value allowed.", "type": ["integer", "number", "string"]},
            "max": {"description": "The greatest value allowed.", "type": ["integer", "number", "string"]},
            "description": {"description": "What it is for.", "type": "string"},
        },
        "anyOf": [{"required": ["type"]}, {"required": ["default"]}],
        "additionalProperties": False,
    }


def _profile() -> dict[str, Any]:
    return {
        "title": "Profile",
        "type": "object",
        "properties": {
            "description": {"description": "What it is for.", "type": "string"},
            "params": {"description": "Values of parameters.", "type": "object"},
            "connections": {
                "description": "For a family, the alias to use where a step names none; for a reference, another one.",
                "type": "object",
                "propertyNames": {"pattern": f"^(?:[a-z][a-z0-9_]*|@[a-z][a-z0-9_]*\\.{_ALIAS_PATTERN})$"},
                "additionalProperties": {"type": "string"},
            },
        },
        "additionalProperties": False,
    }


def _with_params(schema: Any) -> Any:
    """A schema that takes references anywhere, taking parameters instead."""
    if isinstance(schema, dict):
        if schema == {"type": "string", "pattern": PLACEHOLDER_PATTERN}:
            return {"type": "string", "pattern": _PARAM_PATTERN}
        return {key: _with_params(value) for key, value in schema.items()}
    return [_with_params(item) for item in schema] if isinstance(schema, list) else schema


def _whole(pattern: str) -> str:
    """A Python pattern that is anchored at its end, as an ECMA-262 one without named groups."""
    plain = pattern.removesuffix(r"\Z").replace("(?P<plugin>", "(?:").replace("(?P<role>", "(?:")
    return f"^{plain}$"
