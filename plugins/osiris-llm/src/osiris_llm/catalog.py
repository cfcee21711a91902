"""What ships about models, in ``catalog.json``: each service's default, prices where they are known, the day that the
service has announced as a model's last. A model that is not in it can be used like one that is.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from osiris_core.api import llm


def default_of(provider: str) -> str | None:
    """The model that is used when nobody names one."""
    found: str | None = _catalog().get(provider, {}).get("default")
    return found


def price_of(provider: str, model: str) -> llm.Price | None:
    """What ``model`` costs; None where the catalog does not know."""
    price = _entry(provider, model).get("price", "unknown")
    return None if price == "unknown" else llm.Price(**price)


def last_day_of(provider: str, model: str) -> str | None:
    """The day on which the service says that it will switch ``model`` off."""
    found: str | None = _entry(provider, model).get("retires")
    return found


def _entry(provider: str, model: str) -> dict[str, Any]:
    entry: dict[str, Any] = _catalog().get(provider, {}).get("models", {}).get(model, {})
    return entry


@cache
def _catalog() -> dict[str, Any]:
    text = files("osiris_llm").joinpath("catalog.json").read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(text)
    return made
