"""Which connection a step uses: what it names, or the family's default, after the profile has had its say.

A profile's ``connections`` maps a family to an alias (for steps that name no connection) or a reference to another of
the same family (for steps that name it): ``{mysql: prod, "@mysql.shop": "@mysql.shop_prod"}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.diagnostics import has_errors
from osiris_core.errors import OsirisError
from osiris_core.ids import CONNECTION_REF
from osiris_core.project.connections import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.diagnostics import Path
    from osiris_core.oml.document import ProfileDoc
    from osiris_core.oml.findings import Findings
    from osiris_core.project.connections import ConnectionEntry, Connections
    from osiris_core.spec.describe import ComponentSpec

REF_FORM: Final = "a connection is named `@family.alias`"


@attrs.frozen(kw_only=True)
class Choice:
    """The connection of a step. ``entry`` is None when no connections file was consulted."""

    family: str
    alias: str
    entry: ConnectionEntry | None
    overrides: Mapping[str, Any]

    @property
    def ref(self) -> str:
        """``@family.alias``."""
        return f"@{self.family}.{self.alias}"


@attrs.frozen(kw_only=True)
class Chooser:
    """Chooses connections for the steps of one document."""

    connections: Connections | None
    profile: ProfileDoc | None
    findings: Findings
    applied: set[str] = attrs.field(factory=set)
    """The keys of the profile's ``connections`` that some step made use of."""
    judged: set[str] = attrs.field(factory=set)
    """The connections whose own faults were reported."""

    def choose(self, spec: ComponentSpec, config: Mapping[str, Any], path: Path) -> Choice | None:
        """The connection for a step of ``spec`` with ``config`` at ``path``; None when it has none."""
        family = spec.connection
        if family is None:
            for key in ("connection", "connection_overrides"):
                if key in config:
                    message = f"{spec.name} takes no connection"
                    self.findings.error("OSR-OML-052", message, (*path, key), hint=f"remove `{key}`", key=True)
            return None
        ref = self._reference(family, spec, config, path)
        if ref is None:
            return None
        entry = self._entry(family, ref or None, spec, config, path)
        overrides = config.get("connection_overrides", {})
        if not isinstance(overrides, dict):
            message = "connection_overrides must be a mapping"
            self.findings.error("OSR-OML-054", message, (*path, "connection_overrides"))
            return None
        if entry is not None:
            usable = self._judge(entry, overrides, path)
            return Choice(family=family, alias=entry.alias, entry=entry, overrides=overrides) if usable else None
        if self.connections is None and ref:
            return Choice(family=family, alias=ref.partition(".")[2], entry=None, overrides=overrides)
        if overrides:
            message = "connection_overrides has no connection to change"
            self.findings.error("OSR-OML-054", message, (*path, "connection_overrides"), key=True)
        return None

    def _reference(self, family: str, spec: ComponentSpec, config: Mapping[str, Any], path: Path) -> str | None:
        """The reference to look up, "" for the family's default; None after a finding."""
        if "connection" not in config:
            return self._replaced(family, family) or ""
        value = config["connection"]
        at = (*path, "connection")
        if _lacks_value(value):
            return None
        match = CONNECTION_REF.match(value) if isinstance(value, str) else None
        if match is None:
            what = f"'{value}'" if isinstance(value, str) else "this"
            hint = f"write `connection: '@{family}.{value}'`" if _is_alias(value) else REF_FORM
            if isinstance(value, str) and value.startswith("${"):
                hint += "; `connection: ${params.x}` takes it from a parameter"
            self.findings.error("OSR-OML-050", f"{what} is not a reference to a connection", at, hint=hint)
            return None
        if match["family"] != family:
            self.findings.error(
                "OSR-OML-051",
                f"{spec.name} needs a connection of the family '{family}', not '{match['family']}'",
                at,
                hint=self._existing(family),
            )
            return None
        return self._replaced(family, match.group()) or match.group()

    def _replaced(self, family: str, key: str) -> str | None:
        """The reference that the profile has for ``key``, a family or a reference."""
        target = self.profile.connections.get(key) if self.profile else None
        if target is None:
            return None
        self.applied.add(key)
        return target if target.startswith("@") else f"@{family}.{target}"

    def _entry(
        self, family: str, ref: str | None, spec: ComponentSpec, config: Mapping[str, Any], path: Path
    ) -> ConnectionEntry | None:
        if self.connections is None:
            return None
        if ref is None and not spec.connection_required and not self._has_default(family):
            return None
        try:
            return self.connections.select(family, ref)
        except OsirisError as error:
            at = (*path, "connection") if "connection" in config else path
            self.findings.error("OSR-OML-053", error.message, at, hint=error.hint)
            return None

    def _has_default(self, family: str) -> bool:
        assert self.connections is not None
        return any(entry.default or entry.alias == DEFAULT for entry in self.connections.family(family))

    def _judge(self, entry: ConnectionEntry, overrides: Mapping[str, Any], path: Path) -> bool:
        """Report what the family's plugin has against the connection (once) and against the overrides here."""
        known = {name: value for name, value in overrides.items() if not _lacks_value(value)}
        try:
            found = entry.diagnostics(known)
        except OsirisError as error:
            self.findings.error("OSR-OML-053", error.message, path, hint=error.hint)
            return False
        of_step = [item for item in found if item.path[:1] == ("connection_overrides",)]
        self.findings.add(attrs.evolve(item, path=(*path, *item.path)) for item in of_step)
        if entry.ref not in self.judged:
            self.judged.add(entry.ref)
            self.findings.add(item for item in found if item.path[:1] != ("connection_overrides",))
        return not has_errors(found)

    def _existing(self, family: str) -> str:
        entries = self.connections.family(family) if self.connections is not None else ()
        names = [entry.ref for entry in entries]
        return f"there is {', '.join(names)}" if names else f"define one under `{family}:` in osiris_connections.yaml"


def check_profile_connections(profile: ProfileDoc, connections: Connections | None, findings: Findings) -> None:
    """Report mappings of ``profile`` that are no mapping from a connection to one that exists."""
    for key, value in profile.connections.items():
        path: Path = ("profiles", profile.name, "connections", key)
        match = CONNECTION_REF.match(key)
        family = match["family"] if match else key
        if match is None and not CONNECTION_REF.match(f"@{key}.x"):
            message = f"'{key}' is neither a family nor a reference to a connection"
            findings.error("OSR-OML-041", message, path, hint=REF_FORM, key=True)
            continue
        target = value if value.startswith("@") else f"@{family}.{value}"
        found = CONNECTION_REF.match(target)
        if found is None:
            findings.error("OSR-OML-041", f"'{value}' is not an alias or a reference", path, hint=REF_FORM)
        elif found["family"] != family:
            message = f"'{value}' is of another family than '{family}'"
            findings.error("OSR-OML-041", message, path, hint="a connection is replaced by one of its own family")
        elif connections is not None:
            try:
                connections.select(family, target)
            except OsirisError as error:
                findings.error("OSR-OML-053", error.message, path, hint=error.hint)


def _lacks_value(value: Any) -> bool:
    """Whether a value is due to a parameter that has none yet."""
    return isinstance(value, str) and "${params." in value


def _is_alias(value: Any) -> bool:
    return isinstance(value, str) and CONNECTION_REF.match(f"@x.{value}") is not None
