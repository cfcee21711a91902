"""``osiris components``: the kinds of steps that are installed, and how each is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import click

from osiris_core.cli.output import json_option, print_json, print_table, print_text, reporting
from osiris_core.cli.pipeline import require_family
from osiris_core.cli.workspace import open_workspace
from osiris_core.diagnostics import Diagnostic, has_errors
from osiris_core.errors import ExitCode, InvalidInput
from osiris_core.model.fields import info_of
from osiris_core.model.reference import FieldRow, field_rows
from osiris_core.model.schema import DIALECT, schema_hash
from osiris_core.model.yaml import dump
from osiris_core.oml.document import MODE_OF_ROLE
from osiris_core.oml.schema import oml_schema
from osiris_core.plugins.check import check_component
from osiris_core.spec.describe import ComponentSpec, Role

if TYPE_CHECKING:
    from osiris_core.plugins.registry import Registry


@click.group()
def components() -> None:
    """List and describe the installed components."""


@components.command("list")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Only components of this role.")
@click.option("--family", metavar="FAMILY", help="Only components of this family, e.g. filesystem.")
@json_option
def list_(role: str | None, family: str | None, as_json: bool) -> None:
    """List the installed components."""
    with reporting(as_json=as_json):
        registry = open_workspace().registry()
        require_family(family, {spec.name.partition(".")[0] for spec in registry.components()}, "components")
        found = [
            spec
            for spec in registry.components()
            if role in (None, spec.role.value) and family in (None, spec.name.partition(".")[0])
        ]
        if as_json:
            print_json({"ok": True, "components": [_summary(registry, spec) for spec in found]})
            return
        headers = ("component", "version", "role", "connection", "distribution", "summary")
        print_table(headers, [_row(registry, spec) for spec in found])


@components.command()
@click.argument("component")
@json_option
def show(component: str, as_json: bool) -> None:
    """Describe COMPONENT: its config, connection, examples and where it comes from."""
    with reporting(as_json=as_json):
        registry = _registry_for(component)
        spec = registry.component(component)
        if as_json:
            print_json({"ok": True, "component": _document(registry, spec)})
            return
        _show(registry, spec)


@components.command()
@click.argument("names", metavar="[COMPONENT]...", nargs=-1)
@json_option
def validate(names: tuple[str, ...], as_json: bool) -> None:
    """Validate the specs of components (all, or those named); exit 2 when one has an error.

    Checks config classes and their schemas, examples, hints, connection families, error codes, and that each driver can
    be imported and can do what it claims.
    """
    with reporting(as_json=as_json):
        registry = open_workspace().registry()
        chosen = names or tuple(spec.name for spec in registry.components())
        reports = [(name, check_component(registry, name)) for name in chosen]
        failed = any(has_errors(findings) for _, findings in reports)
        if as_json:
            listed = [{"component": name, "diagnostics": [f.to_json() for f in findings]} for name, findings in reports]
            print_json({"ok": not failed, "components": listed})
        else:
            for name, findings in reports:
                _report(name, findings)
        if failed:
            raise click.exceptions.Exit(int(ExitCode.INVALID))


@components.command("config-example")
@click.argument("component")
@click.option("--number", type=click.IntRange(min=1), default=1, show_default=True, help="Which of its examples.")
@json_option
def config_example(component: str, number: int, as_json: bool) -> None:
    """Print a step that uses COMPONENT, ready to be pasted below `steps:`."""
    with reporting(as_json=as_json):
        spec = _registry_for(component).component(component)
        title, step = _example(spec, number)
        if as_json:
            print_json({"ok": True, "title": title, "step": step})
            return
        print_text(f"# {title}\n{dump([step])}".rstrip())


@components.command()
@click.argument("component")
@click.option("--json", "as_json", is_flag=True, help="The schema is JSON in any case; errors become JSON too.")
def schema(component: str, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of the config of a step that uses COMPONENT."""
    with reporting(as_json=as_json):
        registry = _registry_for(component)
        registry.component(component)
        print_json({"$schema": DIALECT, **oml_schema(registry)["$defs"][f"config:{component}"]})


def _registry_for(component: str) -> Registry:
    """A registry that knows ``component`` and its connection, loaded from its own plugin alone where that has both.

    Otherwise all plugins are loaded, also to explain why something is missing.
    """
    workspace = open_workspace()
    registry = workspace.registry(only=frozenset({component.partition(".")[0]}), notes=False)
    families = {None, *(connection.family for connection in registry.connections())}
    if any(spec.name == component and spec.connection in families for spec in registry.components()):
        return registry
    return workspace.registry(notes=False)


def _summary(registry: Registry, spec: ComponentSpec) -> dict[str, Any]:
    provider = registry.provider("component", spec.name)
    return {
        "name": spec.name,
        "version": spec.version,
        "role": spec.role.value,
        "mode": MODE_OF_ROLE[spec.role].value,
        "summary": spec.summary,
        "connection": spec.connection,
        "connection_required": spec.connection is not None and spec.connection_required,
        "plugin": provider.id,
        "distribution": provider.distribution,
        "distribution_version": provider.version,
    }


def _document(registry: Registry, spec: ComponentSpec) -> dict[str, Any]:
    return {
        **_summary(registry, spec),
        "description": spec.description,
        "capabilities": _capabilities(registry, spec),
        "sql_dialect": _dialect(spec),
        "config_schema": schema_hash(spec.config),
        "fields": [row.to_json() for row in field_rows(spec.config)],
        "examples": [{"title": example.title, "config": dict(example.config)} for example in spec.examples],
        "hints": list(spec.hints),
        "errors": [{"code": e.code, "title": e.title, "remedy": e.remedy} for e in spec.errors],
    }


def _row(registry: Registry, spec: ComponentSpec) -> tuple[object, ...]:
    distribution = registry.provider("component", spec.name).distribution
    return spec.name, spec.version, spec.role.value, spec.connection, distribution, spec.summary


def _capabilities(registry: Registry, spec: ComponentSpec) -> list[str]:
    drivers = {driver.component: driver for driver in registry.drivers()}
    return sorted(c.value for c in drivers[spec.name].capabilities) if spec.name in drivers else []


def _dialect(spec: ComponentSpec) -> str | None:
    """The dialect of the component's SQL, None when none of its fields holds any."""
    return spec.sql_dialect if any(info_of(attribute).sql for attribute in attrs.fields(spec.config)) else None


def _show(registry: Registry, spec: ComponentSpec) -> None:
    provider = registry.provider("component", spec.name)
    needed = "required" if spec.connection_required else "optional"
    lines = [
        f"{spec.name} {spec.version}: {spec.summary}",
        "",
        *([spec.description, ""] if spec.description else []),
        f"role        {spec.role.value} (mode: {MODE_OF_ROLE[spec.role].value})",
        f"connection  {f'@{spec.connection}.… ({needed})' if spec.connection else 'none'}",
        f"plugin      {provider.id} ({provider.source})",
    ]
    if capabilities := _capabilities(registry, spec):
        lines.append(f"can         {', '.join(capabilities)}")
    if dialect := _dialect(spec):
        lines.append(f"sql         {dialect}")
    print_text("\n".join([*lines, "", "config:"]))
    print_table(("field", "type", "default", "description"), [_field(row) for row in field_rows(spec.config)])
    for example in spec.examples:
        print_text(f"\nexample: {example.title}\n{dump([_step(spec, example.config)])}".rstrip())
    for title, items in (
        ("hints:", spec.hints),
        ("errors:", [f"{entry.code}  {entry.title}: {entry.remedy}" for entry in spec.errors]),
    ):
        if items:
            print_text("\n".join(["", title, *(f"  {item}" for item in items)]))


def _field(row: FieldRow) -> tuple[str, str, str, str]:
    doc = f"{row.doc} ({row.bounds})" if row.bounds else row.doc
    return row.name, row.type, "required" if row.default is None else row.default, doc


def _example(spec: ComponentSpec, number: int) -> tuple[str, dict[str, Any]]:
    if number <= len(spec.examples):
        example = spec.examples[number - 1]
        return example.title, _step(spec, example.config)
    if number > 1:
        count = len(spec.examples)
        raise InvalidInput("OSR-PLG-026", f"component '{spec.name}' has {count} example(s), so none is number {number}")
    config: dict[str, Any] = {"connection": f"@{spec.connection}.default"} if spec.connection else {}
    for row in field_rows(spec.config):
        if row.required and "." not in row.name:
            config[row.name] = _sample(spec, row)
    return "The required fields; fill them in", _step(spec, config)


def _sample(spec: ComponentSpec, row: FieldRow) -> Any:
    declared = info_of(attrs.fields_dict(spec.config)[row.name]).examples
    if declared:
        return declared[0]
    return f"<{row.type}>"


def _step(spec: ComponentSpec, config: Any) -> dict[str, Any]:
    return {
        "id": spec.name.replace(".", "-").replace("_", "-"),
        "component": spec.name,
        "mode": MODE_OF_ROLE[spec.role].value,
        "config": dict(config),
    }


def _report(name: str, findings: list[Diagnostic]) -> None:
    print_text(f"{name}: {'ok' if not findings else ''}".rstrip())
    for finding in findings:
        print_text(f"  {finding.severity.value}[{finding.code}]: {finding.message}")
        if finding.advice:
            print_text(f"    = {finding.advice}")
