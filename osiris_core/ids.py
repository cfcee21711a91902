"""Identifiers that Osiris makes or accepts, and the shapes they have."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

STEP_ID = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*\Z")
"""A step id or pipeline name: lower case, digits, single ``-`` or ``_`` between; at most 63 characters."""

MAX_NAME = 63

CONNECTION_REF = re.compile(r"@(?P<family>[a-z][a-z0-9_]*)\.(?P<alias>[a-z][a-z0-9_-]*)\Z")
"""A reference to a connection: ``@family.alias``."""

COMPONENT_NAME = re.compile(r"(?P<plugin>[a-z][a-z0-9]*(?:_[a-z0-9]+)*)\.(?P<role>[a-z][a-z0-9_]*)\Z")
"""A component's name: ``family.role``; the family is the id of the plugin that provides it."""

SESSION_ID = re.compile(r"(?P<kind>[a-z]{1,32})_(?P<time>\d{8}T\d{6}\d{6}Z)_(?P<random>[0-9a-f]{8})\Z")
"""A session's id, which is also its folder's name."""


def is_name(text: str) -> bool:
    """Whether ``text`` may name a pipeline or a step."""
    return len(text) <= MAX_NAME and STEP_ID.match(text) is not None


def input_name(step_id: str) -> str:
    """The SQL identifier under which a step's rows are visible to the next step (``-`` becomes ``_``)."""
    return step_id.replace("-", "_")


def new_session_id(kind: str, now: datetime | None = None) -> str:
    """A session id: kind, UTC time to the microsecond, 32 random bits. Sorts by time within a kind."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{kind}_{moment.strftime('%Y%m%dT%H%M%S%fZ')}_{secrets.token_hex(4)}"
