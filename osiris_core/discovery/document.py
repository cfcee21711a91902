"""A discovery as a JSON document, and the document's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.discovery.relations import Relation
from osiris_core.model.schema import DIALECT, object_schema
from osiris_core.model.structure import unstructure
from osiris_core.spec.catalog import Sample, Table, TableProfile

if TYPE_CHECKING:
    from osiris_core.discovery.discover import Discovery, FoundTable


def document(found: Discovery) -> dict[str, Any]:
    """The document that ``osiris discover --json`` prints."""
    return {
        "ok": True,
        "connection": found.ref,
        "family": found.family,
        "discovered_at": found.made_at,
        "cached": found.cached,
        "complete": found.complete,
        "key": found.key,
        "fingerprint": found.fingerprint,
        "tables": [_table(one) for one in found.tables],
        "other_tables": list(found.others),
        "relations": [unstructure(one) for one in found.relations],
        "notes": list(found.notes),
    }


def _table(one: FoundTable) -> dict[str, Any]:
    return {
        **unstructure(one.table),
        "score": one.score,
        "profile": None if one.profile is None else unstructure(one.profile),
        "profile_cached": one.profile_cached,
        "stopped": one.stopped,
        "sample": None if one.sample is None else unstructure(one.sample),
    }


def document_schema() -> dict[str, Any]:
    """The JSON Schema of :func:`document`, made of the classes that it is made of."""
    table = object_schema(Table)
    table["properties"] |= {
        "score": {"description": "How well it fits the question of --about.", "type": ["number", "null"]},
        "profile": {"description": "What its rows are like.", "anyOf": [object_schema(TableProfile), {"type": "null"}]},
        "profile_cached": {"description": "Whether the profile was made earlier.", "type": "boolean"},
        "stopped": {"description": "Why the profile is not complete.", "type": ["string", "null"]},
        "sample": {"description": "Some of its rows.", "anyOf": [object_schema(Sample), {"type": "null"}]},
    }
    properties = {
        "ok": {"const": True},
        "connection": {"description": "The connection, as @family.alias.", "type": "string"},
        "family": {"description": "The connection's family.", "type": "string"},
        "discovered_at": {"description": "When the tables were listed.", "type": "string", "format": "date-time"},
        "cached": {"description": "Whether that was earlier than now.", "type": "boolean"},
        "complete": {"description": "Whether all tables could be listed in time.", "type": "boolean"},
        "key": {"description": "The digest under which the list of tables is kept.", "type": "string"},
        "fingerprint": {"description": "The digest of the schema that was found.", "type": "string"},
        "tables": {"description": "The tables.", "type": "array", "items": table},
        "other_tables": {
            "description": "The names of tables that were not asked for.",
            "type": "array",
            "items": {"type": "string"},
        },
        "relations": {
            "description": "What refers to what, as far as it concerns the tables.",
            "type": "array",
            "items": object_schema(Relation),
        },
        "notes": {"description": "What went less well.", "type": "array", "items": {"type": "string"}},
    }
    return {
        "$schema": DIALECT,
        "title": "What osiris discover found",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
