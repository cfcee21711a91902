from __future__ import annotations

import pytest

from osiris_core.diagnostics import render
from osiris_core.errors import ConnectionUnusable, InvalidInput
from osiris_core.project.resolve import resolve
from osiris_core.redaction import Redactor
from osiris_core.secrets import SecretStr

SECRET = "hunter2hunter2"  # pragma: allowlist secret


@pytest.fixture
def resolved(project, registry):
    """Resolve ``@shop.a`` with these fields."""

    def run(fields, environ=None, overrides=None, redactor=None):
        entry = project.connections(f"connections:\n  shop:\n    a: {{{fields}}}\n", registry).get("@shop.a")
        environment = project.environment(environ or {})
        return resolve(entry, overrides, environment=environment, registry=registry, redactor=redactor or Redactor())

    return run


@pytest.mark.parametrize(
    ("fields", "environ", "name", "value"),
    [
        ("host: h", {}, "host", "h"),
        ("host: '${H}'", {"H": "h.example"}, "host", "h.example"),
        ("host: '${A}.${B}'", {"A": "a", "B": "b"}, "host", "a.b"),
        ("host: h, database: 'x ${A} y'", {"A": "1"}, "database", "x 1 y"),
        ("host: h, database: '$A $$ {A}'", {"A": "1"}, "database", "$A $$ {A}"),
        ("host: h, port: '${P}'", {"P": "5432"}, "port", 5432),
        ("host: h, ratio: '${R}'", {"R": "0.5"}, "ratio", 0.5),
        ("host: h, tls: '${T}'", {"T": "false"}, "tls", False),
        ("host: h, tls: '${T}'", {"T": "1"}, "tls", True),
        ("host: h, tags: ['${A}', b]", {"A": "a"}, "tags", ("a", "b")),
        ("host: h, database: '${N}'", {"N": "123"}, "database", "123"),
        ("host: h, database: '${N}'", {"N": "${OTHER}"}, "database", "${OTHER}"),
        ("host: h, password: '${P}'", {"P": SECRET}, "password", SecretStr(SECRET)),
        ("host: h, password: '${env:P}'", {"P": SECRET}, "password", SecretStr(SECRET)),
        ("host: h, password: '${vault:db/password}'", {"VAULT_TOKEN": "t"}, "password", SecretStr("from-the-vault-1")),
        ("host: h, headers: {x: '${P}'}", {"P": SECRET}, "headers", {"x": SecretStr(SECRET)}),
        ("host: h", {}, "password", None),
    ],
)
def test_values(resolved, fields, environ, name, value):
    assert getattr(resolved(fields, environ), name) == value


def test_a_nested_secret_is_resolved(resolved):
    config = resolved("host: h, login: {user: '${U}', password: '${P}'}", {"U": "me", "P": SECRET})
    assert config.login.user == "me"
    assert config.login.password.reveal() == SECRET
    assert SECRET not in repr(config)


def test_secrets_are_known_to_the_redactor_and_other_values_are_not(resolved):
    redactor = Redactor()
    resolved("host: '${H}', password: '${P}'", {"H": "db.example.org", "P": SECRET}, redactor=redactor)
    assert redactor.text(f"{SECRET} at db.example.org") == "*** at db.example.org"


def test_what_comes_from_a_secret_store_is_a_secret_in_any_field(resolved):
    redactor = Redactor()
    config = resolved("host: h, database: '${vault:db/password}'", {"VAULT_TOKEN": "t"}, redactor=redactor)
    assert config.database == "from-the-vault-1"
    assert redactor.text("db from-the-vault-1") == "db ***"


def test_variables_come_from_dotenv_files_too(project, resolved):
    project.write("testing_env/.env", f"P={SECRET}\n")
    assert resolved("host: h, password: '${P}'").password.reveal() == SECRET


def test_overrides_take_effect_and_replaced_references_are_not_needed(resolved):
    config = resolved("host: '${UNSET}', port: '${ALSO_UNSET}'", {}, {"host": "other", "port": 99})
    assert (config.host, config.port) == ("other", 99)


# fields, environment, and the findings
UNUSABLE = [
    (
        "host: h, password: '${P}'",
        {},
        [
            "error[OSR-CON-013]: 'password' refers to ${P}, which is not set (looked in environment, .env, testing_env/.env)"
        ],
    ),
    ("host: h, password: '${P}'", {"P": ""}, ["refers to ${P}, which is set to nothing in environment"]),
    ("host: '${A}-${B}'", {"A": "x"}, ["'host' refers to ${B}, which is not set"]),
    (
        "host: '${H}', port: '${N}', login: {user: u, password: '${P}'}",
        {},
        ["'host' refers to ${H}", "'port' refers to ${N}", "'password' refers to ${P}"],
    ),
    ("host: h, headers: {x: '${P}'}", {}, ["'x' refers to ${P}"]),
    ("host: h, password: '${PASWORD}'", {"PASSWORD": "x"}, ["= did you mean 'PASSWORD'?"]),
    (
        "host: h, password: '${vault:no/such}'",
        {"VAULT_TOKEN": "t"},
        ["${vault:no/such}, which the store 'vault' does not"],
    ),
    (
        "host: h, password: '${vault:x}'",
        {},
        ["error[OSR-SHOP-002]: 'password' refers to ${vault:x}: VAULT_TOKEN is not set"],
    ),
    (
        "host: h, password: '${vault:broken}'",
        {"VAULT_TOKEN": "t"},
        ["error[OSR-CON-014]: 'password' refers to ${vault:broken}, but its store failed with RuntimeError"],
    ),
    ("host: h, password: '${vault:number}'", {"VAULT_TOKEN": "t"}, ["but its store returned no text"]),
    ("host: h, password: '${valt:x}'", {}, ["secret store 'valt' is not installed"]),
    (
        "host: h, port: '${P}'",
        {"P": SECRET},
        ["error[OSR-CON-015]: 'port' refers to ${P}, whose value does not fit: expected a whole number"],
    ),
    (
        "host: h, port: '${P}'",
        {"P": "70000"},
        ["'port' refers to ${P}, whose value does not fit: expected a whole number"],
    ),
    (
        "host: '${H}'",
        {"H": f"{SECRET}!"},
        ["'host' refers to ${H}, whose value does not fit: expected text of the form"],
    ),
]


@pytest.mark.parametrize(("fields", "environ", "expected"), UNUSABLE)
def test_unusable(resolved, fields, environ, expected):
    with pytest.raises(ConnectionUnusable) as caught:
        resolved(fields, environ)
    error = caught.value
    said = [render(finding) for finding in error.diagnostics]
    assert len(said) == len(expected)
    for line, part in zip(said, expected, strict=True):
        assert part in line
        assert line.startswith("osiris_connections.yaml:3:")
    assert error.where == "osiris_connections.yaml:3"
    assert "@shop.a" in error.message
    assert error.exit_code == 5
    assert SECRET not in "\n".join(said)


def test_a_reference_used_twice_is_reported_for_each_field(resolved):
    with pytest.raises(ConnectionUnusable) as caught:
        resolved("host: '${X}', database: '${X}'")
    assert [finding.path for finding in caught.value.diagnostics] == [
        ("connections", "shop", "a", "host"),
        ("connections", "shop", "a", "database"),
    ]


@pytest.mark.parametrize(
    ("fields", "overrides"),
    [
        ("host: h, port: '3306'", {}),
        ("host: h, tags: '${HOME}'", {}),
        ("host: h", {"database": "x"}),
        ("host: h", {"host": "${HOME}"}),
        (f"host: h, password: {SECRET}", {}),
    ],
)
def test_what_no_environment_can_mend_is_invalid_input(resolved, fields, overrides):
    with pytest.raises(InvalidInput) as caught:
        resolved(fields, {"HOME": "/root"}, overrides)
    assert caught.value.exit_code == 2
    assert SECRET not in "\n".join(map(render, caught.value.diagnostics))


@pytest.mark.parametrize("text", ["postgresql://u:${P}@db.example/x", "${URL}"])
def test_a_password_in_the_url_of_a_text_field_is_known_to_the_redactor(resolved, text):
    redactor = Redactor()
    resolved(
        f"host: h, database: '{text}'", {"P": SECRET, "URL": f"postgresql://u:{SECRET}@db.example/x"}, redactor=redactor
    )
    assert redactor.text(f"the server refuses {SECRET}") == "the server refuses ***"


def test_a_token_in_a_text_field_is_known_to_the_redactor(resolved):
    redactor = Redactor()
    token = "ghp_" + "a1B2" * 9
    resolved("host: h, database: '${T}'", {"T": token}, redactor=redactor)
    assert redactor.text(f"in hexadecimal {token.encode().hex()}") == "in hexadecimal ***"
