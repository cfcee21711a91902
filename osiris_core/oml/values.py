"""Values of parameters: which one counts, and whether it is of the declared type.

A value comes from the command line, else the profile, else ``OSIRIS_PARAM_<NAME>``, else the default. Text from the
command line and the environment is read as the declared type; values in the document must have that type already.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from osiris_core.diagnostics import Diagnostic, Severity, closest, did_you_mean
from osiris_core.oml.document import ParamType, ParamValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.diagnostics import Path
    from osiris_core.oml.document import ParamDoc, ProfileDoc
    from osiris_core.oml.findings import Findings

ENV_PREFIX: Final = "OSIRIS_PARAM_"

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4000}\Z")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WORDS: Final = {
    ParamType.STRING: "text",
    ParamType.INTEGER: "a whole number",
    ParamType.NUMBER: "a number",
    ParamType.BOOLEAN: "true or false",
    ParamType.DATE: "a date in the form YYYY-MM-DD",
}


@attrs.frozen
class Chosen:
    """The value of a parameter and where it comes from: ``cli``, ``profile``, ``env`` or ``default``."""

    value: ParamValue
    origin: str


class Mistyped(Exception):
    """A value that is not of a parameter's type, outside its enum or its bounds; the text says which."""


def check_value(param: ParamDoc, value: Any) -> ParamValue:
    """``value`` as a value of ``param``; raises :class:`Mistyped` when it is none. Only int to number is exact."""
    kind = param.type
    if kind is ParamType.NUMBER and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            raise Mistyped(f"{_WORDS[kind]} is needed, and this one is too large") from None
    fits: Mapping[ParamType, type] = {
        ParamType.INTEGER: int,
        ParamType.NUMBER: float,
        ParamType.BOOLEAN: bool,
    }
    not_finite = isinstance(value, float) and not math.isfinite(value)
    if not_finite or type(value) is not fits.get(kind, str):
        raise Mistyped(f"{_WORDS[kind]} is needed, not {_quote(value)}")
    checked = cast("ParamValue", value)
    if isinstance(checked, str) and any("\ud800" <= character <= "\udfff" for character in checked):
        raise Mistyped(f"{_WORDS[kind]} in UTF-8 is needed")  # bytes of a command line that were none
    if kind is ParamType.DATE:
        _check_date(str(checked))
    if param.enum and checked not in param.enum:
        raise Mistyped(f"{_quote(checked)} is not one of {', '.join(map(_quote, param.enum))}")
    if param.minimum is not None and checked < param.minimum:  # type: ignore[operator]
        raise Mistyped(f"{_quote(checked)} is below the minimum, {_quote(param.minimum)}")
    if param.maximum is not None and checked > param.maximum:  # type: ignore[operator]
        raise Mistyped(f"{_quote(checked)} is above the maximum, {_quote(param.maximum)}")
    return checked


def parse_value(param: ParamDoc, text: str) -> ParamValue:
    """``text`` (from the command line or the environment) as a value of ``param``; raises :class:`Mistyped`."""
    value: Any = text
    if param.type is ParamType.INTEGER and _INTEGER.match(text):
        value = int(text)
    elif param.type is ParamType.NUMBER and _NUMBER.match(text):
        value = float(text)
    elif param.type is ParamType.BOOLEAN:
        value = _BOOLEANS.get(text, text)
    return check_value(param, value)


def choose_values(
    params: Mapping[str, ParamDoc],
    *,
    cli: Mapping[str, str],
    profile: ProfileDoc | None,
    environ: Mapping[str, str],
    findings: Findings,
) -> dict[str, Chosen]:
    """The value of each parameter that has one, by precedence; a value that does not fit is a finding."""
    for name in cli:
        if name not in params:
            hint = did_you_mean(name, params) or declared_names(params)
            findings.command_line("OSR-OML-031", f"--param {name}: the pipeline declares no such parameter", hint=hint)
    given = {name for name in params if name in cli or environ.get(ENV_PREFIX + name.upper())}
    _check_variables(params.keys() - given, environ, findings)
    chosen: dict[str, Chosen] = {}
    for name, param in params.items():
        variable = ENV_PREFIX + name.upper()
        if name in cli:
            _choose(chosen, param, Chosen(cli[name], "cli"), f"--param {name}", findings)
        elif profile is not None and name in profile.params:
            with suppress(Mistyped):  # check_profile_params reports it, at its line
                chosen[name] = Chosen(check_value(param, profile.params[name]), "profile")
        elif environ.get(variable):
            _choose(chosen, param, Chosen(environ[variable], "env"), variable, findings)
        elif param.default is not None:
            chosen[name] = Chosen(param.default, "default")
    return chosen


def _check_variables(missing: Iterable[str], environ: Mapping[str, str], findings: Findings) -> None:
    """Warn of a variable that is almost that of a parameter nobody has given; others are meant for other pipelines."""
    wanted = {name.upper() for name in missing}
    for variable in sorted(name for name in environ if name.startswith(ENV_PREFIX)):
        near = closest(variable.removeprefix(ENV_PREFIX), wanted)
        if near is not None:
            message = f"{variable} is set, and the pipeline declares no such parameter"
            hint = f"did you mean {ENV_PREFIX}{near}?"
            findings.add([Diagnostic(code="OSR-OML-031", message=message, severity=Severity.WARNING, hint=hint)])


def _choose(chosen: dict[str, Chosen], param: ParamDoc, given: Chosen, source: str, findings: Findings) -> None:
    """Choose text from outside the document, read as the parameter's type."""
    try:
        chosen[param.name] = Chosen(parse_value(param, str(given.value)), given.origin)
    except Mistyped as error:
        findings.command_line("OSR-OML-033", f"{source}: {error}", ("params", param.name))


def check_profile_params(params: Mapping[str, ParamDoc], profile: ProfileDoc, findings: Findings) -> None:
    """Report every parameter of ``profile`` that is not declared or whose value does not fit."""
    for name, value in profile.params.items():
        path: Path = ("profiles", profile.name, "params", name)
        if name not in params:
            hint = did_you_mean(name, params) or declared_names(params)
            findings.error("OSR-OML-031", f"the pipeline declares no parameter '{name}'", path, hint=hint, key=True)
            continue
        try:
            check_value(params[name], value)
        except Mistyped as error:
            findings.error("OSR-OML-033", f"parameter '{name}': {error}", path)


def as_text(value: ParamValue) -> str:
    """A value as it is written inside other text, the same on every machine."""
    return value if isinstance(value, str) else json.dumps(value)


def _check_date(text: str) -> None:
    if _DATE.match(text):
        try:
            date.fromisoformat(text)
        except ValueError:
            pass
        else:
            return
    raise Mistyped(f"{_WORDS[ParamType.DATE]} is needed, not {_quote(text)}")


def _quote(value: Any) -> str:
    if not isinstance(value, str | bool | int | float):
        return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "null"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def declared_names(params: Iterable[str]) -> str:
    """What a message says about the parameters that exist."""
    return f"declared: {', '.join(sorted(params))}" if params else "declare it under `params:`"
