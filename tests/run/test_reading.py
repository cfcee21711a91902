"""Which lines of a record are believed to be JSON."""

from __future__ import annotations

import pytest

from osiris_core.report.reader import read_lines
from osiris_core.run.reading import mapping_of


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_line_with_a_number_that_json_does_not_have_is_a_damaged_one(tmp_path, number):
    assert mapping_of(b'{"a": [{"b": %s}]}' % number.encode()) is None
    (tmp_path / "metrics.jsonl").write_text(f'{{"value": {number}}}\n{{"value": 1.5e3}}\n')
    lines = read_lines(tmp_path / "metrics.jsonl")
    assert (lines.lines, lines.damaged) == (({"value": 1500.0},), 1)
