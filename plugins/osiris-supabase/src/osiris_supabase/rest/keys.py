"""What an API key says of itself; nothing here proves it."""

from __future__ import annotations

import base64
import binascii
import json

from osiris_core.api import Secret, SecretStr


def revealed(key: Secret | None) -> str:
    """The text of a key that the executor has resolved."""
    if not isinstance(key, SecretStr):
        raise TypeError("the key is no resolved secret")
    return key.reveal()


def role_of(key: Secret | None) -> str:
    """``secret`` for a key that row level security does not bind, else the role: ``anon``, ``authenticated``, …"""
    text = revealed(key)
    if text.startswith("sb_publishable_"):
        return "anon"
    parts = text.split(".")
    if len(parts) != 3:
        return "secret"
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        role = str(payload.get("role", "unknown"))
    except (binascii.Error, ValueError, AttributeError, RecursionError):
        return "unknown"
    return "secret" if role == "service_role" else role
