"""What there is to say of the installed components to whoever writes pipelines, a model or a person: all of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from osiris_core.model.reference import field_rows
from osiris_core.oml.document import MODE_OF_ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec


def components_text(registry: Registry) -> str:
    """Every component with every field of its config, optional ones too, its examples and hints, as Markdown."""
    blocks = ["\n".join(_component(spec)) for spec in registry.components()]
    return "\n\n".join(blocks) + "\n"


def _component(spec: ComponentSpec) -> Iterator[str]:
    yield f"## {spec.name}"
    yield ""
    yield spec.summary
    if spec.description:
        yield spec.description
    connection = "none"
    if spec.connection is not None:
        connection = f"@{spec.connection}.…{'' if spec.connection_required else ' (optional)'}"
    yield f"mode: {MODE_OF_ROLE[spec.role].value}; connection: {connection}; SQL: {spec.sql_dialect}"
    yield ""
    for row in field_rows(spec.config):
        default = "required" if row.required else f"default {row.default}"
        yield f"- `{row.name}` ({row.type}; {default}): {row.doc}"
    for example in spec.examples:
        yield f"- example, {example.title}: `{json.dumps(dict(example.config), ensure_ascii=False)}`"
    for hint in spec.hints:
        yield f"- hint: {hint}"
