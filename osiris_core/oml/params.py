"""Parameters as an OML document declares them: type, default, enum, min, max, description."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.diagnostics import did_you_mean
from osiris_core.oml.document import PARAM_TYPE_ALIASES, ParamDoc, ParamType, ParamValue
from osiris_core.oml.values import Mistyped, check_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.diagnostics import Path
    from osiris_core.oml.findings import Findings

PARAM_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
PARAM_KEYS: Final = ("type", "default", "enum", "min", "max", "description")

_ORDERED: Final = frozenset({ParamType.INTEGER, ParamType.NUMBER, ParamType.DATE})


def read_params(raw: Any, findings: Findings) -> dict[str, ParamDoc]:
    """The parameters declared in ``raw`` (the document's ``params``)."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        findings.error("OSR-OML-030", "params must be a mapping of names to declarations", ("params",))
        return {}
    params: dict[str, ParamDoc] = {}
    for name, body in raw.items():
        path: Path = ("params", name)
        if not PARAM_NAME.match(name):
            findings.error(
                "OSR-OML-030",
                f"'{name}' is not a parameter name",
                path,
                hint="a lower-case letter, then lower-case letters, digits and `_`",
                key=True,
            )
        if not isinstance(body, dict):
            findings.error(
                "OSR-OML-030",
                f"the declaration of '{name}' must be a mapping",
                path,
                hint=f"write `{name}: {{type: {_guess(body) or 'string'}, default: {_literal(body)}}}`",
            )
            continue
        params[name] = _declaration(name, body, path, findings)
    return params


def _declaration(name: str, body: Mapping[str, Any], path: Path, findings: Findings) -> ParamDoc:
    for key in body:
        if key not in PARAM_KEYS:
            findings.unknown_key("OSR-OML-006", "a parameter", key, PARAM_KEYS, (*path, key))
    kind = _type(name, body, path, findings)
    bare = ParamDoc(name=name, type=kind)
    description = body.get("description", "")
    if not isinstance(description, str):
        findings.error("OSR-OML-007", "description must be text", (*path, "description"))
        description = ""
    bounds: dict[str, ParamValue | None] = {}
    for key in ("min", "max"):
        bounds[key] = _declared(bare, body, key, path, findings)
        if bounds[key] is not None and kind not in _ORDERED:
            findings.error("OSR-OML-030", f"a {kind} parameter has no {key}", (*path, key), key=True)
            bounds[key] = None
    if bounds["min"] is not None and bounds["max"] is not None and bounds["min"] > bounds["max"]:  # type: ignore[operator]
        findings.error("OSR-OML-030", "min is above max", (*path, "min"))
        bounds = {"min": None, "max": None}
    bounded = attrs.evolve(bare, minimum=bounds["min"], maximum=bounds["max"])
    declared = attrs.evolve(bounded, enum=_enum(bounded, body, path, findings), description=description)
    return attrs.evolve(declared, default=_declared(declared, body, "default", path, findings))


def _type(name: str, body: Mapping[str, Any], path: Path, findings: Findings) -> ParamType:
    if "type" not in body:
        guessed = _guess(body.get("default"))
        if guessed is None:
            findings.error(
                "OSR-OML-030",
                f"parameter '{name}' has neither a type nor a default that shows it",
                path,
                hint=f"add `type:` {', '.join(ParamType)}",
                key=True,
            )
        return guessed or ParamType.STRING
    raw = body["type"]
    if isinstance(raw, str):
        if raw in PARAM_TYPE_ALIASES:
            return PARAM_TYPE_ALIASES[raw]
        if raw in tuple(ParamType):
            return ParamType(raw)
    known = (*ParamType, *PARAM_TYPE_ALIASES)
    hint = did_you_mean(str(raw), known) or f"a parameter's type is one of {', '.join(ParamType)}"
    findings.error("OSR-OML-030", f"'{raw}' is not a parameter type", (*path, "type"), hint=hint)
    return _guess(body.get("default")) or ParamType.STRING


def _enum(param: ParamDoc, body: Mapping[str, Any], path: Path, findings: Findings) -> tuple[ParamValue, ...]:
    if "enum" not in body:
        return ()
    raw = body["enum"]
    if not isinstance(raw, list) or not raw:
        findings.error("OSR-OML-030", "enum must be a list with at least one value", (*path, "enum"))
        return ()
    values: list[ParamValue] = []
    for index, item in enumerate(raw):
        try:
            values.append(check_value(param, item))
        except Mistyped as error:
            findings.error("OSR-OML-030", f"enum of '{param.name}': {error}", (*path, "enum", index))
    return tuple(values)


def _declared(param: ParamDoc, body: Mapping[str, Any], key: str, path: Path, findings: Findings) -> ParamValue | None:
    if key not in body:
        return None
    if body[key] is None:
        findings.error(
            "OSR-OML-030",
            f"{key} of '{param.name}' is null",
            (*path, key),
            hint=f"leave `{key}` out to have none",
            key=True,
        )
        return None
    try:
        return check_value(param, body[key])
    except Mistyped as error:
        findings.error("OSR-OML-030", f"{key} of '{param.name}': {error}", (*path, key))
        return None


def _guess(value: Any) -> ParamType | None:
    kinds = {bool: ParamType.BOOLEAN, int: ParamType.INTEGER, float: ParamType.NUMBER, str: ParamType.STRING}
    return kinds.get(type(value))


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | int | float | str) else "..."
