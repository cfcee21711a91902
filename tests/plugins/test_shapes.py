"""What is stopped at the border: values of hooks with wrong types, names and texts, and hooks that are none."""

from __future__ import annotations

import attrs
import pytest

from osiris_core.plugins import shapes
from osiris_core.plugins.index import index
from osiris_core.plugins.registry import load_registry

PRELUDE = """\
from osiris_core.api import *
OSIRIS_API = "1.0"

@config
class Config:
    'A config.'
    path: str = field(doc="A path.")

@config
class Inner:
    'With a secret.'
    key: Secret = field(doc="A key.")

@config
class WithSecret:
    'A secret far inside.'
    inner: tuple[Inner, ...] = field(default=(), doc="Inside.")

class Attribute:
    pass

def component(**changes):
    return ComponentSpec(**{"name": "odd.extractor", "version": "1.0.0", "role": Role.EXTRACTOR, "config": Config,
                            "summary": "Odd."} | changes)

class Derived(TargetSpec):
    pass

def target(**changes):
    return TargetSpec(**{"name": "odd", "ref": "a:b", "summary": "Odd."} | changes)
"""

RETURNED = {
    # hook, what it returns: the message
    ("components", "None"): "osiris_components returned NoneType instead of a sequence of ComponentSpec",
    ("components", "7"): "osiris_components returned int instead of a sequence of ComponentSpec",
    ("components", "'odd.extractor'"): "osiris_components returned str instead of a sequence of ComponentSpec",
    ("components", "component()"): "osiris_components returned ComponentSpec instead of a sequence of ComponentSpec",
    (
        "components",
        "{'odd.extractor': component()}",
    ): "osiris_components returned dict instead of a sequence of ComponentSpec",
    ("components", "[Config]"): "osiris_components returned type among its values; each must be ComponentSpec itself",
    (
        "components",
        "[target()]",
    ): "osiris_components returned TargetSpec among its values; each must be ComponentSpec itself",
    ("targets", "[Derived(name='odd', ref='a:b', summary='Odd.')]"): (
        "osiris_targets returned Derived among its values; each must be TargetSpec itself"
    ),
    ("targets", "iter(target, None)"): "osiris_targets returned more than 1000 values",
    ("components", "[component(), component()]"): "osiris_components returned 'odd.extractor' twice",
    ("components", "[component(name='other.extractor')]"): (
        "osiris_components returned the name 'other.extractor', which must start with 'odd.'"
    ),
    ("components", "[component(name='oddity.extractor')]"): (
        "osiris_components returned the name 'oddity.extractor', which must start with 'odd.'"
    ),
    ("components", "[component(name='odd')]"): (
        "osiris_components returned the name 'odd', which is not of the form 'family.role'"
    ),
    ("components", "[component(name='odd.../../etc/passwd')]"): (
        "osiris_components returned the name 'odd.../../etc/passwd', which is not of the form 'family.role'"
    ),
    ("components", "[component(name='odd.extractor\\n')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor\\n' whose 'name' "
        "holds control, invisible or direction-changing characters"
    ),
    ("components", "[component(name='odd.' + 'x' * 5000)]"): (
        "osiris_components returned ComponentSpec 'odd." + "x" * 75 + "…' whose 'name' "
        "has 5004 characters; at most 80 are allowed"
    ),
    ("components", "[component(name='odd.\\N{CYRILLIC SMALL LETTER ER}')]"): (
        "osiris_components returned the name 'odd.р', which is not of the form 'family.role'"
    ),
    ("components", "[component(name=b'odd.extractor')]"): (
        "osiris_components returned ComponentSpec whose 'name' must be text, not bytes"
    ),
    (
        "components",
        "[component(name='')]",
    ): "osiris_components returned ComponentSpec '' whose 'name' must not be empty",
    ("components", "[component(version='1.0')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'version' must be a semantic version, not '1.0'"
    ),
    ("components", "[component(version=1)]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'version' must be text, not int"
    ),
    ("components", "[component(role='extractor')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'role' must be a Role, not str"
    ),
    ("components", "[component(config=dict)]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'config' must be a class made with @config"
    ),
    ("components", "[component(config={'type': 'object'})]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'config' must be a class made with @config"
    ),
    ("components", "[component(config=WithSecret)]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'config' has a field for a secret, which belongs "
        "to a connection"
    ),
    ("components", "[component(summary='\\x1b[31mred')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'summary' "
        "holds control, invisible or direction-changing characters"
    ),
    ("components", "[component(summary='two\\nlines')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'summary' "
        "holds control, invisible or direction-changing characters"
    ),
    ("components", "[component(description='\\ud800')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'description' "
        "holds control, invisible or direction-changing characters"
    ),
    ("components", "[component(connection='@odd.main')]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'connection' "
        "must be a connection family, not '@odd.main'"
    ),
    ("components", "[component(connection_required=1)]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'connection_required' must be true or false, not int"
    ),
    ("components", "[component(hints=['one'])]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'hints' must be a tuple, not list"
    ),
    ("components", "[component(hints=('one', 2))]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'hints' holds a value that must be text, not int"
    ),
    ("components", "[component(examples=({'path': 'x'},))]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'examples' "
        "holds a value that must be Example, not dict"
    ),
    ("components", "[component(examples=(Example(title='x', config={1: 2}),))]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'examples' "
        "holds a value that has a 'config' that must have text as keys"
    ),
    ("components", "[component(errors=(ErrorEntry('OSR-ODD-001', '', 'x'),))]"): (
        "osiris_components returned ComponentSpec 'odd.extractor' whose 'errors' "
        "holds a value that has a 'title' that must not be empty"
    ),
    ("drivers", "[DriverSpec(component='odd.extractor', ref='a:b')]"): (
        "osiris_drivers returned a driver for 'odd.extractor', which osiris_components does not describe"
    ),
    ("drivers", "[DriverSpec(component='local.extractor', ref='a:b')]"): (
        "osiris_drivers returned the name 'local.extractor', which must start with 'odd.'"
    ),
    ("drivers", "[DriverSpec(component='odd.extractor', ref='a b:c')]"): (
        "osiris_drivers returned DriverSpec 'odd.extractor' whose 'ref' "
        "must be a reference 'package.module:attribute', not 'a b:c'"
    ),
    ("drivers", "[DriverSpec(component='odd.extractor', ref=Config)]"): (
        "osiris_drivers returned DriverSpec 'odd.extractor' whose 'ref' must be text, not type"
    ),
    ("drivers", "[DriverSpec(component='odd.extractor', ref='a:b', capabilities=frozenset({'flies'}))]"): (
        "osiris_drivers returned DriverSpec 'odd.extractor' whose 'capabilities' "
        "holds a value that must be a Capability, not str"
    ),
    ("connections", "[ConnectionSpec(family='local', config=Config, summary='x')]"): (
        "osiris_connections returned the family 'local', which must be 'odd' or start with 'odd_'"
    ),
    ("connections", "[ConnectionSpec(family='odd-one', config=Config, summary='x')]"): (
        "osiris_connections returned ConnectionSpec 'odd-one' whose 'family' must be a connection family, not 'odd-one'"
    ),
    ("connections", "[ConnectionSpec(family='odd', config=Config, summary='x', example=[1])]"): (
        "osiris_connections returned ConnectionSpec 'odd' whose 'example' must be a mapping, not list"
    ),
    ("discoverers", "[DiscovererSpec(family='env', ref='a:b')]"): (
        "osiris_discoverers returned the family 'env', which must be 'odd' or start with 'odd_'"
    ),
    ("targets", "[target(name='../odd')]"): (
        "osiris_targets returned the name '../odd': lower-case letters and digits, single '-' or '_' between"
    ),
    ("secret_stores", "[SecretStoreSpec(scheme='Odd', ref='a:b', summary='x')]"): (
        "osiris_secret_stores returned the name 'Odd': lower-case letters and digits, single '-' or '_' between"
    ),
    ("llm_providers", "[LLMProviderSpec(name='odd', ref='a:b', config=Attribute, summary='x')]"): (
        "osiris_llm_providers returned LLMProviderSpec 'odd' whose 'config' must be a class made with @config"
    ),
}

MODULES = {
    # source after the prelude: the message
    "@hookimpl\ndef osiris_componets(): return []": "there is no hook 'osiris_componets'; did you mean 'osiris_components'?",
    "@hookimpl\ndef osiris_polish_shoes(): return []": "there is no hook 'osiris_polish_shoes'",
    "def osiris_components(): return []": "'osiris_components' lacks the @hookimpl decorator",
    "@hookimpl(wrapper=True)\ndef osiris_components():\n    return (yield)": (
        "'osiris_components' is a hook wrapper; a hook returns values, it does not change those of others"
    ),
    "@hookimpl\ndef osiris_targets(): return []\n@hookimpl(specname='osiris_targets')\ndef more(): return []": (
        "'osiris_targets' is implemented 2 times"
    ),
    "@hookimpl\ndef osiris_run_event(event, session): pass": (
        "hook 'osiris_run_event'; hookimpl definition: osiris_run_event(event, session); "
        "Argument(s) {'session'} are declared in the hookimpl but can not be found in the hookspec"
    ),
}


@pytest.fixture
def odd(on_path):
    """Loads a plugin 'odd' made of the prelude and a text."""

    def load(text):
        on_path.install("osiris-odd", {"odd": "osiris_odd"}, sources={"osiris_odd.py": f"{PRELUDE}\n{text}\n"})
        registry = load_registry(entries=[entry for entry in index() if entry.id == "odd"])
        assert registry.components() == registry.targets() == ()
        (info,) = registry.plugins
        return info

    return load


@pytest.mark.parametrize(("hook", "returned"), RETURNED)
def test_what_a_hook_must_not_return(odd, hook, returned):
    info = odd(f"@hookimpl\ndef osiris_{hook}(): return {returned}")
    assert (info.status.value, info.code) == ("failed", "OSR-PLG-006")
    assert info.message == RETURNED[hook, returned]


def test_a_hook_must_not_be_a_coroutine(odd):
    info = odd("@hookimpl\nasync def osiris_components(): return []")
    assert info.message == "osiris_components returned coroutine instead of a sequence of ComponentSpec"


@pytest.mark.parametrize("source", MODULES)
def test_what_a_module_must_not_implement(odd, source):
    info = odd(source)
    assert (info.status.value, info.code) == ("failed", "OSR-PLG-007")
    assert info.message == MODULES[source]


def test_one_bad_value_is_enough_to_keep_all_of_a_plugin_out(odd):
    info = odd(
        "@hookimpl\ndef osiris_targets(): return [target()]\n"
        "@hookimpl\ndef osiris_components(): return [component(), component(name='odd.writer', version='x')]"
    )
    assert info.status.value == "failed"


def test_every_field_of_every_description_is_checked():
    for cls, checks in shapes._FIELDS.items():
        assert set(checks) == {attribute.name for attribute in attrs.fields(cls)}, cls


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("0.1.0", True),
        ("10.20.30", True),
        ("1.0.0-alpha.1", True),
        ("1.0.0-rc.1+build.5", True),
        ("1.0.0+20130313144700", True),
        ("1", False),
        ("v1.0.0", False),
        ("01.0.0", False),
        ("1.0.0-", False),
        ("1.0.0 ", False),
        ("1.0.٣", False),
    ],
)
def test_what_a_semantic_version_is(version, good):
    assert bool(shapes.VERSION.match(version)) is good
