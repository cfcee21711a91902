from __future__ import annotations

import json
import re
import sys

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.diagnostics import (
    Diagnostic,
    Position,
    Severity,
    did_you_mean,
    has_errors,
    json_path,
    render,
)


def finding(source_line="", column=1, **changes):
    at = Position(file="p.yaml", line=12, column=column, source_line=source_line)
    return attrs.evolve(Diagnostic(code="OSR-OML-001", message="it is wrong", position=at), **changes)


def test_a_finding_renders_with_its_line_a_caret_and_the_remedy():
    made = finding("  mode: apend", 9, path=("steps", 0, "mode"), hint="did you mean 'append'?")
    assert render(made) == (
        "p.yaml:12:9: error[OSR-OML-001]: it is wrong (at $.steps[0].mode)\n"
        "  12 |   mode: apend\n"
        "     |         ^\n"
        "  = did you mean 'append'?"
    )


def test_a_finding_without_a_place_is_one_line():
    made = Diagnostic(code="OSR-X-1", message="odd", severity=Severity.WARNING)
    assert render(made) == "warning[OSR-X-1]: odd"


def caret_line(line, column):
    rendered = render(finding(line, column)).split("\n")
    assert rendered[2].startswith("     | ")
    return rendered[1].removeprefix("  12 | "), rendered[2].removeprefix("     | ")


@pytest.mark.parametrize(
    ("line", "column", "before"),
    [
        ("abc", 1, ""),
        ("abc", 4, "   "),
        ("\tabc", 2, "\t"),
        ("日本: x", 5, " " * 6),
        ("e\u0301: x", 3, " "),
        ("\x1b[0m x", 6, " " * 8),
    ],
)
def test_the_caret_stands_under_the_character(line, column, before):
    assert caret_line(line, column)[1] == before + "^"


def test_the_caret_at_the_end_of_the_line_is_shown_and_beyond_it_is_not():
    assert "^" in render(finding("abc", 4))
    assert "^" not in render(finding("abc", 5))


@given(st.integers(1, 1000))
def test_a_long_line_is_cut_around_the_place(column):
    line = "".join(chr(ord("a") + i % 26) for i in range(1000))
    shown, caret = caret_line(line, column)
    assert len(shown) <= 162
    assert shown[len(caret) - 1] == line[column - 1]


def test_json_has_every_key():
    assert finding("a: 1", 4, path=("a",), code="SAMPLE-001").to_json() == {
        "severity": "error",
        "code": "SAMPLE-001",
        "message": "it is wrong",
        "path": "$.a",
        "file": "p.yaml",
        "line": 12,
        "column": 4,
        "source": "a: 1",
        "hint": None,
    }
    bare = Diagnostic(code="OSR-X-1", message="odd").to_json()
    assert (bare["path"], bare["file"], bare["line"], bare["column"], bare["source"]) == ("$", None, None, None, None)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "$"),
        (("steps", 0, "config"), "$.steps[0].config"),
        (("a-b",), "$['a-b']"),
        (("a b", 3), "$['a b'][3]"),
        (("it's",), r"$['it\'s']"),
        (('say "hi"',), """$['say "hi"']"""),
        (("back\\slash\n",), r"$['back\\slash\n']"),
        (("",), "$['']"),
        (("0",), "$['0']"),
        (("\x00",), r"$['\u0000']"),
        (("été",), "$['été']"),
    ],
)
def test_paths_are_jsonpath(path, text):
    assert json_path(path) == text


def read_json_path(text):
    """The inverse, by the grammar of RFC 9535 (name shorthands, single-quoted names, indexes)."""
    parts = []
    rest = text.removeprefix("$")
    while rest:
        match = re.match(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]", rest, re.DOTALL)
        assert match, rest
        name, index, quoted = match.groups()
        if index is not None:
            parts.append(int(index))
        elif quoted is not None:
            escaped = re.sub(r'\\\'|"', lambda m: {"\\'": "'", '"': '\\"'}[m[0]], quoted)
            parts.append(json.loads(f'"{escaped}"'))
        else:
            parts.append(name)
        rest = rest[match.end() :]
    return tuple(parts)


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8")) | st.integers(min_value=0)).map(tuple))
def test_a_path_reads_back(path):
    assert read_json_path(json_path(path)) == path


@pytest.mark.parametrize(
    ("word", "candidates", "hint"),
    [
        ("delimter", ["delimiter", "path"], "did you mean 'delimiter'?"),
        ("xyz", ["delimiter", "path"], None),
        ("a", [], None),
        ("", ["a"], None),
    ],
)
def test_suggestions(word, candidates, hint):
    assert did_you_mean(word, candidates) == hint


def test_a_suggestion_does_not_depend_on_the_order_of_candidates():
    assert did_you_mean("cat", ["bat", "rat"]) == did_you_mean("cat", ["rat", "bat"])


@given(st.text(max_size=300), st.text(max_size=400), st.integers(1, 500))
def test_rendering_never_fails(message, line, column):
    made = finding(line.replace("\n", " "), column, message=message)
    assert render(made)
    json.dumps(made.to_json())


def test_only_errors_stop_a_command():
    warning = Diagnostic(code="X", message="m", severity=Severity.WARNING)
    assert not has_errors([])
    assert not has_errors([warning, attrs.evolve(warning, severity=Severity.INFO)])
    assert has_errors([warning, finding()])


def test_of_very_many_candidates_few_are_compared():
    def calls(count):
        counted = 0

        def note(_frame, event, _argument):
            nonlocal counted
            counted += event == "call"

        candidates = [f"step-{number}" for number in range(count)]
        sys.setprofile(note)
        try:
            hint = did_you_mean("step-150x", candidates)
        finally:
            sys.setprofile(None)
        assert hint == "did you mean 'step-150'?"
        return counted

    assert calls(10_000) < 2 * calls(200)


def test_a_finding_without_a_hint_shows_the_remedy_of_its_code():
    made = attrs.evolve(finding("x", 1), code="OSR-CON-004", hint=None)
    assert render(made).endswith("\n  = leave default: true on one of them")
    assert made.to_json()["hint"] == "leave default: true on one of them"


def test_the_place_follows_the_first_line_of_a_message():
    made = finding("x", 1, path=("query",), message='syntax error at "SELEC"\n\nLINE 1: SELEC 1\n        ^^^^^')
    assert render(made).splitlines()[:3] == [
        'p.yaml:12:1: error[OSR-OML-001]: syntax error at "SELEC" (at $.query)',
        "    LINE 1: SELEC 1",
        "            ^^^^^",
    ]
