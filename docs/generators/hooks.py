"""The hook reference, from the hook specifications and the values they return."""

from __future__ import annotations

import inspect

from generators.config import fields
from generators.markdown import code, documented_fields, first_line, prose, table
from osiris_core import api
from osiris_core.plugins import hookspecs
from osiris_core.spec import behave, catalog, describe

DESCRIPTIONS = (
    "ComponentSpec",
    "DriverSpec",
    "ConnectionSpec",
    "DiscovererSpec",
    "LLMProviderSpec",
    "TargetSpec",
    "SecretStoreSpec",
    "Example",
)
PROTOCOLS = (
    "Driver",
    "DriverContext",
    "Dataset",
    "Partitioned",
    "Staged",
    "Binds",
    "Doctor",
    "Discoverer",
    "CatalogReader",
    "SecretStore",
    "Target",
)
CATALOG = (
    "Table",
    "ColumnInfo",
    "Key",
    "Index",
    "ForeignKey",
    "TableFault",
    "TableProfile",
    "ColumnProfile",
    "ValueCount",
    "Sample",
    "Overlap",
)
VALUES = ("Split", "Stage", "Receipt", "Report", "Health")


def page() -> str:
    """The page."""
    parts = [
        "# Hooks",
        prose(hookspecs.__doc__),
        f"A plugin imports `osiris_core.api` and nothing else of the core. This is API version `{api.OSIRIS_API}`: a "
        "plugin names the version it was written for in its entry module (`OSIRIS_API`), and is refused when the major "
        "differs or its minor is newer than the core's.",
        "## Hook functions",
    ]
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction):
        if name.startswith("osiris_"):
            parts += [f"### {name}", f"```python\ndef {name}{_signature(function)}\n```", prose(function.__doc__)]
    parts += ["## What hooks return", prose(describe.__doc__)]
    for name in DESCRIPTIONS:
        parts += _value(getattr(describe, name))
    parts += ["## What plugin code does", prose(behave.__doc__)]
    for name in PROTOCOLS:
        parts += _protocol(getattr(behave, name))
    parts.append("## Values that drivers exchange with the runtime")
    for name in VALUES:
        parts += _value(getattr(behave, name))
    parts += ["## What a discoverer says", prose(catalog.__doc__)]
    for name in CATALOG:
        cls = getattr(catalog, name)
        parts += [f"### {name}", prose(cls.__doc__), fields(cls)]
    parts += ["## Everything in `osiris_core.api`", ", ".join(code(name) for name in api.__all__)]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _value(cls: type) -> list[str]:
    rows = [(code(name), code(kind), note) for name, kind, note in documented_fields(cls)]
    return [f"### {cls.__name__}", prose(cls.__doc__), table(("field", "type", ""), rows)]


def _protocol(cls: type) -> list[str]:
    parts = [f"### {cls.__name__}", prose(cls.__doc__)]
    rows = []
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            rows.append((code(name), first_line(member.__doc__)))
        elif inspect.isfunction(member):
            parts += [f"```python\ndef {name}{_signature(member)}\n```", prose(member.__doc__)]
    parts.insert(2, table(("attribute", ""), rows))
    return parts


def _signature(function: object) -> str:
    assert callable(function)
    return str(inspect.signature(function)).replace("'", "")
