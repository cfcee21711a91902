"""The entry module: what the plugin offers, and nothing that does it."""

from __future__ import annotations

OSIRIS_API = "1.0"
