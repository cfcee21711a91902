"""What each hostile plugin ends in: its status, its code, and the exact message."""

from __future__ import annotations

import json
import os

import pytest

from osiris_core.plugins.index import IndexEntry
from osiris_core.plugins.loader import api_refusal
from osiris_core.plugins.registry import load_registry

ALONE = {
    # id: (entry module, status, code, message)
    "absent": ("osiris_absent", "failed", "OSR-PLG-004", "its entry module 'osiris_absent' does not exist"),
    "absent_part": (
        "osiris_good.plugin",
        "failed",
        "OSR-PLG-004",
        "its entry module 'osiris_good.plugin' does not exist",
    ),
    "raises": ("osiris_raises", "failed", "OSR-PLG-004", "its import failed: RuntimeError: the licence server says no"),
    "needs_absent": (
        "osiris_needs_absent",
        "failed",
        "OSR-PLG-004",
        "its import failed: ModuleNotFoundError: No module named 'package_that_nobody_has'",
    ),
    "syntax": (
        "osiris_syntax",
        "failed",
        "OSR-PLG-004",
        "its import failed: SyntaxError: invalid syntax (<string>, line 1)",
    ),
    "exits": ("osiris_exits", "failed", "OSR-PLG-004", "its import failed: it called sys.exit(3)"),
    "panics": (
        "osiris_panics",
        "failed",
        "OSR-PLG-004",
        "its import failed: PanicException: called `Option::unwrap()` on a `None` value",
    ),
    "unprintable": (
        "osiris_unprintable",
        "failed",
        "OSR-PLG-004",
        "its import failed: UnprintableError: (its message cannot be shown)",
    ),
    "screams": (
        "osiris_screams",
        "failed",
        "OSR-PLG-004",
        "its import failed: ValueError: \\x1b[2J\\u202e" + "A" * 274 + "…",
    ),
    "no_api": (
        "osiris_no_api",
        "incompatible",
        "OSR-PLG-003",
        "its entry module does not say which plugin API it was written for (OSIRIS_API)",
    ),
    "bad_api": ("osiris_bad_api", "incompatible", "OSR-PLG-003", "its OSIRIS_API is 1.0, which is not text like '1.0'"),
    "next_major": (
        "osiris_next_major",
        "incompatible",
        "OSR-PLG-003",
        "it was written for plugin API 2.0; this is 1.0",
    ),
    "next_minor": (
        "osiris_next_minor",
        "incompatible",
        "OSR-PLG-003",
        "it was written for plugin API 1.999; this is 1.0",
    ),
    "needs_newer_api": (
        "osiris_needs_newer_api",
        "incompatible",
        "OSR-PLG-003",
        "it needs something that plugin API 1.0 does not have: ImportError: cannot import name 'SomethingOfTomorrow'",
    ),
    "hook_raises": (
        "osiris_hook_raises",
        "failed",
        "OSR-PLG-005",
        "osiris_components failed: ZeroDivisionError: division by zero",
    ),
    "hook_panics": (
        "osiris_hook_panics",
        "failed",
        "OSR-PLG-005",
        "osiris_targets failed: PanicException: index out of bounds",
    ),
    "evasive": (
        "osiris_evasive",
        "failed",
        "OSR-PLG-005",
        "it cannot be examined: LookupError: nobody may see OSIRIS_API",
    ),
    "liar": ("osiris_liar", "failed", "OSR-PLG-005", "it cannot be examined: RuntimeError: no comment"),
    "slow": ("osiris_slow", "ok", None, None),
    "talks": ("osiris_talks", "ok", None, None),
    "late": ("osiris_late", "ok", None, None),
    "good": ("osiris_good", "ok", None, None),
}

BAD_ENTRIES = {
    # entry point's name: (value, id as shown, message)
    "../evil": (
        "osiris_raises",
        "../evil",
        "'../evil' is not a plugin id: lower-case letters, digits, and single '_' between them",
    ),
    "a/b": (
        "osiris_raises",
        "a/b",
        "'a/b' is not a plugin id: lower-case letters, digits, and single '_' between them",
    ),
    "Upper": (
        "osiris_raises",
        "Upper",
        "'Upper' is not a plugin id: lower-case letters, digits, and single '_' between them",
    ),
    "clear\x1b[2Jed": (
        "osiris_raises",
        "clear\\x1b[2Jed",
        "'clear\\x1b[2Jed' is not a plugin id: lower-case letters, digits, and single '_' between them",
    ),
    "l" * 5000: ("osiris_raises", "l" * 40 + "…", "a plugin's id has at most 40 characters, this one has 5000"),
    "attribute": (
        "osiris_raises:plugin",
        "attribute",
        "its entry point must name a module, not 'osiris_raises:plugin'",
    ),
    "relative": (".osiris_raises", "relative", "its entry point must name a module, not '.osiris_raises'"),
}


@pytest.fixture(scope="module")
def found(new_site):
    """All hostile plugins installed side by side, as ``osiris plugins list --json`` shows them."""
    site = new_site()
    modules = {module for module, *_ in ALONE.values()} - {"osiris_absent", "osiris_good.plugin"}
    for module in sorted(modules):
        ids = {name: entry for name, (entry, *_) in ALONE.items() if entry == module}
        site.install(module.replace("_", "-"), ids, files=[module])
    site.install("osiris-hollow", {name: ALONE[name][0] for name in ("absent", "absent_part")})
    site.install("osiris-evil", {name: value for name, (value, *_) in BAD_ENTRIES.items()})
    site.install("osiris-twin", {"twin": "osiris_twin"}, files=["osiris_twin"])
    site.install("twin-of-osiris", {"twin": "osiris_twin"}, version="0.3")
    site.install("osiris-first", {"first": "osiris_first"}, files=["osiris_first"])
    site.install("osiris-second", {"second": "osiris_second"}, files=["osiris_second"])
    site.install("osiris-usurper", {"usurper": "osiris_usurper", "duckdb": "osiris_usurper"}, files=["osiris_usurper"])
    site.install("osiris-nameless", {"nameless": "osiris_raises"}, metadata="nothing of use\n", version="0")
    done = site.osiris("plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    assert "SPOILED" not in done.stdout
    return done


@pytest.fixture(scope="module")
def listed(found):
    """The plugins of the core and the hostile ones, in the order listed."""
    return json.loads(found.stdout)["plugins"]


def one(listed, plugin_id, distribution=None):
    (plugin,) = (p for p in listed if p["id"] == plugin_id and distribution in (None, p["distribution"]))
    return plugin


@pytest.mark.parametrize("plugin_id", ALONE)
def test_a_plugin_that_fails_alone(listed, plugin_id):
    module, status, code, message = ALONE[plugin_id]
    plugin = one(listed, plugin_id)
    assert (plugin["module"], plugin["status"], plugin["code"]) == (module, status, code)
    if plugin_id == "needs_newer_api":  # Python adds where it looked
        assert plugin["message"].startswith(message)
    else:
        assert plugin["message"] == message


@pytest.mark.parametrize("name", BAD_ENTRIES, ids=lambda name: name[:12].replace("\x1b", "ESC"))
def test_an_entry_point_that_cannot_be_used(listed, name):
    _, shown, message = BAD_ENTRIES[name]
    plugin = one(listed, shown)
    assert (plugin["status"], plugin["code"], plugin["message"]) == ("failed", "OSR-PLG-001", message)
    assert plugin["distribution"] == "osiris-evil"
    assert plugin["import_ms"] is None


def test_the_list_is_sorted_and_nothing_is_lost(listed):
    keys = [(p["id"], p["distribution"]) for p in listed]
    assert keys == sorted(keys)
    assert {"local", "env", "duckdb", *ALONE} < {plugin_id for plugin_id, _ in keys}


def test_two_distributions_with_one_id_are_both_out_and_not_imported(listed):
    twins = [p for p in listed if p["id"] == "twin"]
    assert [(p["status"], p["import_ms"], p["message"]) for p in twins] == [
        ("conflict", None, "osiris-twin 1.0 and twin-of-osiris 0.3 both provide the plugin id 'twin'"),
        ("conflict", None, "twin-of-osiris 0.3 and osiris-twin 1.0 both provide the plugin id 'twin'"),
    ]
    assert {p["code"] for p in twins} == {"OSR-PLG-009"}
    assert twins[0]["hint"] == "uninstall one of them, or block it by its distribution's name in plugins.block"


def test_two_plugins_with_one_name_are_both_out(listed):
    assert one(listed, "first")["message"] == (
        "osiris-first 1.0 and osiris-second 1.0 both provide the secret store 'vault'"
    )
    assert one(listed, "second")["message"] == (
        "osiris-second 1.0 and osiris-first 1.0 both provide the secret store 'vault'"
    )
    assert {one(listed, name)["status"] for name in ("first", "second")} == {"conflict"}
    assert one(listed, "first")["provides"]["target"] == []


def test_nobody_takes_a_name_of_the_core(listed):
    assert one(listed, "duckdb", "osiris-core")["status"] == "ok"
    assert one(listed, "local")["status"] == "ok"
    by_id = one(listed, "duckdb", "osiris-usurper")
    assert by_id["status"] == "conflict"
    assert by_id["message"].startswith("osiris-usurper 1.0 and osiris-core ")
    assert by_id["message"].endswith(" both provide the plugin id 'duckdb'")
    by_name = one(listed, "usurper")
    assert by_name["status"] == "conflict"
    assert by_name["message"].startswith(
        "osiris-usurper 1.0 provides the target 'local', a name that belongs to plugin 'local' of osiris-core "
    )
    assert by_name["hint"] == "uninstall it, or block it by its distribution's name in plugins.block"


def test_a_distribution_without_a_name_is_still_listed(listed):
    plugin = one(listed, "nameless")
    assert (plugin["distribution"], plugin["version"], plugin["status"]) == ("(unknown)", "(unknown)", "failed")


def test_a_slow_import_is_measured_and_reported(listed):
    plugin = one(listed, "slow")
    assert plugin["import_ms"] >= 1200
    (warning,) = plugin["warnings"]
    assert warning.startswith("its import took ")
    assert warning.endswith(" s (more than 1.0 s)")


def test_what_a_plugin_prints_goes_to_standard_error(found, listed):
    plugin = one(listed, "talks")
    assert plugin["warnings"] == ["its import prints to standard output", "osiris_targets prints to standard output"]
    for what in ("print", "buffer", "the original stream", "descriptor", "a child", "a logger that kept the stream"):
        assert f"SPOILED by {what}" in found.stderr


def test_every_message_is_safe_to_print(listed):
    text = repr(listed)
    assert "\\x1b'" not in text
    for plugin in listed:
        for value in (plugin["id"], plugin["message"] or "", plugin["distribution"]):
            assert value.isprintable()
            assert len(value) < 400


def test_a_program_that_holds_the_registry_meets_the_same(on_path, capfd):
    for module in sorted({module for module, *_ in ALONE.values()} - {"osiris_absent", "osiris_good.plugin"}):
        on_path.install(module.replace("_", "-"), {}, files=[module])
    entries = [
        IndexEntry(id=name, module=module, distribution="osiris-hostile", version="1.0")
        for name, (module, *_) in ALONE.items()
    ]
    registry = load_registry(entries=entries)
    assert {info.id: (info.status.value, info.code) for info in registry.plugins} == {
        name: (status, code) for name, (_, status, code, _) in ALONE.items()
    }
    assert "SPOILED" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("declared", "refusal"),
    [
        ("1.0", None),
        ("1.1", "it was written for plugin API 1.1; this is 1.0"),
        ("0.9", "it was written for plugin API 0.9; this is 1.0"),
        ("2.0", "it was written for plugin API 2.0; this is 1.0"),
        ("1", "its OSIRIS_API is '1', which is not text like '1.0'"),
        ("1.0.0", "its OSIRIS_API is '1.0.0', which is not text like '1.0'"),
        ("1.0\n", "its OSIRIS_API is '1.0\\n', which is not text like '1.0'"),
        ("١.٠", "its OSIRIS_API is '١.٠', which is not text like '1.0'"),
        (b"1.0", "its OSIRIS_API is a bytes, which is not text like '1.0'"),
        ((1, 0), "its OSIRIS_API is (1, 0), which is not text like '1.0'"),
        ("9" * 500, "its OSIRIS_API is '" + "9" * 58 + "…, which is not text like '1.0'"),
    ],
)
def test_which_api_versions_are_accepted(declared, refusal):
    assert api_refusal(declared) == refusal


def test_an_interrupt_is_not_contained(site):
    site.install("osiris-interrupts", {"interrupts": "osiris_interrupts"}, files=["osiris_interrupts"])
    done = site.osiris("plugins", "list")
    assert done.returncode == 130
    assert "interrupted" in done.stderr


def test_entry_points_that_cannot_be_read_are_reported(site):
    site.install("osiris-good", {"good": "osiris_good"}, files=["osiris_good"])
    site.install("osiris-garbled", "garbled without equals sign\n")
    found = site.evaluate("result = [p.to_json() for p in load_registry().plugins]")
    assert one(found, "good")["status"] == "ok"
    garbled = one(found, "osiris-garbled")
    assert (garbled["status"], garbled["code"]) == ("failed", "OSR-PLG-001")
    assert garbled["message"].startswith("the entry points of osiris-garbled cannot be read (")


def test_of_two_copies_of_a_distribution_the_first_on_the_path_counts(site, tmp_path):
    second = type(site)(tmp_path / "second")
    second.folder.mkdir()
    site.install("osiris-good", {"good": "osiris_good"}, files=["osiris_good"], version="1.0")
    second.install("Osiris_Good", {"good": "osiris_good"}, files=["osiris_good"], version="2.0")
    path = os.pathsep.join([str(site.folder), str(second.folder)])
    program = "result = [(p.id, p.version, p.status) for p in load_registry().plugins if p.id == 'good']"
    assert site.evaluate(program, env={"PYTHONPATH": path}) == [["good", "1.0", "ok"]]
    site.install("osiris-garbled", "garbled without equals sign\n")  # sends the index down its other road
    assert site.evaluate(program, env={"PYTHONPATH": path}) == [["good", "1.0", "ok"]]
