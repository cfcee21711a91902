"""The component reference, from the specs that the distributions of this repository register."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from generators.config import fields
from generators.markdown import code, prose, table
from generators.registry import components, registry
from osiris_core.model import yaml
from osiris_core.model.fields import info_of
from osiris_core.oml.document import MODE_OF_ROLE

if TYPE_CHECKING:
    from osiris_core.spec.describe import ComponentSpec, ConnectionSpec, Example


def page() -> str:
    """The page."""
    parts = [
        "# Components",
        "What the core and the plugins of this repository provide. `osiris components list` shows what is installed "
        "where you are; `osiris components show NAME` prints what stands here, `config-example` a config to start.",
        table(("component", "mode", ""), (_line(spec) for spec in components())),
    ]
    for spec in components():
        parts += _component(spec)
    parts += ["## Connections", "What a connection of each family takes in `osiris_connections.yaml`."]
    for family in registry().connections():
        parts += _connection(family)
    parts += ["## Providers of models", "What each takes in `osiris.yaml`, under its name in `llm.providers`."]
    for provider in registry().llm_providers():
        parts += [f"### {provider.name}", prose(provider.summary), fields(provider.config)]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _line(spec: ComponentSpec) -> tuple[str, str, str]:
    anchor = spec.name.replace(".", "")
    return f"[{code(spec.name)}](#{anchor})", MODE_OF_ROLE[spec.role].value, spec.summary


def _component(spec: ComponentSpec) -> list[str]:
    provider = registry().provider("component", spec.name)
    parts = [
        f"## {spec.name}",
        f"**{prose(spec.summary)}** Version {spec.version}, from {code(provider.distribution)}; "
        f"`mode: {MODE_OF_ROLE[spec.role].value}`.",
        prose(spec.description),
    ]
    if spec.connection:
        need = "a" if spec.connection_required else "perhaps a"
        parts.append(f"It uses {need} connection of family {code(spec.connection)} ([fields](#{spec.connection})).")
    parts.append(fields(spec.config))
    parts += [_example(example) for example in spec.examples]
    if spec.hints:
        parts.append("\n".join(f"- {prose(hint)}" for hint in spec.hints))
    return parts


def _example(example: Example) -> str:
    return f"{prose(example.title)}:\n\n```yaml\n{yaml.dump({'config': dict(example.config)}).strip()}\n```"


def _connection(spec: ConnectionSpec) -> list[str]:
    overridable = [a.name for a in attrs.fields(spec.config) if info_of(a).override != "forbidden"]  # type: ignore[arg-type]
    parts = [f"### {spec.family}", prose(spec.summary), fields(spec.config)]
    if overridable:
        parts.append(f"A step may override {', '.join(code(name) for name in overridable)}.")
    if spec.example:
        sample = {"connections": {spec.family: {"main": dict(spec.example)}}}
        parts.append(f"```yaml\n{yaml.dump(sample).strip()}\n```")
    return parts
