"""No secret may stand in OML: by type, by shape, in comments; and none is shown in a message."""

from __future__ import annotations

import pytest

from osiris_core.diagnostics import render

TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6"  # pragma: allowlist secret
URL = "postgresql://admin:hunter2secret@db/x"  # pragma: allowlist secret


@pytest.mark.parametrize("secret", [TOKEN, URL])
@pytest.mark.parametrize(
    "text",
    [
        "steps:\n  - {{id: it, component: sample.plain, mode: extract, config: {{table: '{0}'}}}}\n",
        "steps:\n  - id: it\n    component: sample.plain\n    mode: extract\n    config:\n      columns: [a, '{0}']\n",
        "description: uses {0}\nsteps:\n  - {{id: it, component: sample.plain, mode: extract}}\n",
        "x-note: ['{0}']\nsteps:\n  - {{id: it, component: sample.plain, mode: extract}}\n",
        "metadata: {{'{0}': 1}}\nsteps:\n  - {{id: it, component: sample.plain, mode: extract}}\n",
        "# was {0}\nsteps:\n  - {{id: it, component: sample.plain, mode: extract}}\n",
        "steps:\n  - {{id: it, component: sample.plain, mode: extract}} # {0}\n",
    ],
)
def test_by_shape_wherever_it_stands(bench, text, secret):
    validation = bench.check(text.format(secret))
    assert [item.code for item in validation.diagnostics] == ["OSR-OML-060"]
    assert secret not in "".join(map(render, validation.diagnostics))
    assert "hunter2secret" not in "".join(map(render, validation.diagnostics))


def test_by_shape_on_the_command_line(bench):
    validation = bench.step("{table: '${params.t}'}", top="params: {t: {type: string}}\n", params={"t": TOKEN})
    assert [item.code for item in validation.diagnostics] == ["OSR-OML-060"]
    assert TOKEN not in str(validation.diagnostics)
    wrong = bench.step("{limit: '${params.t}'}", top="params: {t: {type: int}}\n", params={"t": TOKEN})
    assert [item.code for item in wrong.diagnostics] == ["OSR-OML-033", "OSR-OML-060"]
    assert TOKEN not in str(wrong.diagnostics)


def test_by_shape_in_the_environment(bench):
    top = "params: {t: {type: string}}\n"
    validation = bench.step("{table: '${params.t}'}", top=top, environ={"OSIRIS_PARAM_T": TOKEN})
    assert [item.message for item in validation.diagnostics] == [
        "the value of OSIRIS_PARAM_T looks like a secret (GitHub token)"
    ]


def test_a_reference_is_refused_even_beside_an_error(bench, found):
    validation = bench.step("{label: '${KEY}', x: 1}", component="sample.lone")
    assert [line.split()[0] for line in found(validation)] == ["OSR-OML-036", "OSR-CFG-002"]


@pytest.mark.parametrize(
    "config",
    [
        "{password: hunter22}",  # pragma: allowlist secret
        "{table: 5, password: hunter22}",  # pragma: allowlist secret
        "{connection: '@sample.x', password: hunter22}",  # pragma: allowlist secret
    ],
)
def test_a_password_under_a_key_that_does_not_exist_is_not_shown(bench, config):
    validation = bench.step(config)
    assert not validation.ok
    assert "hunter22" not in "".join(map(render, validation.diagnostics))


@pytest.mark.parametrize(
    "top",
    [
        "metadata: {db_password: hunter22}",  # pragma: allowlist secret
        "x-ci: {deploy: {token: hunter22}}",  # pragma: allowlist secret
        "x-password: hunter22",  # pragma: allowlist secret
    ],
)
def test_by_name_in_what_anybody_may_shape(bench, top):
    validation = bench.step("{table: t}", top=f"{top}\n")
    assert [item.code for item in validation.diagnostics] == ["OSR-OML-060"]
    assert "hunter22" not in "".join(map(render, validation.diagnostics))


def test_names_without_secrets(bench):
    assert bench.step("{table: t}", top="metadata: {password: '${DB_PASSWORD}', primary_key: id, token: ''}\n").ok


@pytest.mark.parametrize(
    "config",
    [
        "{table: primary_key}",
        "{columns: [password, token, api_key]}",
        "{options: {primary_key: customer_id, max_tokens: '100'}}",
        "{table: 'https://example.org/a@b'}",
        "{query: 'SELECT password FROM users'}",
        "{table: skyscraper-and-a-long-name-of-a-table}",
    ],
)
def test_what_is_no_secret(bench, config):
    assert bench.step(config).ok


@pytest.mark.parametrize("secret", [TOKEN, "postgres://u:hunter2hunter2@h/db"])  # pragma: allowlist secret
@pytest.mark.parametrize(
    "text",
    [
        "description: {}: x",
        "description: '{}'x",
        "description: &{} x",
        "description: !{} x",
        "{{'{}': 1, '{}': 2}}",
        "description: '{}",
        "- x:{}\n- b: c: d",
    ],
)
def test_a_mistake_of_yaml_does_not_show_what_looks_like_one(secret, text):
    from osiris_core.errors import InvalidInput
    from osiris_core.model import yaml

    with pytest.raises(InvalidInput) as raised:
        yaml.load(text.format(*[secret] * 2), file="p.yaml")
    shown = [*map(render, raised.value.diagnostics), str(raised.value), str(raised.value.hint)]
    hidden = secret.split("u:")[-1].split("@")[0]
    assert hidden not in "".join(shown)


@pytest.mark.parametrize(
    ("top", "options"),
    [
        ("params: {db_password: {type: string, default: hunter22}}\n", {}),  # pragma: allowlist secret
        ("params:\n  db_password:\n    type: string\n    default: hunter22\n", {}),
        ("params: {apiKey: {type: string, enum: [hunter22, b], default: '***'}}\n", {}),
        ("params: {db_password: {}}\nprofiles: {p: {params: {db_password: hunter22}}}\n", {"profile": "p"}),
        (
            "params: {db_password: {type: string}}\n",
            {"params": {"db_password": "hunter22"}},  # pragma: allowlist secret
        ),
        (
            "params: {db_password: {type: string}}\n",
            {"environ": {"OSIRIS_PARAM_DB_PASSWORD": "hunter22"}},  # pragma: allowlist secret
        ),
    ],
)
def test_a_parameter_that_is_called_a_password_has_no_value(bench, found, top, options):
    """A manifest holds the values of its parameters."""
    validation = bench.step("{}", top=top, **options)
    assert "OSR-OML-060" in [line.split()[0] for line in found(validation)]
    assert "hunter22" not in "".join(map(render, validation.diagnostics))


def test_a_parameter_that_is_called_a_key_of_a_table_has(bench):
    top = "params: {primary_key: {type: string, default: id, description: Not the password.}}\n"
    assert not [d for d in bench.step("{table: '${params.primary_key}'}", top=top).diagnostics if d.is_error]
