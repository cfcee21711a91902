"""Whatever is written as JSON can be read by whoever knows JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from osiris_core.run.reading import mapping_of
from osiris_core.strict_json import strict_json

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


def refused(constant):
    raise AssertionError(f"{constant} is no JSON")


@given(value=values, indent=st.sampled_from([None, 2]))
def test_what_is_written_is_json_and_can_be_read_back(value, indent):
    text = strict_json({"value": value}, indent=indent)
    read = json.loads(text, parse_constant=refused)
    assert mapping_of(text.encode("utf-8", "surrogatepass")) == read


def test_what_is_finite_stays_and_what_is_not_becomes_text():
    assert json.loads(strict_json([1.5, float("nan"), float("-inf")])) == [1.5, "nan", "-inf"]
