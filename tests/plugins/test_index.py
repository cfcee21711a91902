"""Whatever stands in a distribution's metadata, the index reads it without harm."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osiris_core.plugins.index import MAX_SHOWN, PLUGIN_ID, distribution_for, index, normalized

TEXT = st.text(st.characters(codec="utf-8"), max_size=80)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=TEXT | st.binary(max_size=80), metadata=TEXT | st.binary(max_size=80))
def test_metadata_of_any_content_is_read(on_path, points, metadata):
    info = on_path.folder / "osiris_odd-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_bytes(metadata if isinstance(metadata, bytes) else metadata.encode())
    lines = points if isinstance(points, bytes) else points.encode()
    (info / "entry_points.txt").write_bytes(b"[osiris.plugins.v1]\n" + lines)
    found = index()
    assert {"duckdb", "env", "local"} <= {entry.id for entry in found}
    for entry in found:
        usable = PLUGIN_ID.match(entry.id) and all(part.isidentifier() for part in entry.module.split("."))
        assert usable or entry.problem
        for text in (entry.id, entry.module, entry.distribution, entry.version, entry.problem or ""):
            assert "\x1b" not in text
            assert "\n" not in text
            text.encode()
        assert len(entry.id) <= MAX_SHOWN * 6  # each character may have become an escape of six


@pytest.mark.parametrize(
    ("name", "form"),
    [("Osiris_MySQL", "osiris-mysql"), ("osiris.e2b", "osiris-e2b"), ("osiris--x__y", "osiris-x-y")],
)
def test_names_of_distributions_are_compared_in_normal_form(name, form):
    assert normalized(name) == form


def test_the_distribution_of_a_family():
    assert distribution_for("mysql") == "osiris-mysql"
    assert distribution_for("my_sql") == "osiris-my-sql"
