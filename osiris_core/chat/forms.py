"""The forms that the model fills in. They are closed: what has no field cannot be said.

Only the first, before discovery, has a field for a question. The classes say what a reply must be; the JSON Schemas for
the providers are made of them, with the names that are there at that moment as enumerations, within what every
provider's strict mode takes (each property required, objects closed, no default, no recursion, no union).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from osiris_core.diagnostics import Diagnostic
from osiris_core.display import well_formed
from osiris_core.model.fields import config, field
from osiris_core.model.schema import object_schema
from osiris_core.model.structure import structure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")

NO_JSON: Final = "OSR-CHAT-001"
_KEPT: Final = frozenset({"type", "description", "properties", "items", "enum", "required", "additionalProperties"})

UNSAID: Final = "unsaid"
"""The destination of a wish that names none."""


@config
class Intent:
    """What the person wants"""

    kind: Literal["pipeline", "other"] = field(
        doc="'pipeline' when data is to be read, computed, shown or stored; 'other' when it is about anything else."
    )
    goal: str = field(doc="The wish in one sentence, complete.", max_length=2000)
    connections: tuple[str, ...] = field(doc="Where the data is; empty when it may be anywhere.")
    destination: str = field(doc="Where the result goes.")
    question: str = field(
        doc="The one question without whose answer source or outcome cannot be known; empty otherwise.",
        max_length=500,
    )
    answer: str = field(
        doc="For 'other': what to tell the person, in one or two sentences; else empty.", max_length=2000
    )


@config
class Transform:
    """A query over tables and earlier transforms"""

    id: str = field(doc="Its name: small letters, digits, _.")
    sql: str = field(doc="One SELECT in DuckDB's dialect over the tables given and the transforms before.")


@config
class Output:
    """Rows that are stored"""

    source: str = field(doc="The id of a transform, or the name of a table.")
    destination: str = field(doc="Where they go.")
    target: str = field(doc="The table's name, or for files the path.")
    mode: str = field(doc="What happens to rows that are there: 'replace', 'append', or 'upsert' by key.")
    key: tuple[str, ...] = field(doc="For 'upsert' the columns that identify a row; else empty.")


@config
class Plan:
    """A pipeline as the model proposes it"""

    name: str = field(doc="A short name for the pipeline: small letters, digits, _.")
    transforms: tuple[Transform, ...] = field(doc="The computation, in order.")
    outputs: tuple[Output, ...] = field(doc="What is stored.")
    assumptions: tuple[str, ...] = field(doc="What was decided where the wish left it open, a sentence each.")
    more_tables: tuple[str, ...] = field(doc="Names of further tables that are needed; empty when those given do.")
    impossible: str = field(
        doc="Empty when the wish can be met with the tables given. Else why not, in a sentence.", max_length=1000
    )


RESULT: Final = "result"
"""The id of the only transform of a plan that is made of a query."""


@config
class Query:
    """A small model's answer"""

    missing: str = field(
        doc="What the wish asks for that no column holds; empty when the tables have it all.", max_length=1000
    )
    sql: str = field(doc="One SELECT in DuckDB's dialect over the tables given; empty when something is missing.")


def schema_of(cls: type, enums: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The schema of a form for a provider; ``enums`` are the values of fields by their names, at any depth."""
    return _strict(object_schema(cls), enums)


def _strict(schema: Mapping[str, Any], enums: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    made = {key: value for key, value in schema.items() if key in _KEPT}
    if "properties" in made:
        made["properties"] = {name: _named(name, part, enums) for name, part in made["properties"].items()}
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    if "items" in made:
        made["items"] = _strict(made["items"], enums)
    return made


def _named(name: str, schema: Mapping[str, Any], enums: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    made = _strict(schema, enums)
    values = list(enums.get(name, ()))
    if not values:
        return made
    if made["type"] == "array":
        return {**made, "items": {"type": "string", "enum": values}}
    return {**made, "enum": values}


def read_form(cls: type[T], text: str) -> tuple[T | None, list[Diagnostic]]:
    """The form that a reply holds, or None and what is wrong with it."""
    try:
        # An escape in JSON can be half of a character, which could be neither kept nor sent.
        data = json.loads(well_formed(json.dumps(json.loads(text), ensure_ascii=False)))
    except (ValueError, RecursionError) as error:
        said = f"the reply is not JSON: {error}" if text.strip() else "the reply is empty"
        return None, [Diagnostic(code=NO_JSON, message=said)]
    return structure(cls, data)
