"""The reference of AIOP packages, from the published schema and context."""

from __future__ import annotations

import json
from typing import Any

from generators.markdown import code, table
from osiris_core.report.aiop.fitting import MAPPINGS, MIN_CAP, ORDER
from osiris_core.report.aiop.package import PRIMER
from osiris_core.report.aiop.published import context, schema
from osiris_core.report.aiop.shortening import LEVELS

INTRODUCTION = """\
# AIOP

The AI Operation Package is one run for a model to read: `osiris logs aiop`
([how to](../how-to/hand-a-run-to-a-model.md), [why so](../adr/0023-aiop.md)). It is JSON-LD in canonical form: keys
sorted, no spaces, UTF-8, one line. The JSON Schema (2020-12) and the JSON-LD context are files of the core,
`osiris_core/report/aiop/schema.json` and `context.json`; this page is made from them.
[An example](../assets/aiop/flights.json) is the flights example cut to 16,000 bytes.

A model is told:
"""
LIMIT = """\
## What goes first

A package is at most `aiop.max_core_bytes` long, whatever the record holds; {least:,} is the least that can be asked
for. Sections are filled in this order, each with at most half of the room that is left, then once more with all of it.
What would not fit is given with texts of {levels} bytes, then with its first items; the first error in any case with
its code and the beginning of its message. While an error is left out, so is everything else.
"""
AFTER = """\
`evidence.milestones` are the events of the timeline that tell how the run went; they stand in `evidence.timeline`. Each
section of which something is missing has an entry in `metadata.cuts`.
"""


def page() -> str:
    """The page."""
    found = schema()
    filled = "\n".join(f"{n}. `{name}`{' (a mapping)' if name in MAPPINGS else ''}" for n, name in enumerate(ORDER, 1))
    primer = "\n".join(f"- {sentence}" for sentence in PRIMER)
    parts = [INTRODUCTION, primer, LIMIT.format(least=MIN_CAP, levels=_levels()), filled, AFTER, "## Layers"]
    for name, layer in found["properties"].items():
        if "properties" in layer:
            parts += [f"### {name}", layer.get("description", ""), _fields(layer)]
    parts.append("## Items")
    for name, item in sorted(found["$defs"].items()):
        for one in item.get("oneOf", [item]):
            if "properties" in one:
                parts += [f"### {_title(name, one)}", one.get("description", ""), _fields(one)]
    parts += ["## Context", f"```json\n{json.dumps(context(), indent=2)}\n```"]
    return "\n\n".join(part.strip() for part in parts if part)


def _levels() -> str:
    *some, last = (f"{level:,}" for level in LEVELS if level is not None)
    return f"{', '.join(some)} or {last}"


def _title(name: str, item: dict[str, Any]) -> str:
    kind = item["properties"].get("@type", {}).get("const")
    return str(kind or name)


def _fields(item: dict[str, Any]) -> str:
    rows = [(code(key), _type(one), one.get("description", "")) for key, one in item["properties"].items()]
    return table(("field", "type", ""), rows)


def _type(one: dict[str, Any]) -> str:
    if "$ref" in one:
        return str(one["$ref"]).rpartition("/")[2]
    if "const" in one:
        return code(one["const"])
    if "enum" in one:
        return ", ".join(map(code, one["enum"]))
    if "anyOf" in one:
        return " or ".join(map(_type, one["anyOf"]))
    kinds = one.get("type", "any")
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"list of {_type(one['items'])}" if "items" in one else str(text)
