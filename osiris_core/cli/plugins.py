"""``osiris plugins``: what is installed, where it comes from, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.output import (
    json_option,
    print_diagnostics,
    print_json,
    print_note,
    print_table,
    print_text,
    reporting,
)
from osiris_core.cli.workspace import open_workspace
from osiris_core.diagnostics import Diagnostic, Severity, did_you_mean, has_errors
from osiris_core.display import counted
from osiris_core.errors import ExitCode, PluginError
from osiris_core.plugins import record
from osiris_core.plugins.check import check_plugin
from osiris_core.plugins.containment import shortened
from osiris_core.plugins.index import distribution_for
from osiris_core.plugins.loader import KINDS
from osiris_core.plugins.missing import OURS, WORDS, diagnostic

if TYPE_CHECKING:
    from osiris_core.plugins.info import PluginInfo
    from osiris_core.plugins.registry import Registry


@click.group()
def plugins() -> None:
    """List and check the installed plugins."""


@plugins.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the installed plugins with their status.

    A plugin contributes only when its status is ok; the others say why they do not.
    """
    with reporting(as_json=as_json):
        registry = open_workspace().registry(notes=False)
        if as_json:
            print_json({"ok": True, "plugins": [_document(registry, info) for info in registry.plugins]})
            return
        headers = ("plugin", "distribution", "version", "api", "status", "provides")
        print_table(headers, [_row(registry, info) for info in registry.plugins])
        for info in registry.plugins:
            _explain(info)


@plugins.command()
@click.argument("plugin")
@json_option
def show(plugin: str, as_json: bool) -> None:
    """Show where PLUGIN comes from and what it provides."""
    with reporting(as_json=as_json):
        registry = open_workspace().registry(notes=False)
        found = _named(registry, plugin)
        if as_json:
            print_json({"ok": True, "plugins": [_document(registry, info) for info in found]})
            return
        for info in found:
            _show(registry, info)


@plugins.command()
@click.argument("names", metavar="[PLUGIN]...", nargs=-1)
@json_option
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Check plugins (all, or those named) thoroughly; exit 2 when one has an error.

    Loads each plugin, validates everything it describes, imports the code behind it, and compares the installed files
    with the distribution's record.
    """
    with reporting(as_json=as_json):
        registry = open_workspace().registry(notes=False)
        chosen = [info for name in names for info in _named(registry, name)] if names else list(registry.plugins)
        reports = [(info, _findings(registry, info)) for info in chosen]
        failed = any(has_errors(found for _, found in findings) for _, findings in reports)
        if as_json:
            print_json({"ok": not failed, "plugins": [_checked(info, findings) for info, findings in reports]})
        else:
            for info, findings in reports:
                _report(info, findings)
        if failed:
            raise click.exceptions.Exit(int(ExitCode.INVALID))


def _named(registry: Registry, name: str) -> list[PluginInfo]:
    found = [info for info in registry.plugins if info.id == name]
    if not found:
        hint = did_you_mean(name[:200], {info.id for info in registry.plugins})
        if hint is None and name in OURS:
            hint = f"a plugin of that name would come from `pip install {distribution_for(name)}`"
        raise PluginError("OSR-PLG-025", f"no plugin '{shortened(name, 80)}' is installed", hint=hint)
    return found


def _findings(registry: Registry, info: PluginInfo) -> list[tuple[str, Diagnostic]]:
    findings = [] if info.usable else [(info.id, diagnostic(info))]
    if info.usable:
        findings += check_plugin(registry, info.id)
    findings += [
        (info.id, Diagnostic(code="OSR-PLG-011", message=warning, severity=Severity.WARNING))
        for warning in info.warnings
    ]
    differences = record.check_record(info.distribution).message
    if differences is not None:
        message = f"files of {info.source}: {differences}"
        findings.append((info.id, Diagnostic(code="OSR-PLG-038", message=message, severity=Severity.WARNING)))
    return findings


def _provides(registry: Registry, info: PluginInfo) -> dict[str, list[str]]:
    """The names of everything that a plugin provides, by kind."""
    return registry.provided_by(info) if info.usable else {kind: [] for kind in KINDS}


def _document(registry: Registry, info: PluginInfo) -> dict[str, Any]:
    return {**info.to_json(), "provides": _provides(registry, info)}


def _checked(info: PluginInfo, findings: list[tuple[str, Diagnostic]]) -> dict[str, Any]:
    listed = [{"subject": subject, **found.to_json()} for subject, found in findings]
    return {**info.to_json(), "detail": info.detail, "diagnostics": listed}


def _row(registry: Registry, info: PluginInfo) -> tuple[object, ...]:
    counts = {kind: len(names) for kind, names in _provides(registry, info).items() if kind != "driver"}
    provides = ", ".join(counted(count, WORDS[kind]) for kind, count in counts.items() if count)
    return info.id, info.distribution, info.version, info.api, info.status.value, provides


def _explain(info: PluginInfo) -> None:
    if not info.usable:
        print_diagnostics([diagnostic(info)])
    for warning in info.warnings:
        print_note(f"note: plugin '{info.id}' ({info.source}): {warning}")


def _show(registry: Registry, info: PluginInfo) -> None:
    rows = [
        ("plugin", info.id),
        ("distribution", info.source),
        ("entry module", info.module),
        ("record hash", info.record_hash or "none"),
        ("plugin api", info.api or "unknown"),
        ("status", info.status.value),
        ("import", "not imported" if info.import_ms is None else f"{info.import_ms:.0f} ms"),
    ]
    rows += [
        (WORDS[kind], name) for kind, names in _provides(registry, info).items() for name in names if kind != "driver"
    ]
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print_text(f"{label:<{width}}  {value}")
    _explain(info)


def _report(info: PluginInfo, findings: list[tuple[str, Diagnostic]]) -> None:
    errors = sum(found.is_error for _, found in findings)
    others = len(findings) - errors
    verdict = "ok" if not findings else f"{counted(errors, 'error')}, {counted(others, 'other finding')}"
    print_text(f"{info.id} ({info.source}): {verdict}")
    for subject, found in findings:
        print_text(f"  {subject}: {found.severity.value}[{found.code}]: {found.message}")
        if found.advice:
            print_text(f"    = {found.advice}")
    if info.detail:
        print_note(info.detail)
