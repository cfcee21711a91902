"""Wishes that no pipeline meets, told by their words, before a small model is asked: it would propose something.

Only what cannot be meant otherwise is declined here: an order to change or delete data at its source, a request for
secrets or files of the machine, a place that the project has no connection to, an errand, orders to the model about
itself. What a wish quotes is a value and is not looked at. Nothing is safe because of this module: what a pipeline can
do is bounded by the lowering, the validator and the components. It saves the person a proposal that is not what was
asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTED: Final = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'(?!\w)|“[^”\n]*”|„[^“\n]*“|`[^`\n]*`")
_DESTROYS: Final = re.compile(
    r"(?:^|[.;:!]\s+|\b(?:please|and|then|to)\s+)"
    r"(?:drop|truncate|delete|erase|wipe|purge|alter)\s+(?:(?:all|every|the|our|any)\s+)*"
    r"(?:tables?|schemas?|databases?|everything)\b",
    re.IGNORECASE,
)
_STATEMENT: Final = re.compile(
    r"\b(?:(?:delete|erase|wipe|purge)\s+(?:all|every)\s+(?:the\s+)?(?:rows?|records?|data)\b|drop\s+(?:table|schema|database|view)|truncate\s+table|delete\s+from|alter\s+table|attach\s+')",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"\b(?:passwords?|credentials|secrets|api[ _-]?keys?|private\s+keys?|environment\s+variables?)\b|(?<!\w)\.env\b",
    re.IGNORECASE,
)
_MACHINE: Final = re.compile(
    r"(?<![\w/.])/(?:etc|proc|sys|root|home|var|usr|dev)/|\bread_(?:text|blob|csv|json)\w*\b", re.IGNORECASE
)
_ABOUT_ITSELF: Final = re.compile(
    r"\b(?:system\s+prompt|(?:ignore|forget|disregard)\s+(?:all\s+|any\s+)?(?:previous|prior|your|earlier)\s+"
    r"(?:instructions|rules|prompts))\b|</?(?:system|user|assistant)>",
    re.IGNORECASE,
)
_ERRAND: Final = re.compile(
    r"\A\W*(?:please\s+|can\s+you\s+|could\s+you\s+)?(?:book|buy|reserve|phone|call|e-?mail|text|remind|pay|wake)\b"
    r"\s+(?:me|us|him|her|them|my|our|a|an|the)\b",
    re.IGNORECASE,
)
_SYSTEMS: Final = (
    "athena", "bigquery", "cassandra", "clickhouse", "cosmos", "couchdb", "databricks", "dynamodb", "elasticsearch",
    "hubspot", "iceberg", "kafka", "mariadb", "mongodb", "mysql", "oracle", "postgres", "postgresql", "redis",
    "redshift", "salesforce", "sharepoint", "snowflake", "synapse", "tableau", "teradata", "trino",
)  # fmt: skip
_INTO: Final = re.compile(
    r"\b(?:into|in|to|onto)\s+(?:\w+\s+){0,3}?(?P<system>" + "|".join(_SYSTEMS) + r")\b", re.IGNORECASE
)


def declined(wish: str, *, families: Iterable[str]) -> str | None:
    """Why the wish is declined, in a sentence; None when it may be met. ``families`` are those of the project's
    connections.
    """
    said = _QUOTED.sub(" ", wish)
    if _ABOUT_ITSELF.search(said):
        return "I build data pipelines, and take no orders about how I work."
    if _SECRET.search(said):
        return "No pipeline reads passwords, keys or variables of the environment."
    if _MACHINE.search(said):
        return "A pipeline reads what the project's connections hold, and no other file of the machine."
    if _STATEMENT.search(said) or _DESTROYS.search(said):
        return "A pipeline reads its sources: nothing is deleted or changed there."
    if _ERRAND.search(said):
        return "That is nothing a pipeline does: it reads, computes and stores data."
    own = {one.lower() for one in families}
    for match in _INTO.finditer(said):
        system = match["system"].lower()
        if not any(system.startswith(one) or one.startswith(system) for one in own):
            return f"There is no connection to {match['system']}: put one into osiris_connections.yaml."
    return None
