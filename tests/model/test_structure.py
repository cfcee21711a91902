from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs
import pytest

from osiris_core.api import Problem, Secret, SecretRef, SecretStr, config, field
from osiris_core.diagnostics import Position, render
from osiris_core.model.structure import structure, unstructure
from osiris_core.model.yaml import load


@config
class Login:
    """Who we are there."""

    user: str = field(doc="The user.")
    password: Secret | None = field(default=None, doc="The password.")


@config
class Sample:
    """Everything a config may hold."""

    path: str = field(doc="Where the files are.", min_length=1)
    delimiter: str = field(default=",", doc="Between cells.", min_length=1, max_length=2)
    size: str | None = field(default=None, doc="How much.", pattern=r"[0-9]+[KMG]B", examples=("4GB",))
    rows: int = field(default=10, doc="How many.", minimum=0, maximum=100)
    ratio: float = field(default=1.0, doc="A ratio.", exclusive_minimum=0)
    price: Decimal = field(default=Decimal("0.10"), doc="A price.", minimum=0)
    strict: bool = field(default=False, doc="Whether.")
    mode: Literal["append", "replace"] = field(default="append", doc="How.")
    level: Literal[1, 2, "all"] | None = field(default=1, doc="Which.")
    columns: tuple[str, ...] = field(default=(), doc="Which columns.", pattern="[a-z]+", max_length=3)
    renames: Mapping[str, str] = field(factory=dict, doc="New names.", min_length=0)
    key: str | tuple[str, ...] | None = field(default=None, doc="The key.")
    number: int | float = field(default=0, doc="A number.")
    login: Login | None = field(default=None, doc="Who.")
    logins: tuple[Login, ...] = field(default=(), doc="Who else.")
    options: Any = field(default=None, doc="Anything.")

    def check(self) -> Iterable[Problem]:
        """A key is no delimiter."""
        if self.key == self.delimiter:
            yield Problem(field=("key",), message="the key is the delimiter", hint="choose another")
        if self.rows == 99:
            yield Problem(message="99 is unlucky")


def wrong(data, cls=Sample):
    value, findings = structure(cls, {"path": "p", **data} if cls is Sample else data)
    assert value is None
    assert all(f.is_error for f in findings)
    return [(f.code.removeprefix("OSR-CFG-"), f.message, f.hint) for f in findings]


def right(data):
    value, findings = structure(Sample, {"path": "p", **data})
    assert findings == []
    return value


ACCEPTED = [
    ("rows", 0, 0),
    ("rows", 100, 100),
    ("ratio", 2, 2.0),
    ("ratio", 1e-300, 1e-300),
    ("ratio", 2**53, float(2**53)),
    ("price", 3, Decimal(3)),
    ("price", "0.10", Decimal("0.10")),
    ("price", "1e-7", Decimal("1E-7")),
    ("price", "123456789012345678901234567890.12345678901234567890", Decimal("123456789012345678901234567890.12345678901234567890")),
    ("price", Decimal("1.5"), Decimal("1.5")),
    ("size", "12GB", "12GB"),
    ("size", None, None),
    ("level", 2, 2),
    ("level", "all", "all"),
    ("level", None, None),
    ("columns", ["a", "b"], ("a", "b")),
    ("columns", [], ()),
    ("columns", ("a",), ("a",)),
    ("renames", {"a": "b"}, {"a": "b"}),
    ("key", "a", "a"),
    ("key", ["a"], ("a",)),
    ("number", 1, 1),
    ("number", 1.0, 1.0),
    ("options", {"x": [1, None]}, {"x": [1, None]}),
    ("login", {"user": "u"}, Login(user="u")),
    ("login", {"user": "u", "password": "${PW}"}, Login(user="u", password=SecretRef("env", "PW"))),
    ("login", {"user": "u", "password": "${vault:a/b}"}, Login(user="u", password=SecretRef("vault", "a/b"))),
    ("login", {"user": "u", "password": SecretStr("x")}, Login(user="u", password=SecretStr("x"))),
    ("login", {"user": "u", "password": SecretRef("env", "X")}, Login(user="u", password=SecretRef("env", "X"))),
    ("logins", [{"user": "a"}, {"user": "b"}], (Login(user="a"), Login(user="b"))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "held"), ACCEPTED)
def test_a_value_of_the_declared_type_is_held(name, given, held):
    value = getattr(right({name: given}), name)
    assert value == held
    assert type(value) is type(held)


REFUSED = [
    # what, code, message, hint
    ({"rows": "5"}, "001", """'rows' must be a whole number, not "5\"""", "remove the quotes: 5"),
    ({"rows": "five"}, "001", """'rows' must be a whole number, not "five\"""", None),
    ({"rows": True}, "001", "'rows' must be a whole number, not true", None),
    ({"rows": 5.0}, "001", "'rows' must be a whole number, not 5.0", "write it without a point: 5"),
    ({"rows": 5.5}, "001", "'rows' must be a whole number, not 5.5", None),
    (
        {"rows": None},
        "001",
        "'rows' must be a whole number, not null",
        "leave the key out to use its default, or give it a value",
    ),
    ({"rows": [1]}, "001", "'rows' must be a whole number, not a list", None),
    ({"rows": {}}, "001", "'rows' must be a whole number, not a mapping", None),
    ({"rows": -1}, "005", "'rows' must be at least 0, not -1", None),
    ({"rows": 101}, "005", "'rows' must be at most 100, not 101", None),
    ({"rows": 10**70}, "005", "'rows' must be at most 100, not 1" + "0" * 59, None),
    ({"ratio": 0}, "005", "'ratio' must be more than 0, not 0", None),
    ({"ratio": False}, "001", "'ratio' must be a number, not false", None),
    ({"ratio": "1.5"}, "001", """'ratio' must be a number, not "1.5\"""", "remove the quotes: 1.5"),
    (
        {"ratio": 2**53 + 1},
        "011",
        "'ratio' must be a number that a 64-bit float holds exactly, which 9007199254740993 is not",
        None,
    ),
    (
        {"ratio": 10**400},
        "011",
        f"'ratio' must be a number that a 64-bit float holds exactly, which 1{'0' * 59} is not",
        None,
    ),
    (
        {"price": 0.1},
        "001",
        "'price' must be a decimal number, not 0.1",
        'write it in quotes, which keeps every digit: "0.1"',
    ),
    ({"price": "1,5"}, "001", """'price' must be a decimal number, not "1,5\"""", None),
    ({"price": "NaN"}, "001", """'price' must be a decimal number, not "NaN\"""", None),
    ({"price": "1e9999999"}, "001", """'price' must be a decimal number, not "1e9999999\"""", None),
    ({"price": "1\n"}, "001", """'price' must be a decimal number, not "1\\n\"""", None),
    ({"price": "-0.01"}, "005", """'price' must be at least 0, not "-0.01\"""", None),
    ({"strict": "yes"}, "001", """'strict' must be true or false, not "yes\"""", "write true or false, without quotes"),
    ({"strict": 1}, "001", "'strict' must be true or false, not 1", None),
    ({"delimiter": ""}, "006", "'delimiter' must not be empty", None),
    ({"delimiter": ";;;"}, "006", "'delimiter' must have at most 2 characters, and has 3", None),
    ({"delimiter": 5}, "001", "'delimiter' must be text, not 5", 'put it in quotes: "5"'),
    ({"delimiter": False}, "001", "'delimiter' must be text, not false", 'put it in quotes: "false"'),
    ({"size": "4 GB"}, "007", """'size' must have the form [0-9]+[KMG]B, not "4 GB\"""", 'for example: "4GB"'),
    ({"size": "4GB\n"}, "007", """'size' must have the form [0-9]+[KMG]B, not "4GB\\n\"""", 'for example: "4GB"'),
    ({"size": 4}, "001", "'size' must be text or null, not 4", 'put it in quotes: "4"'),
    ({"mode": "apend"}, "004", """'mode' must be 'append' or 'replace', not "apend\"""", "did you mean 'append'?"),
    ({"mode": 1}, "001", "'mode' must be 'append' or 'replace', not 1", 'put it in quotes: "1"'),
    ({"level": 3}, "004", "'level' must be 1 or 2 or 'all', not 3", None),
    ({"level": True}, "001", "'level' must be 1 or 2 or 'all' or null, not true", 'put it in quotes: "true"'),
    ({"columns": "a"}, "001", """'columns' must be a list of text, not "a\"""", "write a list: [a]"),
    ({"columns": ["a", 1]}, "001", "'columns[1]' must be text, not 1", 'put it in quotes: "1"'),
    ({"columns": ["A"]}, "007", """'columns[0]' must have the form [a-z]+, not "A\"""", None),
    ({"columns": list("abcd")}, "006", "'columns' must have at most 3 items, and has 4", None),
    ({"renames": {"a": 1}}, "001", "'a' must be text, not 1", 'put it in quotes: "1"'),
    ({"renames": []}, "001", "'renames' must be a mapping of names to text, not a list", None),
    ({"renames": {1: "x"}}, "002", "the key 1 is not text", None),
    ({"key": 1}, "001", "'key' must be text or a list of text or null, not 1", 'put it in quotes: "1"'),
    ({"number": "1"}, "001", """'number' must be a whole number or a number, not "1\"""", "remove the quotes: 1"),
    ({"login": "me"}, "001", "'login' must be a mapping or null", None),
    ({"login": {}}, "003", "'user' is missing", "user: The user."),
    ({"login": {"user": 1}}, "001", "'user' must be text, not 1", 'put it in quotes: "1"'),
    ({"logins": [{"user": "a"}, None]}, "001", "'logins[1]' must be a mapping", "leave the key out to use its default, or give it a value"),
    ({"delimeter": ";"}, "002", "unknown key 'delimeter'", "did you mean 'delimiter'?"),
    (
        {"xyz": 1},
        "002",
        "unknown key 'xyz'",
        f"known keys: {', '.join(a.name for a in attrs.fields(Sample))}",
    ),
    ({7: 1}, "002", "the key 7 is not text", None),
    ({"key": ","}, "009", "the key is the delimiter", "choose another"),
    ({"rows": 99}, "009", "99 is unlucky", None),
    ({"delimiter": "x" * 100}, "006", "'delimiter' must have at most 2 characters, and has 100", None),
    ({"mode": "x" * 100}, "004", f"'mode' must be 'append' or 'replace', not \"{'x' * 59}…\"", None),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code", "message", "hint"), REFUSED)
def test_a_mistake_is_told_with_its_remedy(data, code, message, hint):
    assert wrong(data) == [(code, message, hint)]


@pytest.mark.parametrize("data", [None, [], "path", 3, True])
def test_a_config_is_a_mapping(data):
    value, (found,) = structure(Sample, data, path=("steps", 2, "config"))
    assert value is None
    assert (found.code, found.message, found.path) == (
        "OSR-CFG-001",
        "'config' must be a mapping",
        ("steps", 2, "config"),
    )


def test_a_missing_key_says_what_it_is_for():
    value, (found,) = structure(Sample, {})
    assert value is None
    assert (found.message, found.hint) == ("'path' is missing", "path: Where the files are.")


def test_all_mistakes_are_told_in_one_go():
    codes = [
        code for code, _, _ in wrong({"rows": -1, "pth": 1, "mode": "x", "columns": ["A", 2], "login": {"usr": 1}})
    ]
    assert codes == ["002", "005", "004", "007", "001", "002", "003"]


def test_a_rule_over_fields_waits_until_each_is_right():
    assert [code for code, _, _ in wrong({"key": ",", "rows": "x"})] == ["001"]


DOCUMENT = """\
connection:
  path: ""
  rows: 1000
  kye: x
  key: ","
  login: {user: 1}
  logins:
    - user: 2
      pasword: hunter2
    - password: hunter2
    - {user: x, password: [hunter2]}
    - hunter2
    - user: u
      password: ${A} hunter2
"""


def test_each_finding_has_its_path_and_place():
    document = load(DOCUMENT, file="c.yaml")
    value, findings = structure(Sample, document.data["connection"], path=("connection",), position=document.position)
    assert value is None
    assert [
        (f.code[-3:], f.path[1:], f.position.line, f.position.column, f.position.source_line) for f in findings
    ] == [
        ("006", ("path",), 2, 9, '  path: ""'),
        ("005", ("rows",), 3, 9, "  rows: 1000"),
        ("002", ("kye",), 4, 3, ""),
        ("001", ("login", "user"), 6, 17, ""),
        ("001", ("logins", 0, "user"), 8, 13, "    - user: 2"),
        ("002", ("logins", 0, "pasword"), 9, 7, ""),
        ("003", ("logins", 1), 10, 7, ""),
        ("008", ("logins", 1, "password"), 10, 17, ""),
        ("008", ("logins", 2, "password"), 11, 27, ""),
        ("001", ("logins", 3), 12, 7, ""),
        ("008", ("logins", 4, "password"), 14, 17, ""),
    ]


def test_a_secret_is_never_shown():
    document = load(DOCUMENT, file="c.yaml")
    _, findings = structure(Sample, document.data["connection"], position=document.position)
    assert "hunter2" not in repr(findings)
    assert "hunter2" not in "".join(map(render, findings))


@pytest.mark.parametrize("value", ["hunter2", "", "x${A}", "${A}x", "${params.a}", 5, True, ["${A}"], {"a": 1}])
def test_a_secret_is_a_reference(value):
    assert wrong({"user": "u", "password": value}, Login) == [
        (
            "008",
            "'password' is a secret: it takes a reference, never the value itself",
            "put the value into the environment or .env, and write ${PASSWORD} here",
        )
    ]


def test_every_default_is_written_out_and_reads_back():
    value = right({"login": {"user": "u", "password": "${vault:x}"}})
    data = unstructure(value)
    assert data == {
        "path": "p",
        "delimiter": ",",
        "size": None,
        "rows": 10,
        "ratio": 1.0,
        "price": "0.10",
        "strict": False,
        "mode": "append",
        "level": 1,
        "columns": [],
        "renames": {},
        "key": None,
        "number": 0,
        "login": {"user": "u", "password": "${vault:x}"},
        "logins": [],
        "options": None,
    }
    assert list(data) == [a.name for a in attrs.fields(Sample)]
    assert structure(Sample, data) == (value, [])


def test_a_resolved_secret_does_not_become_data():
    with pytest.raises(TypeError, match="resolved secret"):
        unstructure(Login(user="u", password=SecretStr("x")))


@config
class Server:
    """A server."""

    host: str = field(doc="Host.", pattern="[a-z.]+")
    port: int = field(default=1, doc="Port.", maximum=65535)
    tls: bool = field(default=True, doc="TLS.")
    mode: Literal["a", "b"] = field(default="a", doc="Mode.")
    tags: tuple[int, ...] = field(default=(), doc="Tags.")
    password: Secret = field(doc="Password.")

    def check(self) -> Iterable[Problem]:
        """Needs numbers."""
        if self.port + 1 == 1:
            yield Problem(field=("port",), message="no")


REFERENCES = {
    "host": "${HOST}",
    "port": "${PORT}",
    "tls": "${TLS}",
    "mode": "x${M}",
    "tags": [1, "${T}"],
    "password": "${P}",
}


def test_placeholders_stand_for_any_scalar_when_asked():
    value, findings = structure(Server, REFERENCES, placeholders=True)
    assert findings == []
    assert value == Server(
        host="${HOST}", port="${PORT}", tls="${TLS}", mode="x${M}", tags=(1, "${T}"), password=SecretRef("env", "P")
    )
    assert [f.code for f in structure(Server, REFERENCES)[1]] == [
        "OSR-CFG-007",
        "OSR-CFG-001",
        "OSR-CFG-001",
        "OSR-CFG-004",
        "OSR-CFG-001",
    ]


def test_placeholders_do_not_stand_for_lists_mappings_or_parts_of_a_secret():
    data = {"host": "h", "tags": "${TAGS}", "password": "x${P}"}  # pragma: allowlist secret
    assert [f.code for f in structure(Server, data, placeholders=True)[1]] == ["OSR-CFG-001", "OSR-CFG-008"]


def test_without_a_placeholder_in_the_data_the_check_still_runs():
    data = {"host": "h", "port": 0, "password": "${P}"}
    assert [f.code for f in structure(Server, data, placeholders=True)[1]] == ["OSR-CFG-009"]


@config
class Broken:
    """A plugin's config whose rule is wrong."""

    secret: Secret = field(doc="S.")

    def check(self) -> Iterable[Problem]:
        """Raise with the secret in the text."""
        raise KeyError(self.secret, "hunter2")


def test_a_rule_that_raises_is_a_finding_not_a_crash():
    value, (found,) = structure(Broken, {"secret": "${A}"})
    assert value is None
    assert found.code == "OSR-CFG-010"
    assert found.message == "the check of Broken failed with KeyError"
    assert found.hint == "this is a defect of the plugin that declares it"


def test_positions_of_missing_keys_are_those_of_the_mapping():
    document = load("steps:\n  - config: {rows: 1}\n", file="p.yaml")
    _, (found,) = structure(
        Sample, document.data["steps"][0]["config"], path=("steps", 0, "config"), position=document.position
    )
    assert found.position == Position(file="p.yaml", line=2, column=5, source_line="")


def test_at_most_a_hundred_findings_are_told():
    for data in ({f"k{i}": 1 for i in range(50_000)}, {"columns": []} | {"logins": [1] * 50_000}):
        value, findings = structure(Sample, {"path": "p", **data})
        assert value is None
        assert len(findings) == 100


def test_a_value_that_is_no_plain_data_is_named_by_its_type():
    assert wrong({"options": 1, "rows": {1, 2}})[0][1] == "'rows' must be a whole number, not set"
    assert wrong({"price": Decimal("NaN")})[0][1] == "'price' must be a decimal number, not NaN"
    assert wrong({"key": SecretStr("hunter2")})[0][1] == "'key' must be text or a list of text or null, not SecretStr"
    assert wrong({"columns": "a" * 100})[0][2] == "write a list"
