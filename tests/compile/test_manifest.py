"""What a manifest holds, what its hash covers, and which fingerprint says what changed."""

from __future__ import annotations

import re

import pytest

from osiris_core.compile.form import from_data, hash_of, to_data
from osiris_core.errors import InvalidInput
from osiris_core.model import yaml


def parts_that_differ(before, after):
    return {part for part, value in before.fingerprints.items() if after.fingerprints[part] != value}


def test_what_it_holds(shop):
    manifest = shop.compile()
    read, rank, store = manifest.steps
    assert (manifest.name, manifest.oml_version, manifest.profile) == ("orders", "0.1.0", None)
    assert manifest.params == {"least": 0.5, "table": "big"}  # those used, no other
    assert (read.mode, read.needs, rank.needs, store.needs) == ("extract", (), ("read",), ("rank",))
    assert read.config == {
        "query": "SELECT id, amount FROM orders WHERE amount >= :least\n",
        "query_params": {"least": 0.5},
        "table": None,
        "schema": "main",
        "columns": None,
        "limit": None,
        "incremental": None,
    }
    assert store.config["table"] == "big_orders"
    assert (store.connection.ref, store.connection.identity) == ("@duckdb.main", {"path": "${DB}"})
    assert store.connection.overrides == {"lock_timeout": 5}
    assert [(pin.kind, pin.name) for pin in manifest.pins] == [
        ("component", "duckdb.extractor"),
        ("component", "duckdb.processor"),
        ("component", "duckdb.writer"),
        ("connection", "duckdb"),
    ]
    assert manifest.strict_types is True
    assert set(manifest.fingerprints) == {"oml", "params", "profile", "connections", "plugins", "compiler"}
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in (manifest.hash, *manifest.fingerprints.values()))


def test_it_does_not_depend_on_the_environment_of_connections(shop, monkeypatch):
    before = shop.compile()
    monkeypatch.setenv("DB", "other.duckdb")
    assert shop.compile() == before


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("description: Big orders.", "description: All orders.", {"oml"}),
        ("{owner: data}", "{owner: me}", {"oml"}),
        ("mode: append", "mode: replace", {"oml"}),
        ("SELECT id, amount", "SELECT id,  amount", {"oml"}),
        ("default: 0.5", "default: 0.6", {"oml", "params"}),
        ("lock_timeout: 5", "lock_timeout: 6", {"oml", "connections"}),
    ],
)
def test_a_change_of_the_document_changes_the_hash_and_its_part(shop, old, new, parts):
    before = shop.compile()
    after = shop.edit(old, new).compile()
    assert before.hash != after.hash
    assert parts_that_differ(before, after) == parts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mode: read", "mode: extract"),
        ("name: orders", "# a comment\nname: 'orders'"),
        ("name: orders", "x-owner: me\nname: orders"),
        ("  dev: {}", "  test: {params: {least: 3}}"),
        ("type: number", "type: float"),
        (", description: The smallest amount.", ", description: Least."),
        ("mode: transform\n", "mode: transform\n    needs: [read]\n"),
    ],
)
def test_what_means_the_same_has_the_same_hash(shop, old, new):
    before = shop.compile()
    assert shop.edit(old, new).compile() == before


def test_parameters_profile_connections_and_options_have_parts_of_their_own(shop):
    before = shop.compile()
    assert parts_that_differ(before, shop.compile(params={"least": "7"})) == {"params"}
    assert parts_that_differ(before, shop.compile(params={"unused": "7"})) == set()
    assert parts_that_differ(before, shop.compile(profile="dev")) == {"profile"}
    assert parts_that_differ(before, shop.compile(profile="prod")) == {"profile", "params", "connections"}
    assert parts_that_differ(before, shop.compile(strict_types=False)) == {"compiler"}
    shop.connect('connections: {duckdb: {main: {path: "${OTHER}", default: true}, prod: {path: x}}}')
    assert parts_that_differ(before, shop.compile()) == {"connections"}


def test_a_parameter_from_the_environment(shop):
    assert shop.compile(environment={"OSIRIS_PARAM_LEAST": "7"}) == shop.compile(params={"least": "7"})


def test_the_written_form_reads_back(shop):
    manifest = shop.compile(profile="prod")
    data = yaml.load(yaml.dump(to_data(manifest)), file="m").data
    assert from_data(data, where="m") == manifest


def test_every_value_is_covered_by_the_hash(shop):
    data = to_data(shop.compile(profile="prod"))
    leaves = list(_leaves(data))
    assert len(leaves) > 60
    for path, value in leaves:
        if path == ("hash",):
            continue
        changed = yaml.load(yaml.dump(data), file="m").data
        _set(changed, path, _another(value))
        assert hash_of(changed) != data["hash"], path
        with pytest.raises(InvalidInput) as raised:
            from_data(changed, where="m")
        assert raised.value.code == ("OSR-CMP-004" if path == ("format",) else "OSR-CMP-003")
    with pytest.raises(InvalidInput, match="does not match its hash"):
        from_data({**data, "hash": "0" * 64}, where="m")


def test_errors_are_raised_together_and_warnings_when_strict(shop):
    shop.edit("mode: append", "mode: apend")
    shop.edit("component: duckdb.processor", "component: duckdb.procesor")
    with pytest.raises(InvalidInput) as raised:
        shop.compile()
    assert raised.value.code == "OSR-CMP-001"
    assert [item.code for item in raised.value.diagnostics if item.is_error] == ["OSR-OML-015", "OSR-CFG-004"]
    assert raised.value.message == "the pipeline cannot be compiled: 2 errors"


def test_modes_of_validation_decide_what_a_warning_does(shop):
    assert shop.compile(mode="warn") == shop.compile(mode="off")
    with pytest.raises(InvalidInput, match="cannot be compiled: 1 error") as raised:
        shop.compile(mode="strict")
    assert [item.code for item in raised.value.diagnostics] == ["OSR-OML-039"]


MALFORMED = {
    "list": ([], "this is not a manifest: manifest is not a mapping"),
    "OML": ({"oml_version": "0.1.0"}, "this is not a manifest: it has no `format` and `hash`"),
    "format": ({"format": 2, "hash": ""}, "the manifest has format 2; this Osiris reads format 1"),
    "keys": ({"format": 1, "hash": "", "x": 1}, "this is not a manifest: manifest lacks "),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_manifest(case):
    data, message = MALFORMED[case]
    with pytest.raises(InvalidInput) as raised:
        from_data(data, where="m")
    assert raised.value.message.startswith(message)
    assert raised.value.where == "m"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("name",), "../../etc", "its name is not one of a pipeline"),
        (("steps", 0, "id"), "../x", "steps[0] has an id, component or mode that no compiler writes"),
        (("steps", 0, "mode"), "read", "steps[0] has an id, component or mode that no compiler writes"),
        (("steps", 0, "needs"), ["store"], "step 'read' is out of order, or its id is taken"),
        (("steps", 1, "id"), "read", "step 'read' is out of order, or its id is taken"),
        (("steps", 0, "needs"), [1], "steps[0].needs holds something other than ids"),
        (("steps", 0, "config"), [], "`config` is of the wrong type"),
        (("steps", 0, "connection", "ref"), "main", "steps[0].connection.ref is no reference"),
        (("steps", 0), [], "steps[0] is not a mapping"),
        (("steps",), {}, "`steps` is of the wrong type"),
        (
            ("pins",),
            [],
            "it has no pin for component duckdb.extractor, component duckdb.processor, component duckdb.writer, "
            "connection duckdb",
        ),
        (("pins", 0, "kind"), "target", "a pin is of a kind that no compiler writes"),
        (("pins", 0, "version"), None, "`version` is of the wrong type"),
        (("pins", 3, "version"), "1.0.0", "`version` is of the wrong type"),
        (("pins", 0, "api"), 1, "`api` is of the wrong type"),
        (("strict_types",), 1, "`strict_types` is of the wrong type"),
        (("profile",), [], "`profile` is of the wrong type"),
        (("metadata",), None, "`metadata` is of the wrong type"),
    ],
)
def test_a_forged_manifest_with_a_good_hash_is_still_checked(shop, path, value, message):
    data = to_data(shop.compile())
    _set(data, path, value)
    data["hash"] = hash_of(data)
    with pytest.raises(InvalidInput) as raised:
        from_data(data, where="m")
    assert raised.value.message == f"this is not a manifest: {message}"


def _leaves(value, path=()):
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, (*path, key))
    else:
        yield path, value


def _set(data, path, value):
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _another(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else "x"
