"""What holds of every document: found by search, not by example."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from osiris_core.diagnostics import render
from osiris_core.errors import InvalidInput
from osiris_core.model.yaml import dump, load

printable = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff\uffff\ufffe"
)
texts = st.text(alphabet=printable | st.sampled_from("\n\t :#-'\"{}[]&*!|>%@`,?0123456789.eExo~"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
keys = texts.filter(lambda key: len(key) < 200)
data = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=25)


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@given(data)
def test_what_is_written_reads_back_with_its_order(value):
    text = dump(value)
    assert same(load(text, file="p").data, value)
    assert dump(value) == text
    assert text.endswith("\n")


@given(data)
def test_a_yaml_1_1_reader_reads_the_same(value):
    assert same(yaml.safe_load(dump(value)), value)


@given(data)
def test_json_is_yaml(value):
    text = json.dumps(value)
    if "\\ud8" not in text and "\\ud9" not in text and "\\uda" not in text and "\\udb" not in text:
        assert same(load(text, file="p").data, value)


def paths(value, path=()):
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


@given(data)
def test_every_position_is_where_the_value_is_written(value):
    text = dump(value)
    document = load(text, file="p")
    lines = text.split("\n")
    for path, item in paths(value):
        at = document.position(path)
        rest = lines[at.line - 1][at.column - 1 :]
        if isinstance(item, dict | list) and item:
            assert rest.startswith("-" if isinstance(item, list) else dump({next(iter(item)): None})[:1])
        else:
            assert rest == dump(item).split("\n")[0] or rest.startswith("|")
        if path and isinstance(path[-1], str):
            at_key = document.position(path, key=True)
            after = lines[at_key.line - 1][at_key.column - 1 :]
            written = dump({path[-1]: None}).removesuffix(" null\n")
            assert after.startswith(written)


pieces = st.sampled_from(
    ["a", "b:", ": ", "- ", "\n", "  ", "\t", "{", "}", "[", "]", ",", "'", '"', "#", "&x ", "*x", "!t ", "|", ">", "? ",
     "---\n", "...\n", "%YAML 1.2\n", "1", ".5", "0x", "~", "\r\n", "\\", "é", "日", "🚀", "\x00", "\ufeff", "<<", "${A}"]
)  # fmt: skip
wild = st.lists(pieces, max_size=30).map("".join) | st.text(max_size=60)


@settings(max_examples=500)
@given(wild)
@example("? - : [")
def test_any_text_is_data_or_a_finding_at_a_place_that_exists(text):
    try:
        document = load(text, file="p")
    except InvalidInput as error:
        body = text.removeprefix("\ufeff")
        lines = re.split(r"\r\n|\r|\n", body)
        for found in error.diagnostics or pytest.fail("an error without a finding"):
            at = found.position
            assert 1 <= at.line <= len(lines)
            assert 1 <= at.column <= len(lines[at.line - 1]) + 2
            assert at.source_line == lines[at.line - 1]
            assert render(found)
    else:
        json.dumps(document.data, allow_nan=False)
        for path, _ in paths(document.data):
            assert document.position(path).line <= text.count("\n") + text.count("\r") + 1


@settings(max_examples=500)
@given(st.lists(pieces, max_size=20).map("".join))
def test_texts_and_nesting_are_those_of_an_independent_reader(text):
    """PyYAML's own composer over its pure-Python scanner, with every scalar as text."""
    try:
        ours = load(text, file="p").data
    except InvalidInput:
        return
    try:
        theirs = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:  # it refuses some tabs that are separation by the specification
        return
    assert skeleton(ours) == skeleton(theirs)


def skeleton(value):
    if isinstance(value, dict):
        return {key: skeleton(item) for key, item in value.items()}
    if isinstance(value, list):
        return [skeleton(item) for item in value]
    return value if isinstance(value, str) and not re.fullmatch(r"[-+.0-9a-zA-Z~]*", value) else "scalar"


number_like = st.text(alphabet="0123456789+-._eExob:~nulltrufas", max_size=12)


@settings(max_examples=500)
@given(number_like)
def test_plain_scalars_follow_the_productions_of_the_core_schema(text):
    """Written from section 10.3.2 of the specification, as one ordered table."""
    table = [
        (r"null|Null|NULL|~|", lambda _: None),
        (r"true|True|TRUE", lambda _: True),
        (r"false|False|FALSE", lambda _: False),
        (r"[-+]?[0-9]+", int),
        (r"0o[0-7]+", lambda t: int(t, 0)),
        (r"0x[0-9a-fA-F]+", lambda t: int(t, 0)),
        (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    ]
    expected = next((make(text) for pattern, make in table if re.fullmatch(pattern, text)), text)
    if expected in (float("inf"), float("-inf")):
        with pytest.raises(InvalidInput):
            load(f"[{text}]", file="p")
        return
    try:
        data = load(f"- {text}\n", file="p").data
    except InvalidInput:  # structure, such as '- ' or ': '
        assert re.search(r"(^|[ -])[-:?]( |$)|:( |$)|^[-?:]", text) or text.startswith(("---", "..."))
        return
    if isinstance(data[0], str | int | float | None):
        assert repr(data[0]) == repr(expected)


WRITTEN = [
    ("", '""\n'),
    ("abc", "abc\n"),
    ("a b", "a b\n"),
    ("yes", '"yes"\n'),
    ("No", '"No"\n'),
    ("null", '"null"\n'),
    ("1", '"1"\n'),
    ("0x1f", '"0x1f"\n'),
    ("a: b", '"a: b"\n'),
    ("a #b", '"a #b"\n'),
    ("@mysql.main", '"@mysql.main"\n'),
    ("é", '"é"\n'),
    ("tab\there", '"tab\\there"\n'),
    ("\x1b\x85\u2028\ufeff", '"\\u001b\\x85\\u2028\\ufeff"\n'),
    ("SELECT 1\nFROM t\n", "|\n  SELECT 1\n  FROM t\n"),
    ("a\nb", "|-\n  a\n  b\n"),
    (" a\nb", '" a\\nb"\n'),
    ("a\n\n", '"a\\n\\n"\n'),
    (None, "null\n"),
    (True, "true\n"),
    (-3, "-3\n"),
    (1e16, "1.0e+16\n"),
    (0.5, "0.5\n"),
    ({}, "{}\n"),
    ([], "[]\n"),
    ((), "[]\n"),
    ({"a": {"b": [1, {"c": [], "d": None}]}, "n": 1}, 'a:\n  b:\n    - 1\n    - c: []\n      d: null\n"n": 1\n'),
    ([[1, 2], []], "- - 1\n  - 2\n- []\n"),
    ({"steps": [{"id": "x", "query": "a\nb\n"}]}, "steps:\n  - id: x\n    query: |\n      a\n      b\n"),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_the_text_written_is_this(value, text):
    assert dump(value) == text


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", nested(65)])
def test_what_yaml_cannot_hold_is_a_value_error(value):
    with pytest.raises(ValueError):
        dump(value)


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {"a": object()}, b"x", {"a": {1, 2}}])
def test_what_is_not_plain_data_is_a_type_error(value):
    with pytest.raises(TypeError):
        dump(value)


def test_sixty_four_levels_are_written_and_read():
    assert load(dump(nested(64)), file="p").data == nested(64)


def test_a_long_text_is_judged_in_linear_time():
    assert dump("a" * 500_000 + "!").startswith('"aaa')
    assert dump("a-" * 250_000).startswith('"a-a')
