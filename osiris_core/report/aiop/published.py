"""The published JSON-LD context and JSON Schema (2020-12) of a package: the two files beside this module."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

SCHEMA_ID: Final = "osiris://schema/aiop/1"
CONTEXT_FILE: Final = "context.json"
SCHEMA_FILE: Final = "schema.json"


@cache
def context() -> dict[str, Any]:
    """The JSON-LD context that every package carries."""
    found: dict[str, Any] = json.loads(_text(CONTEXT_FILE))["@context"]
    return found


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a package."""
    found: dict[str, Any] = json.loads(_text(SCHEMA_FILE))
    return found


@cache
def words() -> frozenset[str]:
    """The values that the schema names: they are in every package and tell no secret."""
    return frozenset(_words(schema()))


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _words(node: Any) -> set[str]:
    if isinstance(node, dict):
        named = {value for value in (node.get("const"), *node.get("enum", ())) if isinstance(value, str)}
        return named.union(*map(_words, node.values()))
    return set[str]().union(*map(_words, node)) if isinstance(node, list) else set()
