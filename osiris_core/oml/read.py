"""The strict contract of OML 0.1.0: from plain data to a :class:`Pipeline`, with every breach reported.

Nothing here looks at what is installed or configured; see :mod:`osiris_core.oml.validate` for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.diagnostics import did_you_mean
from osiris_core.ids import COMPONENT_NAME, MAX_NAME, is_name
from osiris_core.oml.document import MODE_ALIASES, OML_VERSION, Mode, Pipeline, ProfileDoc, StepDoc
from osiris_core.oml.params import read_params

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.diagnostics import Path
    from osiris_core.oml.findings import Findings

TOP_REQUIRED: Final = ("oml_version", "name", "steps")
TOP_KEYS: Final = (*TOP_REQUIRED, "description", "metadata", "params", "profiles")
FORBIDDEN: Final = {
    "version": f'write `oml_version: "{OML_VERSION}"`',
    "connectors": "name a connection in each step, `config: {connection: '@family.alias'}`, and define it in "
    "osiris_connections.yaml",
    "tasks": "write `steps:`",
    "outputs": "add a step with `mode: write`; a writer's config says where the rows go",
}
STEP_REQUIRED: Final = ("id", "component", "mode")
STEP_KEYS: Final = (*STEP_REQUIRED, "config", "needs")
PROFILE_KEYS: Final = ("description", "params", "connections")

_STEP_ADVICE: Final = {
    "name": "a step is named by `id`",
    "type": "the kind of step is `component`, what it does is `mode`",
    "depends_on": "dependencies are `needs: [step, ...]`",
    "dependencies": "dependencies are `needs: [step, ...]`",
    "inputs": "dependencies are `needs: [step, ...]`",
    "connection": "`connection` stands inside `config`",
    "connector": "the kind of step is `component`",
    "driver": "the kind of step is `component`",
    "params": "a step's settings are `config`; parameters are declared once, at the top of the document",
    "with": "a step's settings are `config`",
}
_MODE_ADVICE: Final = {
    "load": "write",
    "sink": "write",
    "process": "transform",
    "source": "extract",
    "extractor": "extract",
    "processor": "transform",
    "writer": "write",
}
_NAME_RULE: Final = (
    f"a lower-case letter, then such letters and digits with single `-` or `_` between; at most {MAX_NAME} characters"
)


def read_pipeline(data: Any, findings: Findings) -> Pipeline:
    """The pipeline in ``data``, as far as it can be understood; what cannot is in ``findings``."""
    if not isinstance(data, dict):
        findings.error("OSR-OML-001", f"an OML document is a mapping, not {kind(data)}")
        return Pipeline(name="", description="", metadata={}, params={}, profiles={}, steps=())
    _read_keys(data, findings)
    metadata = _typed(data, "metadata", dict, findings) or {}
    return Pipeline(
        name=_read_name(data, findings),
        description=_typed(data, "description", str, findings) or "",
        metadata=metadata,
        params=read_params(data.get("params"), findings),
        profiles=_read_profiles(data, findings),
        steps=_read_steps(data, findings),
    )


def _read_keys(data: Mapping[str, Any], findings: Findings) -> None:
    for key in data:
        if key in FORBIDDEN:
            findings.error(
                "OSR-OML-005", f"'{key}' does not belong to OML {OML_VERSION}", (key,), hint=FORBIDDEN[key], key=True
            )
        elif key not in TOP_KEYS and not key.startswith("x-"):
            findings.unknown_key("OSR-OML-006", "an OML document", key, TOP_KEYS, (key,))
    if "oml_version" not in data:
        findings.error("OSR-OML-002", "oml_version is missing", hint=f'begin with `oml_version: "{OML_VERSION}"`')
    elif data["oml_version"] != OML_VERSION:
        findings.error(
            "OSR-OML-002",
            f'oml_version is {shown(data["oml_version"])}; this Osiris reads "{OML_VERSION}"',
            ("oml_version",),
            hint=f'write `oml_version: "{OML_VERSION}"`, with the quotes',
        )


def _read_name(data: Mapping[str, Any], findings: Findings) -> str:
    name = data.get("name")
    if isinstance(name, str) and is_name(name):
        return name
    if "name" not in data:
        findings.error("OSR-OML-003", "name is missing", hint="add `name: my-pipeline`")
    elif not isinstance(name, str):
        findings.error("OSR-OML-003", f"name must be text, not {kind(name)}", ("name",), hint=_NAME_RULE)
    else:
        findings.error("OSR-OML-003", f"{shown(name)} is not a pipeline name", ("name",), hint=_NAME_RULE)
    return ""


def _read_profiles(data: Mapping[str, Any], findings: Findings) -> dict[str, ProfileDoc]:
    profiles: dict[str, ProfileDoc] = {}
    for name, body in (_typed(data, "profiles", dict, findings) or {}).items():
        path = ("profiles", name)
        if not is_name(name):
            findings.error("OSR-OML-043", f"{shown(name)} is not a profile name", path, hint=_NAME_RULE, key=True)
        if not isinstance(body, dict):
            findings.error("OSR-OML-043", f"a profile is a mapping, not {kind(body)}", path)
            continue
        for key in body:
            if key not in PROFILE_KEYS:
                findings.unknown_key("OSR-OML-006", "a profile", key, PROFILE_KEYS, (*path, key))
        connections = _typed(body, "connections", dict, findings, path) or {}
        profiles[name] = ProfileDoc(
            name=name,
            description=_typed(body, "description", str, findings, path) or "",
            params=_typed(body, "params", dict, findings, path) or {},
            connections={
                key: value for key, value in connections.items() if _is_mapping_text(key, value, path, findings)
            },
        )
    return profiles


def _is_mapping_text(key: str, value: Any, path: Path, findings: Findings) -> bool:
    if isinstance(value, str):
        return True
    findings.error(
        "OSR-OML-041",
        f"the connection for '{key}' must be an alias or a reference, not {kind(value)}",
        (*path, "connections", key),
    )
    return False


def _read_steps(data: Mapping[str, Any], findings: Findings) -> tuple[StepDoc, ...]:
    if "steps" not in data:
        findings.error("OSR-OML-004", "steps is missing", hint="add `steps:` with at least one step")
        return ()
    raw = data["steps"]
    if not isinstance(raw, list):
        hint = "begin each step with `- id: ...`" if isinstance(raw, dict) else None
        findings.error("OSR-OML-004", f"steps must be a list, not {kind(raw)}", ("steps",), hint=hint)
        return ()
    if not raw:
        findings.error("OSR-OML-004", "steps is empty", ("steps",), hint="a pipeline has at least one step")
    steps: list[StepDoc] = []
    first: dict[str, int] = {}
    for index, body in enumerate(raw):
        if not isinstance(body, dict):
            findings.error("OSR-OML-010", f"a step is a mapping, not {kind(body)}", ("steps", index))
            continue
        step = _read_step(index, body, findings)
        steps.append(step)
        if step.id is not None and first.setdefault(step.id, index) != index:
            findings.error(
                "OSR-OML-012",
                f"the id '{step.id}' is taken by steps[{first[step.id]}]",
                ("steps", index, "id"),
                hint="give each step an id of its own",
            )
    return tuple(steps)


def _read_step(index: int, body: Mapping[str, Any], findings: Findings) -> StepDoc:
    path: Path = ("steps", index)
    for key in body:
        if key in STEP_KEYS:
            continue
        if key in _STEP_ADVICE:
            findings.error("OSR-OML-006", f"a step has no key '{key}'", (*path, key), hint=_STEP_ADVICE[key], key=True)
        else:
            findings.unknown_key("OSR-OML-006", "a step", key, STEP_KEYS, (*path, key))
    missing = [key for key in STEP_REQUIRED if key not in body]
    if missing:
        label = f"step '{body['id']}'" if isinstance(body.get("id"), str) else f"steps[{index}]"
        findings.error("OSR-OML-010", f"{label} lacks {_listed(missing)}", path, hint=_missing_hint(missing))
    step_id = _step_id(body, path, findings)
    return StepDoc(
        index=index,
        id=step_id,
        component=_component(body, path, findings),
        mode=_mode(body, path, findings),
        needs=_needs(body, path, findings),
        config=_typed(body, "config", dict, findings, path) or {},
    )


def _missing_hint(missing: Iterable[str]) -> str:
    samples = {
        "id": "id: my-step",
        "component": "component: duckdb.processor",
        "mode": "mode: extract | transform | write",
    }
    return "; ".join(f"`{samples[key]}`" for key in missing)


def _step_id(body: Mapping[str, Any], path: Path, findings: Findings) -> str | None:
    if "id" not in body:
        return None
    value = body["id"]
    if isinstance(value, str) and is_name(value):
        return value
    message = f"{shown(value)} is not a step id" if isinstance(value, str) else f"id must be text, not {kind(value)}"
    findings.error("OSR-OML-011", message, (*path, "id"), hint=_NAME_RULE)
    return None


def _component(body: Mapping[str, Any], path: Path, findings: Findings) -> str | None:
    if "component" not in body:
        return None
    value = body["component"]
    if isinstance(value, str) and COMPONENT_NAME.match(value):
        return value
    message = (
        f"{shown(value)} is not a component" if isinstance(value, str) else f"component must be text, not {kind(value)}"
    )
    findings.error(
        "OSR-OML-016", message, (*path, "component"), hint="a component is `family.role`, e.g. `duckdb.processor`"
    )
    return None


def _mode(body: Mapping[str, Any], path: Path, findings: Findings) -> Mode | None:
    if "mode" not in body:
        return None
    value = body["mode"]
    if isinstance(value, str):
        if value in MODE_ALIASES:
            return MODE_ALIASES[value]
        if value in tuple(Mode):
            return Mode(value)
    advice = _MODE_ADVICE.get(value) if isinstance(value, str) else None
    close = f"did you mean '{advice}'?" if advice else did_you_mean(str(value), (*Mode, *MODE_ALIASES))
    findings.error(
        "OSR-OML-013",
        f"{shown(value)} is not a mode",
        (*path, "mode"),
        hint=close or "a mode is extract, transform or write",
    )
    return None


def _needs(body: Mapping[str, Any], path: Path, findings: Findings) -> tuple[str, ...] | None:
    if "needs" not in body:
        return None
    value = body["needs"]
    if not isinstance(value, list):
        hint = f"write `needs: [{value}]`" if isinstance(value, str) else "write `needs: [step, ...]`"
        findings.error(
            "OSR-OML-017", f"needs must be a list of step ids, not {kind(value)}", (*path, "needs"), hint=hint
        )
        return None
    needs: list[str] = []
    for position, item in enumerate(value):
        if not isinstance(item, str):
            findings.error("OSR-OML-017", f"needs lists step ids, not {kind(item)}", (*path, "needs", position))
        elif item in needs:
            findings.error(
                "OSR-OML-028", f"needs lists '{item}' twice", (*path, "needs", position), hint="name it once"
            )
        else:
            needs.append(item)
    return tuple(needs)


def _typed(data: Mapping[str, Any], key: str, cls: type, findings: Findings, path: Path = ()) -> Any:
    """The value of ``key`` when it is a ``cls``; None (and a finding, unless it is absent) when it is not."""
    if key not in data:
        return None
    value = data[key]
    if isinstance(value, cls):
        return value
    wanted = "text" if cls is str else "a mapping"
    hint = f"leave `{key}` out when it is empty" if value is None else None
    findings.error("OSR-OML-007", f"{key} must be {wanted}, not {kind(value)}", (*path, key), hint=hint)
    return None


def kind(value: Any) -> str:
    """What ``value`` is, in the words of a person who writes YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """A value as a message quotes it: short, on one line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
