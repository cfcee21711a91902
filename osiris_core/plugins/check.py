"""Whether what a plugin describes is good: configs that have a schema, examples that are valid, code that is there.

The loader lets in what cannot do harm; this says what its author should mend. ``osiris components validate`` and
``osiris plugins check`` print it, and a plugin's own tests can call it.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core import catalogue
from osiris_core.diagnostics import Diagnostic, Path, Severity
from osiris_core.errors import PluginError
from osiris_core.ids import COMPONENT_NAME, CONNECTION_REF
from osiris_core.model.fields import info_of
from osiris_core.model.schema import json_schema
from osiris_core.model.structure import structure
from osiris_core.plugins.containment import contained
from osiris_core.spec.behave import Binds, Driver, KeepsState, Partitioned, Staged
from osiris_core.spec.describe import RESERVED_CONFIG, Capability, ComponentSpec, DriverSpec, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_core.plugins.registry import Registry

PROTOCOLS: Final[Mapping[Capability, tuple[type, Role | None]]] = {
    Capability.PARTITIONED: (Partitioned, Role.EXTRACTOR),
    Capability.STAGED: (Staged, Role.WRITER),
    Capability.BINDS: (Binds, None),
    Capability.KEEPS_STATE: (KeepsState, Role.WRITER),
}
"""The Protocol behind each capability, and the only role it makes sense for."""

_ERROR_CODE: Final = re.compile(r"OSR-[A-Z][A-Z0-9]*-\d{3}\Z")
_MARKUP: Final = re.compile(r"```|</?[A-Za-z][^>]*>|\{\{|\$\{")
_MAX_HINT: Final = 500


def check_component(registry: Registry, name: str) -> list[Diagnostic]:
    """Everything that is wrong with the component ``name`` of ``registry``; PluginError when there is none."""
    spec = registry.component(name)
    return [
        *_check_config(spec.config),
        *_check_reserved(spec),
        *_check_examples(spec),
        *_check_dialect(spec),
        *_check_text(spec),
        *_check_connection(registry, spec),
        *_check_errors(spec),
        *_check_driver(registry, spec),
    ]


def check_connection(registry: Registry, family: str) -> list[Diagnostic]:
    """Everything that is wrong with the connection family ``family``."""
    spec = registry.connection(family)
    findings = list(_check_config(spec.config))
    if spec.example and not any(finding.is_error for finding in findings):
        findings += _structured("the example", spec.config, spec.example, ("example",), placeholders=True)
    if spec.doctor is not None:
        findings += _check_behaviour(registry, spec.doctor, ("check",), ("doctor",))
    return findings


def check_plugin(registry: Registry, plugin_id: str) -> list[tuple[str, Diagnostic]]:
    """Everything that is wrong with what a usable plugin describes, each with the thing it concerns."""
    findings: list[tuple[str, Diagnostic]] = []
    info = registry.plugin(plugin_id)
    provided = registry.provided_by(info) if info else {}
    for name in provided.get("component", ()):
        findings += [(name, found) for found in check_component(registry, name)]
    for family in provided.get("connection", ()):
        findings += [(f"connection {family}", found) for found in check_connection(registry, family)]
    others: list[tuple[str, tuple[Any, ...], tuple[str, ...]]] = [
        ("discoverer", registry.discoverers(), ("open",)),
        ("target", registry.targets(), ("prepare", "execute", "collect", "close")),
        ("secret_store", registry.secret_stores(), ("get",)),
        ("llm_provider", registry.llm_providers(), ()),
    ]
    for kind, specs, methods in others:
        for spec in (spec for spec in specs if spec.name in provided.get(kind, ())):
            label = f"{kind.replace('_', ' ')} {spec.name}"
            findings += [(label, found) for found in _check_behaviour(registry, spec.ref, methods, ("ref",))]
    return findings


def _check_config(config: type) -> Iterator[Diagnostic]:
    outcome = contained(lambda: json_schema(config))
    if outcome.failure is not None:
        yield _error("OSR-PLG-030", f"its config class has no JSON Schema: {outcome.failure.message}", ("config",))
        return
    for attribute in attrs.fields(config):
        if not info_of(attribute).doc.strip():
            yield _error("OSR-PLG-030", f"'{attribute.name}' has no description", ("config", attribute.name))


def _check_reserved(spec: ComponentSpec) -> Iterator[Diagnostic]:
    for name in sorted({attribute.name for attribute in attrs.fields(spec.config)}.intersection(RESERVED_CONFIG)):
        message = f"its config has a field '{name}', which the core takes for itself"
        yield _error("OSR-PLG-030", message, ("config", name))


def _check_examples(spec: ComponentSpec) -> Iterator[Diagnostic]:
    if not spec.examples:
        yield _warning("OSR-PLG-031", "it has no example", ("examples",))
    for number, example in enumerate(spec.examples):
        path: Path = ("examples", number)
        config = {key: value for key, value in example.config.items() if key not in RESERVED_CONFIG}
        yield from _structured(f"the example '{example.title}'", spec.config, config, path)
        reference = example.config.get("connection")
        if reference is None:
            continue
        match = CONNECTION_REF.match(reference) if isinstance(reference, str) else None
        if match is None or match["family"] != spec.connection:
            wanted = (
                f"'@{spec.connection}.alias'" if spec.connection else "none, since the component takes no connection"
            )
            yield _error("OSR-PLG-031", f"the connection of the example '{example.title}' must be {wanted}", path)


def _structured(
    what: str, config: type, data: Mapping[str, Any], path: Path, *, placeholders: bool = False
) -> Iterator[Diagnostic]:
    outcome = contained(lambda: structure(config, dict(data), placeholders=placeholders)[1])
    if outcome.failure is not None:
        yield _error("OSR-PLG-031", f"{what} cannot be checked: {outcome.failure.message}", path)
        return
    for finding in outcome.get():
        message = f"{what} is not valid: {finding.message}"
        yield attrs.evolve(finding, code="OSR-PLG-031", message=message, path=(*path, *finding.path))


def _check_dialect(spec: ComponentSpec) -> Iterator[Diagnostic]:
    from sqlglot.dialects.dialect import Dialect

    if Dialect.get(spec.sql_dialect) is None:
        yield _error("OSR-PLG-030", f"sqlglot knows no dialect '{spec.sql_dialect}'", ("sql_dialect",))


def _check_text(spec: ComponentSpec) -> Iterator[Diagnostic]:
    match = COMPONENT_NAME.match(spec.name)
    if match and not match["role"].endswith(spec.role.value):
        yield _warning("OSR-PLG-032", f"its name does not end in its role, '{spec.role.value}'", ("name",))
    for number, hint in enumerate(spec.hints):
        path: Path = ("hints", number)
        if "\n" in hint or len(hint) > _MAX_HINT:
            yield _error(
                "OSR-PLG-032", f"a hint is one sentence or two on one line, at most {_MAX_HINT} characters", path
            )
        elif _MARKUP.search(hint):
            yield _error("OSR-PLG-032", "a hint is plain text, without markup or placeholders", path)


def _check_connection(registry: Registry, spec: ComponentSpec) -> Iterator[Diagnostic]:
    if spec.connection is not None and spec.connection not in {known.family for known in registry.connections()}:
        message = f"no installed plugin describes its connection family '{spec.connection}'"
        yield _error("OSR-PLG-033", message, ("connection",))


def _check_errors(spec: ComponentSpec) -> Iterator[Diagnostic]:
    for number, entry in enumerate(spec.errors):
        path: Path = ("errors", number)
        if _ERROR_CODE.match(entry.code) is None:
            yield _error("OSR-PLG-034", f"the code '{entry.code}' is not of the form OSR-AREA-000", path)
        elif catalogue.remedy(entry.code) is not None:
            yield _error("OSR-PLG-034", f"the code '{entry.code}' is one of the core's", path)


def _check_driver(registry: Registry, spec: ComponentSpec) -> Iterator[Diagnostic]:
    try:
        driver = registry.driver(spec.name)
        made = registry.load(driver.ref)
    except PluginError as error:
        yield _error("OSR-PLG-035", error.message, ("driver",))
        return
    if not inspect.isclass(made):
        yield _error("OSR-PLG-036", f"'{driver.ref}' is not a class", ("driver",))
        return
    if _constructor_needs_arguments(made):
        yield _error("OSR-PLG-036", f"'{driver.ref}' must be constructible without arguments", ("driver",))
    for name, signature in _methods(Driver).items():
        if not _takes(made, name, signature):
            yield _error("OSR-PLG-036", f"'{driver.ref}' has no method {name}({_call(signature)})", ("driver",))
    yield from _check_capabilities(spec, driver, made)


def _check_capabilities(spec: ComponentSpec, driver: DriverSpec, made: type) -> Iterator[Diagnostic]:
    path: Path = ("driver", "capabilities")
    for capability, (protocol, role) in PROTOCOLS.items():
        methods = _methods(protocol)
        if capability not in driver.capabilities:
            if all(_takes(made, name, signature) for name, signature in methods.items()):
                message = f"'{driver.ref}' is {protocol.__name__} but does not claim '{capability.value}'"
                yield _warning("OSR-PLG-037", message, path)
            continue
        if role is not None and spec.role is not role:
            message = f"'{capability.value}' is for a component whose role is {role.value}, not {spec.role.value}"
            yield _error("OSR-PLG-037", message, path)
        for name, signature in methods.items():
            if not _takes(made, name, signature):
                message = f"'{driver.ref}' claims '{capability.value}' but has no method {name}({_call(signature)})"
                yield _error("OSR-PLG-037", message, path)


def _check_behaviour(registry: Registry, ref: str, methods: tuple[str, ...], path: Path) -> Iterator[Diagnostic]:
    try:
        made = registry.load(ref)
    except PluginError as error:
        yield _error("OSR-PLG-035", error.message, path)
        return
    for name in methods:
        if not callable(getattr(made, name, None)):
            yield _error("OSR-PLG-036", f"'{ref}' has no method {name}()", path)


def _methods(protocol: type) -> dict[str, inspect.Signature]:
    functions = {name: value for name, value in vars(protocol).items() if inspect.isfunction(value)}
    return {name: inspect.signature(functions[name]) for name in sorted(functions) if not name.startswith("_")}


def _call(signature: inspect.Signature) -> str:
    """The parameters of a Protocol's method as its author would write them."""
    parameters = [parameter for name, parameter in signature.parameters.items() if name != "self"]
    named = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    return ", ".join([*(p.name for p in parameters if p.name not in named), *(["*", *named] if named else [])])


def _takes(made: type, method: str, like: inspect.Signature) -> bool:
    """Whether instances of ``made`` have ``method`` and the runtime can call it as the Protocol's method ``like``.

    Parameters that the Protocol takes by position may have other names, those it takes by keyword may not.
    """
    function = getattr(made, method, None)
    if not callable(function):
        return False
    outcome = contained(lambda: inspect.signature(function))
    if outcome.failure is not None:
        return True  # written in another language, without a signature to look at
    static = isinstance(inspect.getattr_static(made, method), staticmethod | classmethod)
    named = {name for name, parameter in like.parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    placed = len(like.parameters) - len(named) - (1 if static else 0)
    try:
        outcome.get().bind(*[None] * placed, **dict.fromkeys(named))
    except TypeError:
        return False
    return True


def _constructor_needs_arguments(made: type) -> bool:
    outcome = contained(lambda: inspect.signature(made))
    if outcome.failure is not None:
        return False  # nothing to look at; calling it will tell
    try:
        outcome.get().bind()
    except TypeError:
        return True
    return False


def _error(code: str, message: str, path: Path) -> Diagnostic:
    return Diagnostic(code=code, message=message, path=path)


def _warning(code: str, message: str, path: Path) -> Diagnostic:
    return Diagnostic(code=code, message=message, path=path, severity=Severity.WARNING)
