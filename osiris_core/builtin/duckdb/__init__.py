"""The built-in DuckDB plugin: SQL over rows, and tables of DuckDB files. This is its entry module."""

from __future__ import annotations

from osiris_core.builtin.duckdb.spec import (
    OSIRIS_API,
    osiris_components,
    osiris_connections,
    osiris_discoverers,
    osiris_drivers,
    osiris_validate_pipeline,
)

__all__ = [
    "OSIRIS_API",
    "osiris_components",
    "osiris_connections",
    "osiris_discoverers",
    "osiris_drivers",
    "osiris_validate_pipeline",
]
