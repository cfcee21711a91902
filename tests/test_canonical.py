from __future__ import annotations

import enum
import hashlib
import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.canonical import canonical_json, digest, digest_bytes

texts = st.text(alphabet=st.characters(codec="utf-8"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
data = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


def shuffled(value, rng):
    if isinstance(value, dict):
        items = [(key, shuffled(item, rng)) for key, item in value.items()]
        rng.shuffle(items)
        return dict(items)
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def same(a, b):
    """Equality that tells 1, 1.0 and True apart, and -0.0 from 0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))


@given(data)
def test_it_reads_back_as_the_same_data(value):
    assert same(json.loads(canonical_json(value)), value)


@given(data, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value, rng):
    assert canonical_json(shuffled(value, rng)) == canonical_json(value)
    assert digest(shuffled(value, rng)) == digest(value)


@given(data, data)
def test_different_data_has_a_different_form(a, b):
    assert (canonical_json(a) == canonical_json(b)) == same(a, b)


@given(data)
def test_a_form_has_no_insignificant_characters_and_is_utf_8(value):
    text = canonical_json(value)
    assert "\n" not in text
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == text
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1, "a": [True, None, 1.5, "x"]}, '{"a":[true,null,1.5,"x"],"b":1}'),
        ({"é": 1, "z": 2, "Z": 3}, '{"Z":3,"z":2,"é":1}'),
        ({"\U00010000": 1, "\uffff": 2}, '{"\uffff":2,"\U00010000":1}'),
        ((1, 2), "[1,2]"),
        (2**70, "1180591620717411303424"),
        (1.0, "1.0"),
        (1, "1"),
        (-0.0, "-0.0"),
        (1e16, "1e+16"),
        (0.1, "0.1"),
        ('\u2028\x00"\\/', '"\u2028\\u0000\\"\\\\/"'),
        ({}, "{}"),
    ],
)
def test_the_form_is_this(value, form):
    assert canonical_json(value) == form


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"},
        {None: 1},
        {True: 1},
        {"a": {1.5: 2}},
        {1, 2},
        b"x",
        object(),
        [1j],
        Colour.RED,
        [Level.LOW],
        {"a": ...},
    ],
)
def test_what_is_not_plain_data_is_a_type_error(value):
    with pytest.raises(TypeError):
        canonical_json(value)


def test_keys_that_are_text_and_another_kind_are_a_type_error():
    with pytest.raises(TypeError):
        canonical_json({"a": 1, 1: 2})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], "\ud800", {"\udfff": 1}])
def test_what_has_no_json_text_is_a_value_error(value):
    with pytest.raises(ValueError):
        canonical_json(value)


def test_data_that_contains_itself_is_a_value_error():
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        canonical_json(loop)


def test_hash_seed_and_locale_change_nothing():
    code = (
        "from osiris_core.canonical import digest;"
        "print(digest({k: {k + 'x', k}.__len__() for k in ['é', 'b', 'a', 'Z', '1']}))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "LC_ALL": locale, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale in [("0", "C"), ("1", "tr_TR.UTF-8"), ("12345", "C.UTF-8")]
    }
    assert len(outputs) == 1


@given(st.binary())
def test_a_digest_is_the_sha_256_in_hexadecimal(content):
    assert digest_bytes(content) == hashlib.sha256(content).hexdigest()
