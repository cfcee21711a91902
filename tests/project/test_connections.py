from __future__ import annotations

import pytest

from osiris_core.diagnostics import render
from osiris_core.errors import InvalidInput, PluginError
from osiris_core.project.connections import load_connections
from osiris_core.project.settings import load_settings

SECRET = "hunter2hunter2"  # pragma: allowlist secret


def _file(*aliases, family="shop"):
    lines = "".join(f"    {alias}: {{host: {alias.lower()}.example, {extra}}}\n" for alias, extra in aliases)
    return f"connections:\n  {family}:\n{lines}"


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "version: 1\n", "connections:\n", "connections: {shop: }\n"])
def test_no_connections(project, registry, text):
    found = load_connections(project.project, registry) if text is None else project.connections(text, registry)
    assert found.all() == ()


# aliases with their extra fields, the reference a step gives, what is chosen (or the error's beginning)
SELECTION = [
    ([("a", "default: true"), ("b", "")], None, "@shop.a"),
    ([("a", ""), ("b", "default: true")], None, "@shop.b"),
    ([("default", ""), ("b", "default: true")], None, "@shop.b"),
    ([("b", ""), ("default", "")], None, "@shop.default"),
    ([("a", "default: false"), ("default", "")], None, "@shop.default"),
    ([("a", ""), ("b", "")], "@shop.b", "@shop.b"),
    ([("a", "default: true"), ("b", "")], "@shop.b", "@shop.b"),
    (
        [("a", ""), ("b", "")],
        None,
        "OSR-CON-006: no connection of family 'shop' is the default; osiris_connections.yaml has @shop.a, @shop.b",
    ),
    (
        [("a", "")],
        None,
        "OSR-CON-006: no connection of family 'shop' is the default; osiris_connections.yaml has @shop.a",
    ),
    (
        [],
        None,
        "OSR-CON-006: no connection of family 'shop' is the default; osiris_connections.yaml is missing or empty",
    ),
    ([("a", "")], "@shop.b", "OSR-CON-005: there is no connection @shop.b; osiris_connections.yaml has @shop.a"),
    ([("a", "")], "shop.a", "OSR-CON-005: 'shop.a' is not a connection"),
    ([("a", "")], "@shop", "OSR-CON-005: '@shop' is not a connection"),
    (
        [("a", "")],
        "@mysql.a",
        "OSR-CON-005: there is no connection @mysql.a; osiris_connections.yaml has none of that family (it has @shop.a)",
    ),
]


@pytest.mark.parametrize(("aliases", "ref", "expected"), SELECTION)
def test_selection(project, registry, aliases, ref, expected):
    connections = project.connections(_file(*aliases), registry)
    if expected.startswith("@"):
        assert connections.select("shop", ref).ref == expected
    else:
        with pytest.raises(InvalidInput) as caught:
            connections.select("shop", ref)
        assert str(caught.value) == expected


def test_a_connection_of_another_family_is_refused(project, registry):
    text = _file(("a", "")) + "  mysql:\n    m: {host: h}\n"
    with pytest.raises(InvalidInput) as caught:
        project.connections(text, registry).select("shop", "@mysql.m")
    assert str(caught.value) == (
        "OSR-CON-007: @mysql.m is a connection of family 'mysql'; the step needs 'shop'; "
        "osiris_connections.yaml has @shop.a"
    )


def test_a_typo_in_a_reference_is_met_with_a_suggestion(project, registry):
    with pytest.raises(InvalidInput) as caught:
        project.connections(_file(("orders", "")), registry).get("@shop.order")
    assert caught.value.hint == "did you mean '@shop.orders'?"


# the file, and the findings that its structure gives
STRUCTURE = [
    ("- a\n", ["osiris_connections.yaml:1:1: error[OSR-CON-002]: the file must be a mapping"]),
    ("conections: {}\n", ["1:1: error[OSR-CON-002]: unknown key 'conections' (at $.conections)"]),
    ("version: 2\nconnections: {}\n", ["1:1: error[OSR-CON-002]: 'version' must be 1"]),
    ("connections: [a]\n", ["1:1: error[OSR-CON-002]: 'connections' must be a mapping"]),
    ("connections:\n  shop: x\n", ["2:3: error[OSR-CON-002]: family 'shop' must be a mapping"]),
    ("connections:\n  shop:\n    a: x\n", ["3:5: error[OSR-CON-002]: @shop.a must be a mapping"]),
    ("connections:\n  Shop: {}\n", ["2:3: error[OSR-CON-003]: 'Shop' cannot name a family"]),
    ("connections:\n  shop: {A: {}}\n", ["error[OSR-CON-003]: 'A' cannot name a connection"]),
    (
        _file(("a", "default: true"), ("b", "default: true"), ("c", "default: true")),
        [
            "error[OSR-CON-004]: @shop.b is marked as default, and so is @shop.a",
            "error[OSR-CON-004]: @shop.c is marked as default, and so is @shop.a",
        ],
    ),
    (_file(("a", "default: maybe")), ["error[OSR-CON-002]: 'default' must be true or false"]),
    (_file(("a", ""), ("A", ""), ("b", "default: 1")), ["OSR-CON-003", "OSR-CON-002"]),
]


@pytest.mark.parametrize(("text", "expected"), STRUCTURE)
def test_structure(project, registry, text, expected):
    with pytest.raises(InvalidInput) as caught:
        project.connections(text, registry)
    said = [render(finding) for finding in caught.value.diagnostics]
    assert len(said) == len(expected)
    for line, part in zip(said, expected, strict=True):
        assert part in line


# a connection, and what the family's plugin has to say about it
ENTRIES = [
    ("host: h.example", []),
    ("host: '${HOST}', port: '${PORT}', tls: '${TLS}', password: '${PASSWORD}'", []),
    ("host: '${A}.example'", []),
    ("port: 1", ["OSR-CFG-003"]),
    ("host: h, prot: 1", ["OSR-CFG-002"]),
    ("host: h, port: '3306'", ["OSR-CFG-001"]),
    ("host: h, port: 0", ["OSR-CFG-005"]),
    ("host: UPPER", ["OSR-CFG-007"]),
    ("host: nowhere", ["OSR-CFG-009"]),
    (f"host: h, password: {SECRET}", ["OSR-CFG-008"]),
    (f"host: h, password: 'x${{P}}{SECRET}'", ["OSR-CFG-008"]),  # pragma: allowlist secret
    (f"host: h, login: {{user: u, password: {SECRET}}}", ["OSR-CFG-008"]),
    (f"host: h, passwrod: {SECRET}", ["OSR-CFG-002"]),
    ("host: '${}'", ["OSR-CON-008"]),
    ("host: '${A B}'", ["OSR-CON-008"]),
    ("host: '${A'", ["OSR-CON-008"]),
    (f"host: h, database: 'mysql://u:{SECRET}@h/x'", ["OSR-CON-010"]),
    ("host: h, database: 'mysql://u:${P}@h/x'", []),
    (f"host: h, database: sb_secret_{SECRET}xyz", ["OSR-CON-010"]),
]


@pytest.mark.parametrize(("fields", "codes"), ENTRIES)
def test_what_is_said_about_an_entry(project, registry, fields, codes):
    entry = project.connections(f"connections:\n  shop:\n    a: {{{fields}}}\n", registry).get("@shop.a")
    findings = entry.diagnostics()
    assert [finding.code for finding in findings] == codes
    assert SECRET not in "\n".join(map(render, findings))
    if codes:
        with pytest.raises(InvalidInput) as caught:
            entry.config()
        assert caught.value.where == "osiris_connections.yaml:3"
    else:
        assert entry.config().host


def test_positions_and_source_lines(project, registry):
    text = f"connections:\n  shop:\n    a:\n      host: h\n      port: '{SECRET}'\n      password: {SECRET}\n"
    findings = project.connections(text, registry).get("@shop.a").diagnostics()
    assert [str(finding.position) for finding in findings] == [
        "osiris_connections.yaml:5:7",
        "osiris_connections.yaml:6:7",
    ]
    assert [finding.position.source_line for finding in findings] == ["      port: ***", "      password: ***"]


@pytest.mark.parametrize(
    "line",
    [
        f"password: {SECRET}: x",
        f'password: "{SECRET}',
        f"password: %{SECRET}",
        f"password: @{SECRET}",
        f"password: &{SECRET} x",
        f"password: *{SECRET}",
        f"password: !{SECRET} x",
        f"password: [{SECRET}",
        f"password: {SECRET}\n      password: {SECRET}",
        f"{SECRET}",
        f"\tpassword: {SECRET}",
        f"password: {SECRET}\x01",
        f"? [{SECRET}]\n      : x",
    ],
)
def test_a_syntax_error_shows_nothing_of_the_line(project, registry, line):
    with pytest.raises(InvalidInput) as caught:
        project.connections(f"connections:\n  shop:\n    a:\n      {line}\n", registry)
    error = caught.value
    assert SECRET not in "\n".join([str(error), str(error.hint), *map(render, error.diagnostics)])
    assert error.__cause__ is None


def test_an_unknown_family_harms_nobody_until_it_is_used(project, registry):
    connections = project.connections("connections:\n  oracle: {x: {host: h}}\n  shop: {a: {host: h}}\n", registry)
    assert connections.get("@shop.a").diagnostics() == []
    with pytest.raises(PluginError, match="'oracle' is not installed"):
        connections.get("@oracle.x").diagnostics()


# overrides of a step, and the findings: host is allowed, port warns, the rest is forbidden
OVERRIDES = [
    ({}, []),
    ({"host": "other"}, []),
    ({"port": 5}, [("OSR-CON-012", False)]),
    ({"database": "x"}, [("OSR-CON-011", True)]),
    ({"password": "${P}"}, [("OSR-CON-011", True)]),
    ({"host": "${HOST}"}, [("OSR-CON-011", True)]),
    ({"host": 5}, [("OSR-CFG-001", True)]),
    ({"hots": "x"}, [("OSR-CFG-002", True)]),
    ({"port": 0}, [("OSR-CON-012", False), ("OSR-CFG-005", True)]),
]


@pytest.mark.parametrize(("overrides", "expected"), OVERRIDES)
def test_override_policy(project, registry, overrides, expected):
    entry = project.connections(_file(("a", "")), registry).get("@shop.a")
    findings = entry.diagnostics(overrides)
    assert [(finding.code, finding.is_error) for finding in findings] == expected
    assert all(finding.path[0] == "connection_overrides" for finding in findings)


def test_identity_has_the_fields_that_say_which_system_it_is(project, registry):
    entry = project.connections(
        "connections:\n  shop:\n    a: {host: '${HOST}', password: '${P}', ratio: 2}\n", registry
    ).get("@shop.a")
    assert entry.identity() == {"host": "${HOST}", "port": 3306, "database": None}
    assert entry.identity({"host": "other"}) == {"host": "other", "port": 3306, "database": None}


def test_references_are_listed_with_their_paths(project, registry):
    entry = project.connections(
        "connections:\n  shop:\n    a: {host: '${A}-${vault:db/b}', login: {user: '${C}'}, tags: [x, '${D}']}\n",
        registry,
    ).get("@shop.a")
    assert [(path, str(ref)) for path, ref in entry.references()] == [
        (("host",), "${A}"),
        (("host",), "${vault:db/b}"),
        (("login", "user"), "${C}"),
        (("tags", 1), "${D}"),
    ]


def test_what_cannot_be_read_or_used_has_its_code(project, registry):
    entry = project.connections("connections: {shop: {a: {hots: h}}}\n", registry).get("@shop.a")
    with pytest.raises(InvalidInput) as caught:
        entry.config()
    assert caught.value.code == "OSR-CON-009"
    (project.root / "osiris_connections.yaml").unlink()
    (project.root / "osiris_connections.yaml").mkdir()
    with pytest.raises(InvalidInput) as caught:
        load_connections(project.project, registry)
    assert (caught.value.code, caught.value.message) == ("OSR-CON-018", "is not a regular file")


def test_settings_that_cannot_be_read_have_their_code(project):
    (project.root / "osiris.yaml").mkdir()
    with pytest.raises(InvalidInput) as caught:
        load_settings(project.project, project.environment())
    assert (caught.value.code, caught.value.message) == ("OSR-SET-005", "is not a regular file")


@pytest.mark.parametrize(
    ("text", "line", "at"),
    [
        ("version: 2\nconnections: {}\n", "version: 2", "version"),
        (
            "conections: {shop: {main: {password: hunter22}}}\n",
            "conections: ***",
            "conections",
        ),  # pragma: allowlist secret
        ("connections: {shop: [1, hunter22]}\n", "connections: {shop: ***", "shop"),
        (
            "connections: {shop: {main: {host: hunter22, default: perhaps}, b: {}}}\n",
            "                                            default: perhaps",
            "default",
        ),
        ("connections:\n  shop:\n    main:\n      default: perhaps\n", "      default: perhaps", "default"),
        ("connections:\n  shop: hunter22\n", "  shop: ***", "shop"),
    ],
)
def test_a_finding_shows_keys_and_what_is_no_connections_value_with_the_caret_in_place(
    project, registry, text, line, at
):
    with pytest.raises(InvalidInput) as raised:
        project.connections(text, registry)
    (finding,) = raised.value.diagnostics
    assert finding.position.source_line == line
    assert line[finding.position.column - 1 :].startswith(at)
    assert "hunter22" not in str(finding)


def test_an_inline_connection_shows_the_key_that_is_meant_and_no_value(project, registry):
    text = "connections: {shop: {main: {host: hunter22, prot: hunter22}}}\n"
    findings = project.connections(text, registry).get("@shop.main").diagnostics()
    (unknown,) = [finding for finding in findings if "prot" in finding.message]
    assert unknown.position.source_line == "                                            prot: ***"
    assert unknown.position.source_line[unknown.position.column - 1 :].startswith("prot")


def test_an_unknown_key_at_the_top_says_which_there_are(project, registry):
    with pytest.raises(InvalidInput) as raised:
        project.connections("shop: {}\n", registry)
    assert "`connections`" in raised.value.diagnostics[0].hint
