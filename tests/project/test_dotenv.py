from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.errors import InvalidInput
from osiris_core.project.dotenv import parse


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", "b"),
        ("A = b ", "b"),
        ("\tA=b", "b"),
        ("export A=b", "b"),
        ("export\tA=b", "b"),
        ("A=", ""),
        ("A=''", ""),
        ('A=""', ""),
        ("A= # nothing", ""),
        ("A=b # comment", "b"),
        ("A=b\t# comment", "b"),
        ("A=b#no-comment", "b#no-comment"),
        ("A=#no-comment", "#no-comment"),
        ("A=b # it's a comment", "b"),
        ("A=two  words", "two  words"),
        ("A=p@ss/+&<x>\\1", "p@ss/+&<x>\\1"),
        ("A=cost$5", "cost$5"),
        ("A=a=b", "a=b"),
        ("A='x # y' # z", "x # y"),
        ("A='${B}'", "${B}"),
        ("A='back\\slash'", "back\\slash"),
        ("A='say \"hi\"'", 'say "hi"'),
        ('A="it\'s"', "it's"),
        (r'A="q\"q \\ \$x \n\r\t"', 'q"q \\ $x \n\r\t'),
        (r'A="\${B}"', "${B}"),
        ("A=b\r", "b"),
        ("Ünï=1\nA=b", None),
        ("A=grüße", "grüße"),
    ],
)
def test_values(line, expected):
    if expected is None:
        with pytest.raises(InvalidInput):
            parse(line, file=".env")
    else:
        assert parse(line, file=".env")["A"] == (expected, 1)


def test_blank_lines_and_comments_are_skipped_and_lines_counted():
    assert parse("\n# c\n  # d\nA=1\r\n\nB=2\n", file=".env") == {"A": ("1", 4), "B": ("2", 6)}


SECRET = "hunter2hunter2"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (SECRET, "expected NAME=value"),
        (f"1A={SECRET}", "expected NAME=value"),
        (f"A B={SECRET}", "expected NAME=value"),
        (f"={SECRET}", "expected NAME=value"),
        (f"A-B={SECRET}", "expected NAME=value"),
        (f"A: {SECRET}", "expected NAME=value"),
        (f"A='{SECRET}", "the single quote is not closed on its line"),
        (f'A="{SECRET}', "the double quote is not closed on its line; write a line break as \\n"),
        (f'A="{SECRET}\\"', "the double quote is not closed on its line; write a line break as \\n"),
        (f"A='{SECRET}'x", "text follows the closing quote of A"),
        (f'A="{SECRET}"{SECRET}', "text follows the closing quote of A"),
        (f"A={SECRET}'s", "a quote stands inside an unquoted value; quote the whole value"),
        (f'A={SECRET}"', "a quote stands inside an unquoted value; quote the whole value"),
        (
            f"A=${{B}}{SECRET}",
            "nothing is interpolated here; put the value between single quotes if '${' is meant as text",
        ),
        (
            f'A="${{B}}{SECRET}"',
            "nothing is interpolated here; put the value between single quotes if '${' is meant as text",
        ),
        (f'A="{SECRET}\\q"', 'unknown escape after a backslash; known are \\\\ \\" \\$ \\n \\r \\t'),
        (f"A={SECRET}\x00", "a control character stands in the line"),
        (f"A={SECRET}\x1b[2J", "a control character stands in the line"),
        (f"A=1\nA={SECRET}", "A is already set in line 2"),
    ],
)
def test_every_mistake_has_its_message_and_line_and_shows_no_value(line, message):
    with pytest.raises(InvalidInput) as caught:
        parse(f"# first\n{line}", file="sub/.env")
    (finding,) = caught.value.diagnostics
    assert finding.message == message
    assert (finding.position.file, finding.position.line) == ("sub/.env", 2 + line.count("\n"))
    assert finding.position.source_line == ""
    assert SECRET not in f"{caught.value} {caught.value.diagnostics} {caught.value.hint}"
    assert caught.value.exit_code == 2


def test_all_mistakes_of_a_file_are_reported():
    with pytest.raises(InvalidInput) as caught:
        parse("x\nA=1\ny\nA=2\n", file=".env")
    assert [finding.position.line for finding in caught.value.diagnostics] == [1, 3, 4]
    assert ".env has 3 lines that cannot be used" in str(caught.value)


_values = st.text(st.characters(exclude_categories=("Cs", "Cc")))


@given(_values.filter(lambda text: "'" not in text))
def test_any_text_without_a_single_quote_can_be_single_quoted(text):
    assert parse(f"A='{text}' # x", file=".env")["A"].value == text


@given(_values)
def test_any_text_can_be_double_quoted(text):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse(f'export A="{quoted}"', file=".env")["A"].value == text


@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(InvalidInput):
        parse(text, file=".env")


def test_long_lines_take_linear_time():
    assert len(parse("A=x" + " " * 900_000 + "y", file=".env")["A"].value) == 900_002


def test_each_mistake_has_its_code():
    with pytest.raises(InvalidInput) as caught:
        parse("A=1\nA=2\noops\n", file=".env")
    assert [finding.code for finding in caught.value.diagnostics] == ["OSR-SET-011", "OSR-SET-010"]
