from __future__ import annotations

import pytest

from osiris_core.diagnostics import Position, render
from osiris_core.errors import ExitCode, InvalidInput
from osiris_core.model.yaml import MAX_BYTES, load, load_bytes, load_file


def findings(text):
    with pytest.raises(InvalidInput) as caught:
        load(text, file="p.yaml")
    return caught.value.diagnostics


MISTAKES = [
    # the text, code, line, column, message, hint
    pytest.param(
        "connection: @mysql.main\n",
        ("001", 1, 13, "'@' cannot start a text without quotes", 'put the value in quotes: "@mysql.main"'),
        id="unquoted connection",
    ),
    pytest.param(
        'a: `b "c"`\n',
        ("001", 1, 4, "'`' cannot start a text without quotes", "put the value in quotes: '`b \"c\"`'"),
        id="backtick",
    ),
    pytest.param(
        "a: %\n",
        ("001", 1, 4, "'%' cannot start a text without quotes", 'put the value in quotes: "%"'),
        id="percent",
    ),
    pytest.param(
        "query: SELECT a: b\n",
        (
            "001",
            1,
            16,
            "a ':' that cannot start a value here",
            "check the indentation of this line and the one above; quote a text that contains ': '",
        ),
        id="colon in a text",
    ),
    pytest.param(
        "a: 1\n  b: 2\n",
        (
            "001",
            2,
            4,
            "a ':' that cannot start a value here",
            "check the indentation of this line and the one above; quote a text that contains ': '",
        ),
        id="indented under a value",
    ),
    pytest.param(
        "id:load\nmode: read\n",
        ("001", 1, 3, "a ':' without a space after it starts no value", "write 'id: load'"),
        id="no space after the first colon",
    ),
    pytest.param(
        "steps:\n  - id: a\n    mode:read\n",
        ("001", 3, 9, "a ':' without a space after it starts no value", "write 'mode: read'"),
        id="no space after a later colon",
    ),
    pytest.param(
        "a: 1\nnot a key\n",
        (
            "001",
            2,
            1,
            "this line is neither 'key: value' nor part of the value above",
            "a key needs ': ' (colon and space) after it; lines of a longer text are indented deeper than their key",
        ),
        id="a line without a key",
    ),
    pytest.param(
        "a:\n\tb: 1\n",
        ("001", 2, 1, "a tab in the indentation; YAML indents with spaces", "replace each tab with spaces"),
        id="tab",
    ),
    pytest.param(
        "a:\n  b: 1\n  \tc: 1\n",
        ("001", 3, 3, "a tab in the indentation; YAML indents with spaces", "replace each tab with spaces"),
        id="tab after spaces",
    ),
    pytest.param(
        "a: [1, 2\nb: 3\n",
        (
            "001",
            2,
            2,
            "a ',' or ']' is missing before this; the list starts at line 1, column 4",
            "close the list, or quote a text that starts with '['",
        ),
        id="open list",
    ),
    pytest.param(
        "a: {b: 1\n",
        (
            "001",
            2,
            1,
            "a ',' or '}' is missing before this; the mapping starts at line 1, column 4",
            "close the mapping, or quote a text that starts with '{'",
        ),
        id="open mapping",
    ),
    pytest.param(
        "name: 'x\nsteps: []\n",
        (
            "001",
            1,
            7,
            "the quote that opens here is never closed",
            "close it; a quote inside a text is doubled ('it''s') or escaped (\"say \\\"hi\\\"\")",
        ),
        id="open quote",
    ),
    pytest.param(
        'name: "x\n---\n"',
        ("001", 1, 7, "the quote that opens here is still open at the '---' or '...' below", "close the quote"),
        id="quote over documents",
    ),
    pytest.param(
        "a: 'it's'\n",
        (
            "001",
            1,
            8,
            "text after the closing quote",
            "quote the whole value; a quote inside it is doubled ('it''s') or escaped (\"say \\\"hi\\\"\")",
        ),
        id="quote inside quotes",
    ),
    pytest.param(
        "a: [b] c\n",
        (
            "001",
            1,
            8,
            "text after the closing bracket",
            "put the value in quotes, or a longer text under 'key: |'",
        ),
        id="text after a list",
    ),
    pytest.param(
        "steps:\n  - id: a\n   mode: b\n",
        (
            "001",
            3,
            4,
            "this does not belong to the list that starts at line 2, column 3",
            "every item of that list starts with '- ' in the same column; compare its indentation with the lines above",
        ),
        id="indented by one too many",
    ),
    pytest.param(
        "a:\n  b: 1\n c: 2\n",
        (
            "001",
            3,
            2,
            "this does not belong to the mapping that starts at line 1, column 1",
            "compare its indentation with the lines above",
        ),
        id="indented by one too few",
    ),
    pytest.param(
        ": x\n",
        ("001", 1, 1, "a key is missing before this ':'", "write the key, or quote a text that starts with ':'"),
        id="no key",
    ),
    pytest.param(
        "a: - b\n",
        ("001", 1, 4, "a list item ('- ') that cannot start here", "start the list on the line after its key"),
        id="list on the key's line",
    ),
    pytest.param(
        "a: ? b\n",
        (
            "001",
            1,
            4,
            "a key ('? ') that cannot start here",
            "compare its indentation with the lines above",
        ),
        id="question mark",
    ),
    pytest.param(
        "a: }\n",
        ("001", 1, 4, "a value is missing here", "put the value in quotes, or a longer text under 'key: |'"),
        id="closing bracket only",
    ),
    pytest.param(
        r'a: "C:\data"',
        (
            "001",
            1,
            7,
            "a backslash before a character that needs none",
            "double the backslash (\"C:\\\\data\"), or use single quotes ('C:\\data')",
        ),
        id="windows path",
    ),
    pytest.param(
        r'a: "\xg0"',
        ("001", 1, 7, "an escape with too few hexadecimal digits", "\\x takes 2 digits, \\u 4, \\U 8"),
        id="short escape",
    ),
    pytest.param(
        r'a: "\ud83d"',
        (
            "001",
            1,
            7,
            "an escape that is no Unicode character",
            "write a character beyond U+FFFF as one escape: \\U0001F600",
        ),
        id="surrogate escape",
    ),
    pytest.param(
        "a: | text\n",
        ("001", 1, 6, "text where the line must end", "after '|' or '>' the text starts on the next line"),
        id="text after the bar",
    ),
    pytest.param(
        "a: *\n",
        (
            "001",
            1,
            4,
            "'*' and '&' start an alias or anchor, which have no name here and are not allowed",
            "put the value in quotes, or a longer text under 'key: |'",
        ),
        id="star",
    ),
    pytest.param(
        "a: 1\n...\nb: 2\n",
        (
            "001",
            3,
            1,
            "text after the end of the document",
            "one value stands at the top of a file, usually a mapping; check the indentation of this line",
        ),
        id="after the end",
    ),
    pytest.param(
        "%YAML 2.0\n---\na: 1\n",
        ("001", 1, 1, "a %YAML directive of another version", "remove the line"),
        id="yaml 2",
    ),
    pytest.param(
        "%FOO\n---\na: 1\n",
        ("001", 1, 1, "an unknown directive", "remove the line, or quote a text that starts with '%'"),
        id="unknown directive",
    ),
    pytest.param(
        "a: !x!y z\n",
        (
            "001",
            1,
            4,
            "a tag that nobody defined; tags are not allowed",
            "put the value in quotes, or a longer text under 'key: |'",
        ),
        id="undefined tag",
    ),
    pytest.param(
        "k" * 1030 + ": 1\n",
        (
            "001",
            1,
            1031,
            "a key of more than 1024 characters",
            "a text with ': ' in it goes into quotes, or under 'key: |'",
        ),
        id="long key",
    ),
    pytest.param("a: b\x00\n", ("003", 1, 5, "a NUL character; the file is damaged or not text", None), id="NUL"),
    pytest.param("a: \x1b[0m\n", ("003", 1, 4, "the control character U+001B", None), id="escape character"),
    pytest.param("a: b\x7f\n", ("003", 1, 5, "the control character U+007F", None), id="delete"),
    pytest.param("a: b\u2028c\n", ("003", 1, 5, "the control character U+2028", None), id="line separator"),
    pytest.param("a: b\x85\n", ("003", 1, 5, "the control character U+0085", None), id="next line"),
    pytest.param("a: b\ud800\n", ("003", 1, 5, "a lone surrogate (U+D800)", None), id="surrogate"),
    pytest.param(
        "a: b\ufeff\n",
        ("003", 1, 5, "a byte order mark (U+FEFF) in the middle of the text", None),
        id="byte order mark inside",
    ),
    pytest.param('a: "x\\0"\n', ("003", 1, 4, "a text must not contain the NUL character", None), id="NUL escape"),
    pytest.param('"x\\0": 1\n', ("003", 1, 1, "a key must not contain the NUL character", None), id="NUL in a key"),
    pytest.param("[" * 65 + "]" * 65, ("005", 1, 65, "more than 64 levels of nesting", None), id="too deep"),
    pytest.param(
        "a: 1\nb: 2\na: 3\n",
        (
            "006",
            3,
            1,
            "the key 'a' stands here for the second time; the first is at p.yaml:1:1",
            "remove or rename one of them",
        ),
        id="duplicate key",
    ),
    pytest.param(
        "{x: {k: 1, 'k': 2}}",
        (
            "006",
            1,
            12,
            "the key 'k' stands here for the second time; the first is at p.yaml:1:6",
            "remove or rename one of them",
        ),
        id="duplicate key, quoted otherwise",
    ),
    pytest.param(
        "1: a\n", ("007", 1, 1, "the key 1 is a number; a key must be text", 'write it in quotes: "1"'), id="number key"
    ),
    pytest.param(
        "a:\n  .inf: a\n",
        ("007", 2, 3, "the key .inf is a number; a key must be text", 'write it in quotes: ".inf"'),
        id="infinite key",
    ),
    pytest.param(
        "null: a\n",
        ("007", 1, 1, "the key null is null; a key must be text", 'write it in quotes: "null"'),
        id="null key",
    ),
    pytest.param(
        "true: a\n",
        ("007", 1, 1, "the key true is a truth value; a key must be text", 'write it in quotes: "true"'),
        id="boolean key",
    ),
    pytest.param(
        "{: a}\n",
        ("001", 1, 2, "a key is missing before this ':'", "write the key, or quote a text that starts with ':'"),
        id="no key in braces",
    ),
    pytest.param(
        "? \n: a\n",
        ("007", 1, 2, "a key is missing before the ':'", "write the key"),
        id="empty key",
    ),
    pytest.param("? [a]\n: b\n", ("007", 1, 3, "a list stands where a key must be text", None), id="list key"),
    pytest.param(
        "query: {{ x }}\n",
        (
            "007",
            1,
            9,
            "a mapping stands where a key must be text",
            "a value that starts with '{' goes into quotes",
        ),
        id="template braces",
    ),
    pytest.param(
        "a: &x 1\n",
        (
            "008",
            1,
            4,
            "the anchor '&x' is not allowed",
            "write the value out where it is needed; quote a text that starts with '&'",
        ),
        id="anchor",
    ),
    pytest.param(
        "a: &x {b: 1}\n",
        (
            "008",
            1,
            4,
            "the anchor '&x' is not allowed",
            "write the value out where it is needed; quote a text that starts with '&'",
        ),
        id="anchor on a mapping",
    ),
    pytest.param(
        "a: *x\n", ("008", 1, 4, "the alias '*x' is not allowed", "write the value out where it is needed"), id="alias"
    ),
    pytest.param(
        "*x : 1\n",
        ("008", 1, 1, "the alias '*x' is not allowed", "write the value out where it is needed"),
        id="alias as a key",
    ),
    pytest.param(
        "<<: {a: 1}\n",
        (
            "008",
            1,
            1,
            "the merge key '<<' is not allowed",
            "write the merged keys out; merging is not part of YAML 1.2",
        ),
        id="merge key",
    ),
    pytest.param(
        "a: !!python/object/apply:os.system [x]\n",
        (
            "009",
            1,
            4,
            "the tag '!!python/object/apply:os.system' is not allowed",
            "remove it; quote a text that starts with '!'",
        ),
        id="python tag",
    ),
    pytest.param(
        "a: !important\n",
        ("009", 1, 4, "the tag '!important' is not allowed", "remove it; quote a text that starts with '!'"),
        id="local tag",
    ),
    pytest.param(
        "a: !!str 1\n",
        ("009", 1, 4, "the tag '!!str' is not allowed", "remove it; quote a text that starts with '!'"),
        id="harmless tag",
    ),
    pytest.param("a: 1\n---\nb: 2\n", ("010", 2, 1, "a second document starts here", None), id="two documents"),
    pytest.param("", ("011", 1, 1, "the document is empty", None), id="nothing"),
    pytest.param("# to do\n\n", ("011", 3, 1, "the document is empty", None), id="comments only"),
    pytest.param("---\n...\n", ("011", 3, 1, "the document is empty", None), id="markers only"),
    pytest.param(
        "a: .inf\n",
        (
            "012",
            1,
            4,
            ".inf is not a number that JSON can hold",
            "write it in quotes when it is meant as text",
        ),
        id="infinity",
    ),
    pytest.param(
        "a: .NaN\n",
        ("012", 1, 4, ".NaN is not a number that JSON can hold", "write it in quotes when it is meant as text"),
        id="nan",
    ),
    pytest.param(
        "a: -1e999\n",
        ("012", 1, 4, "the number -1e999 is too large", "write it in quotes when it is meant as text"),
        id="too large",
    ),
    pytest.param(
        "a: " + "9" * 5000,
        ("012", 1, 4, "a number of 5000 digits is too long", "write it in quotes when it is meant as text"),
        id="too long",
    ),
    pytest.param(
        "a: 0x" + "f" * 5000,
        ("012", 1, 4, "a number of 5002 digits is too long", "write it in quotes when it is meant as text"),
        id="too long in hexadecimal",
    ),
    pytest.param("%YAML 1.1\n---\na: 1\n", ("013", 1, 1, "the directive %YAML 1.1 is not supported", None), id="1.1"),
    pytest.param("%TAG ! x:\n---\na: 1\n", ("013", 1, 1, "the directive %TAG is not supported", None), id="%TAG"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_mistake_is_named_at_its_place(text, expected):
    (found,) = findings(text)
    code, line, column, message, hint = expected
    assert (found.code, found.message, found.hint) == (f"OSR-YAML-{code}", message, hint)
    source = text.split("\n")[line - 1][:10_000]
    assert found.position == Position(file="p.yaml", line=line, column=column, source_line=source)
    assert found.is_error


def test_all_mistakes_of_a_document_are_reported_up_to_the_first_of_syntax():
    found = findings("1: a\nb: &x 2\nb: .nan\nc: !t {d: *x}\ne: [\n")
    assert [(f.code[-3:], f.position.line, f.position.column) for f in found] == [
        ("007", 1, 1),
        ("008", 2, 4),
        ("006", 3, 1),
        ("012", 3, 4),
        ("009", 4, 4),
        ("008", 4, 11),
        ("001", 6, 1),
    ]


def test_the_error_tells_the_first_mistake_and_how_many_more():
    with pytest.raises(InvalidInput) as caught:
        load("a: 1\na: 2\nb: 1\nb: 2\n", file="p.yaml")
    error = caught.value
    assert error.exit_code == ExitCode.INVALID
    assert error.code == "OSR-YAML-006"
    assert error.message == "the key 'a' stands here for the second time; the first is at p.yaml:1:1 (and 1 more)"
    assert error.where == "p.yaml:2:1"
    assert error.hint == "remove or rename one of them"


@pytest.mark.parametrize(
    "line",
    [
        "password: @hunter2",
        "password:hunter2\nb: 1",
        "password: !hunter2 x",
        "password: &hunter2 x",
        "password: *hunter2",
        "password: 1e99999hunter2: x",
        "password: 'hunter2' hunter2",  # pragma: allowlist secret
        'password: "\\xhunter2"',
        "- {user: 1, api_key: `hunter2}",
        "DB_PASSWORD: 123\nDB_PASSWORD: hunter2",
        "password: hunter2: x",
        "password: hunter2\x00",
        "'password' : @hunter2",
    ],
)
def test_a_line_that_may_hold_a_secret_is_not_shown(line):
    with pytest.raises(InvalidInput) as caught:
        load(line, file="p.yaml")
    error = caught.value
    told = [
        str(error),
        error.hint or "",
        *(render(f) for f in error.diagnostics),
        *(repr(f) for f in error.diagnostics),
    ]
    assert "hunter2" not in "".join(told)
    assert error.where.startswith("p.yaml:")


def test_reading_stops_after_a_hundred_findings():
    assert len(findings("1: a\n" * 1000)) == 100


SCALARS = [
    ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("Yes", "Yes"), ("NO", "NO"),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRue", "tRue"),
    ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None), ("nULL", "nULL"), ("none", "none"),
    ("0", 0), ("012", 12), ("-0", 0), ("+7", 7), ("-19", -19), ("0o14", 12), ("0x1F", 31), ("0xdeadBEEF", 0xDEADBEEF),
    ("0b1", "0b1"), ("-0x1", "-0x1"), ("0o8", "0o8"), ("0X1", "0X1"), ("1_000", "1_000"), ("1,000", "1,000"),
    ("1:30", "1:30"), ("12:30:45", "12:30:45"), ("12e03", 12000.0), ("1.", 1.0), (".5", 0.5), ("-.5E-1", -0.05),
    ("+12.5e+2", 1250.0), ("1e3", 1000.0), ("1e", "1e"), ("e3", "e3"), (".", "."), ("-", ["x"]), ("+", "+"),
    ("1.2.3", "1.2.3"), ("inf", "inf"), ("nan", "nan"), ("infinity", "infinity"), (".Infinity", ".Infinity"),
    ("2024-01-01", "2024-01-01"), ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"), ("=", "="), ("<", "<"),
    (str(2**80), 2**80), ("9" * 3500, int("9" * 3500)), ("1e-999", 0.0), ("'1'", "1"), ('"true"', "true"), ("''", ""),
    ("$x", "$x"), ("${VAR}", "${VAR}"), ("a#b", "a#b"), ("a # b", "a"), ("C:\\x", "C:\\x"), ("-a", "-a"), ("?a", "?a"),
    ("http://x/y?z=1", "http://x/y?z=1"), ('"a\\tb\\u00e9\\/\\x01"', "a\tb\u00e9/\x01"), ("٣", "٣"), ("1٣", "1٣"),
    ("|1\n  a\n b\n", " a\nb\n"), (">-\n  a\n  b\n", "a b"), ("a\n  b", "a b"), ("[1, a, 'b']", [1, "a", "b"]),
    ("{a: 1, b: }", {"a": 1, "b": None}), ('{"a":1}', {"a": 1}), ("[a: 1]", [{"a": 1}]), ("[]", []), ("{}", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_means_what_yaml_1_2_says(text, value):
    document = "- - x" if text == "-" else f"- {text}"
    data = load(document, file="p").data[0]
    assert data == value
    assert type(data) is type(value)


def test_the_sign_of_a_negative_zero_is_kept():
    assert str(load("-0.0", file="p").data) == "-0.0"


DOCUMENT = """\
# a pipeline
oml_version: "0.1.0"
steps:
  - id: read     # the first
    config: {path: a.csv, columns: [x, 'y']}
  -
    id: write
    config:
      text: |
        SELECT 1
      empty:
      ? odd
      : 日本🚀: 1
"""

PLACES = [
    ((), False, (2, 1)),
    (("oml_version",), True, (2, 1)),
    (("oml_version",), False, (2, 14)),
    (("steps",), True, (3, 1)),
    (("steps",), False, (4, 3)),
    (("steps", 0), False, (4, 5)),
    (("steps", 0, "id"), False, (4, 9)),
    (("steps", 0, "config"), False, (5, 13)),
    (("steps", 0, "config", "path"), True, (5, 14)),
    (("steps", 0, "config", "path"), False, (5, 20)),
    (("steps", 0, "config", "columns", 1), False, (5, 40)),
    (("steps", 1), False, (7, 5)),
    (("steps", 1, "config", "text"), False, (9, 13)),
    (("steps", 1, "config", "empty"), True, (11, 7)),
    (("steps", 1, "config", "empty"), False, (11, 13)),
    (("steps", 1, "config", "odd"), True, (12, 9)),
    (("steps", 1, "config", "odd"), False, (13, 9)),
    (("steps", 1, "config", "odd", "日本🚀"), False, (13, 14)),
    # the nearest ancestor of what is not there
    (("steps", 1, "config", "absent"), True, (8, 5)),
    (("steps", 1, "config", "absent"), False, (9, 7)),
    (("steps", 7, "config"), False, (4, 3)),
    (("steps", -1), False, (4, 3)),
    (("steps", "x"), False, (4, 3)),
    (("oml_version", "x", 1), False, (2, 14)),
    (("absent",), True, (2, 1)),
]


@pytest.mark.parametrize(("path", "key", "place"), PLACES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_value_knows_its_place(path, key, place, newline, mark):
    text = mark + DOCUMENT.replace("\n", newline)
    document = load(text, file="p.yaml")
    at = document.position(path, key=key)
    assert (at.line, at.column) == place
    assert at.source_line == DOCUMENT.split("\n")[place[0] - 1]
    assert str(at) == f"p.yaml:{place[0]}:{place[1]}"


def test_line_breaks_inside_texts_become_newlines():
    assert load("a: |\r\n  x\r\n  y\r\n", file="p").data == {"a": "x\ny\n"}


@pytest.mark.parametrize(
    ("data", "code", "line", "column", "message"),
    [
        (b"a: 1\nb: caf\xe9\n", "002", 2, 7, "byte 0xe9 is not valid UTF-8"),
        (b"\xef\xbb\xbf\xff", "002", 1, 1, "byte 0xff is not valid UTF-8"),
        ("日: ".encode() + b"\xed\xa0\x80", "002", 1, 4, "byte 0xed is not valid UTF-8"),
        (b"a: \xc0\x80", "002", 1, 4, "byte 0xc0 is not valid UTF-8"),
        ("a: 1".encode("utf-16"), "002", 1, 1, "the file is UTF-16, not UTF-8"),
        ("a: 1".encode("utf-16-le"), "003", 1, 2, "a NUL character; the file is damaged or not text"),
        (b"\x1f\x8b\x08\x00", "002", 1, 2, "byte 0x8b is not valid UTF-8"),
        (b"PAR1\x15\x04", "003", 1, 5, "the control character U+0015"),
    ],
)
def test_bytes_that_are_not_utf_8_text(data, code, line, column, message):
    with pytest.raises(InvalidInput) as caught:
        load_bytes(data, file="p.yaml")
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == (f"OSR-YAML-{code}", message)
    assert (found.position.line, found.position.column) == (line, column)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_at_the_start_is_ignored(mark):
    assert load_bytes(mark + b"a: 1\n", file="p").data == {"a": 1}


def test_the_limit_of_size_is_one_of_bytes():
    head, tail = "a: '", "'"
    fitting = head + "x" * (MAX_BYTES - len(head) - len(tail)) + tail
    assert load(fitting, file="p").data
    assert load_bytes(b"\xef\xbb\xbf" + fitting.encode(), file="p").data
    wide = "é" * (MAX_BYTES // 2)
    for read in (lambda: load(fitting + " ", file="p"), lambda: load_bytes(fitting.encode() + b" ", file="p"),
                 lambda: load(f"a: {wide}", file="p"), lambda: load_bytes(b"x" * 20_000_000, file="p")):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            read()
        assert caught.value.code == "OSR-YAML-004"
        assert caught.value.message == "the file is larger than 1048576 bytes"


def test_sixty_four_levels_are_read():
    assert load("[" * 64 + "]" * 64, file="p").data


def test_a_file_is_read(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\n")
    assert load_file(path).data == {"a": "é"}
    assert load_file(path).file == str(path)
    assert load_file(path, file="shown.yaml").position(("a",)) == Position(
        file="shown.yaml", line=1, column=4, source_line="a: é"
    )


def test_files_that_cannot_be_read(tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"#" * (MAX_BYTES * 3))
    for path, code, message in [
        (tmp_path / "absent", "OSR-YAML-014", "cannot read the file: No such file or directory"),
        (tmp_path, "OSR-YAML-014", "cannot read the file: Is a directory"),
        (tmp_path / "a\x00b", "OSR-YAML-014", "cannot read the file: embedded null byte"),
        (tmp_path / ("n" * 300), "OSR-YAML-014", "cannot read the file: File name too long"),
        (big, "OSR-YAML-004", "the file is larger than 1048576 bytes"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            load_file(path, file="f.yaml")
        assert (caught.value.code, caught.value.message) == (code, message)
        assert caught.value.where.startswith("f.yaml")


HOSTILE = {
    "open lists": "[" * 1_000_000,
    "open mappings": "{" * 1_000_000,
    "list items": "- " * 500_000,
    "keys": "a: " * 330_000,
    "questions": "? " * 500_000,
    "anchors": "&a " * 330_000,
    "tags": "! " * 500_000,
    "colons": ":" * 1_000_000,
    "percents": "%" * 1_000_000,
    "tabs": "\t" * 1_000_000,
    "one long number": "1" * 1_000_000,
    "duplicates": "a: 1\n" * 200_000,
    "billion laughs": "a: &a [x,x]\n" + "".join(f"k{i}: &k{i} [*a,*a,*a]\n" for i in range(50)),
    "comments": "# x\n" * 250_000,
    "breaks": "\n" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_with_few_findings(name):
    assert 1 <= len(findings(HOSTILE[name])) <= 100
