"""A manifest meets what is installed."""

from __future__ import annotations

import attrs
import pytest

from osiris_core.compile.installed import check_installed, plugins_of


def repinned(manifest, **changes):
    return attrs.evolve(manifest, pins=(attrs.evolve(manifest.pins[0], **changes), *manifest.pins[1:]))


def test_as_compiled(shop):
    manifest = shop.compile()
    assert check_installed(manifest, shop.registry) == []
    assert plugins_of(manifest) == {"duckdb"}


@pytest.mark.parametrize(
    ("changes", "code", "error", "message"),
    [
        (
            {"name": "oracle.extractor", "distribution": "osiris-oracle", "distribution_version": "2.0"},
            "OSR-CMP-010",
            True,
            "component 'oracle.extractor' is not installed (compiled with osiris-oracle 2.0)",
        ),
        (
            {"version": "2.1.0"},
            "OSR-CMP-011",
            True,
            "the manifest was compiled for duckdb.extractor 2.1.0; osiris-core 0.1.0 has 1.0.0",
        ),
        ({"version": "1.9.0"}, None, False, ""),
        (
            {"config_schema": "0" * 64},
            "OSR-CMP-012",
            True,
            "duckdb.extractor of osiris-core 0.1.0 takes another config than the one the manifest was compiled for",
        ),
        (
            {"distribution_version": "0.0.9"},
            "OSR-CMP-013",
            False,
            "duckdb.extractor comes from osiris-core 0.1.0; compiled with osiris-core 0.0.9",
        ),
    ],
)
def test_what_differs(shop, changes, code, error, message):
    found = check_installed(repinned(shop.compile(), **changes), shop.registry)
    assert [(item.code, item.is_error, item.message) for item in found] == ([(code, error, message)] if code else [])
