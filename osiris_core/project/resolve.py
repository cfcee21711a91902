"""Turns a connection's references into values: the only place that does, called just before a driver needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.diagnostics import Diagnostic, did_you_mean, has_errors
from osiris_core.errors import ConnectionUnusable, InvalidInput, OsirisError
from osiris_core.model import shape as s
from osiris_core.model.fields import is_config
from osiris_core.model.structure import structure
from osiris_core.model.wording import words
from osiris_core.project.connection_entry import INVALID
from osiris_core.project.literals import parse_text
from osiris_core.project.references import is_secret, shape_under
from osiris_core.secret_shapes import secret_shape
from osiris_core.secrets import ENVIRONMENT, REFERENCE, SecretRef, SecretStr

if TYPE_CHECKING:
    from osiris_core.diagnostics import Path
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.project.environment import Environment
    from osiris_core.redaction import Redactor
    from osiris_core.spec.behave import SecretStore

UNSET: Final = "OSR-CON-013"
STORE: Final = "OSR-CON-014"
UNFIT: Final = "OSR-CON-015"


def resolve(
    entry: ConnectionEntry,
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Environment,
    registry: Registry,
    redactor: Redactor,
    stores: Mapping[str, SecretStore] | None = None,
) -> Any:
    """An instance of the family's config class with every reference of ``entry`` replaced by its value.

    ``overrides`` are a step's and obey the policy of each field. Secret values are :class:`SecretStr` and registered
    with ``redactor`` before anybody can see them. Raises InvalidInput for an entry or override that is not acceptable
    whatever the environment holds, and ConnectionUnusable when a reference has no value or one that does not fit.
    ``stores`` are asked instead of the plugins' for their schemes.
    """
    problems = [finding for finding in entry.diagnostics(overrides) if finding.is_error]
    if problems:
        raise InvalidInput(INVALID, f"connection {entry.ref} cannot be used", where=entry.where, diagnostics=problems)
    return _Resolution(entry, environment, registry, redactor, stores or {}).config(overrides or {})


def store_of(scheme: str, *, registry: Registry, environment: Environment) -> SecretStore:
    """The secret store that serves ``scheme``. Raises PluginError when there is none."""
    made: SecretStore = registry.load(registry.secret_store(scheme).ref)(environment)
    return made


class _Resolution:
    """One connection being resolved; collects everything that has no value before it complains."""

    def __init__(
        self,
        entry: ConnectionEntry,
        environment: Environment,
        registry: Registry,
        redactor: Redactor,
        stores: Mapping[str, SecretStore],
    ) -> None:
        self._entry = entry
        self._environment = environment
        self._registry = registry
        self._redactor = redactor
        self._stores = dict(stores)
        self._values: dict[SecretRef, str | None] = {}
        self._findings: list[Diagnostic] = []

    def config(self, overrides: Mapping[str, Any]) -> Any:
        """The resolved config."""
        cls = self._entry.spec.config
        shape = s.shape_of(cls)
        data = self._substituted(shape, {**self._entry.raw, **overrides}, ())
        self._stop_at_findings(UNSET, "is missing what it refers to")
        config, problems = structure(cls, data)
        self._findings += [self._unfit(shape, problem) for problem in problems if problem.is_error]
        self._stop_at_findings(UNFIT, "got values that do not fit")
        resolved = self._revealed(config, ())
        self._stop_at_findings(UNSET, "is missing what it refers to")
        return resolved

    def _substituted(self, shape: s.Shape | None, value: Any, path: Path) -> Any:
        """``value`` with the references in its texts replaced, those of secret fields excepted."""
        if isinstance(value, str):
            return self._text(shape, value, path)
        if isinstance(value, dict):
            return {key: self._substituted(shape_under(shape, key), item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._substituted(shape_under(shape, at), item, (*path, at)) for at, item in enumerate(value)]
        return value

    def _text(self, shape: s.Shape | None, text: str, path: Path) -> Any:
        value = self._filled(shape, text, path)
        if isinstance(value, str) and secret_shape(value):
            # ``postgresql://u:${PASSWORD}@h`` in a field that is not meant for secrets holds one all the same.
            self._redactor.register(value)
        return value

    def _filled(self, shape: s.Shape | None, text: str, path: Path) -> Any:
        whole = SecretRef.parse(text)
        if whole and is_secret(shape):
            self._lookup(whole, path)  # so that everything missing is reported together
            return text
        if whole:
            value = self._lookup(whole, path)
            if value is None:
                return text
            try:
                return parse_text(shape or s.Anything(), value)
            except ValueError as error:
                message = f"'{path[-1]}' refers to {whole}, whose value does not fit: {error}"
                self._find(UNFIT, message, path)
                return text
        return REFERENCE.sub(
            lambda match: self._lookup(SecretRef(match["scheme"] or ENVIRONMENT, match["name"]), path) or "", text
        )

    def _lookup(self, ref: SecretRef, path: Path) -> str | None:
        if ref not in self._values:
            self._values[ref] = self._ask(ref, path)
            value = self._values[ref]
            if value and ref.scheme != ENVIRONMENT:
                self._redactor.register(value)
        value = self._values[ref]
        if value is None and not any(finding.path == self._full(path) for finding in self._findings):
            self._find(UNSET, f"'{path[-1]}' refers to {ref}, {self._why_unset(ref)}", path, self._suggestion(ref))
        return value

    def _ask(self, ref: SecretRef, path: Path) -> str | None:
        try:
            value = self._store(ref.scheme).get(ref.name)
        except OsirisError as error:
            self._find(error.code, f"'{path[-1]}' refers to {ref}: {error.message}", path, error.hint)
            return None
        except Exception as error:  # noqa: BLE001 - a plugin's; recorded as a finding, its text may hold anything
            message = f"'{path[-1]}' refers to {ref}, but its store failed with {type(error).__name__}"
            self._find(STORE, message, path)
            return None
        if value is not None and not isinstance(value, str):
            self._find(STORE, f"'{path[-1]}' refers to {ref}, but its store returned no text", path)
            return None
        return value or None

    def _store(self, scheme: str) -> SecretStore:
        if scheme not in self._stores:
            self._stores[scheme] = store_of(scheme, registry=self._registry, environment=self._environment)
        return self._stores[scheme]

    def _why_unset(self, ref: SecretRef) -> str:
        if ref.scheme != ENVIRONMENT:
            return f"which the store '{ref.scheme}' does not have"
        empty = self._environment.empty_at(ref.name)
        looked = ", ".join(self._environment.searched)
        return f"which is set to nothing in {empty}" if empty else f"which is not set (looked in {looked})"

    def _suggestion(self, ref: SecretRef) -> str | None:
        return did_you_mean(ref.name, self._environment) if ref.scheme == ENVIRONMENT else None

    def _revealed(self, value: Any, path: Path) -> Any:
        """``value`` with each SecretRef in it replaced by its registered secret."""
        if isinstance(value, SecretRef):
            text = self._lookup(value, path)
            if text is None:
                return value
            secret = SecretStr(text)
            self._redactor.register(secret)
            return secret
        if is_config(type(value)):
            names = [attribute.name for attribute in attrs.fields(type(value))]
            return attrs.evolve(value, **{name: self._revealed(getattr(value, name), (*path, name)) for name in names})
        if isinstance(value, tuple):
            return tuple(self._revealed(item, (*path, index)) for index, item in enumerate(value))
        if isinstance(value, Mapping):
            return {key: self._revealed(item, (*path, key)) for key, item in value.items()}
        return value

    def _unfit(self, shape: s.Group, problem: Diagnostic) -> Diagnostic:
        """A finding about a resolved value; it says what was expected, since the value may be anybody's secret."""
        refs = sorted({str(ref) for at, ref in self._entry.references() if at[: len(problem.path)] == problem.path})
        member = next((m for m in shape.members if problem.path and m.name == problem.path[0]), None)
        message = problem.message
        if refs and member is not None:
            message = f"'{member.name}' refers to {', '.join(refs)}, whose value does not fit: {_demand(member)}"
        return attrs.evolve(
            problem,
            code=UNFIT,
            message=message,
            path=self._full(problem.path),
            position=self._entry.place(problem.path),
        )

    def _find(self, code: str, message: str, path: Path, hint: str | None = None) -> None:
        position = self._entry.place(path)
        self._findings.append(
            Diagnostic(code=code, message=message, path=self._full(path), position=position, hint=hint)
        )

    def _full(self, path: Path) -> Path:
        """``path`` of the entry as a path of its file."""
        return ("connections", self._entry.family, self._entry.alias, *path)

    def _stop_at_findings(self, code: str, what: str) -> None:
        if has_errors(self._findings):
            codes = {finding.code for finding in self._findings}
            raise ConnectionUnusable(
                codes.pop() if len(codes) == 1 else code,
                f"connection {self._entry.ref} {what}",
                where=self._entry.where,
                diagnostics=self._findings,
            )


def _demand(member: s.Member) -> str:
    expected = f"expected {words(member.shape)}"
    if member.info.pattern:
        expected += f" of the form {member.info.pattern}"
    bounds = {
        "at least": member.info.minimum,
        "more than": member.info.exclusive_minimum,
        "at most": member.info.maximum,
    }
    return ", ".join([expected, *(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)])
