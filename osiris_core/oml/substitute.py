"""How ``${params.x}`` is replaced.

Where it is a whole value the parameter keeps its type; inside other text it is written as text (``true``, ``7``,
``0.5``). ``$${`` stands for a literal ``${``. Any other ``${...}`` is left as it stands and noted, for the validator
to judge.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.diagnostics import did_you_mean
from osiris_core.oml.values import as_text, declared_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_core.diagnostics import Path
    from osiris_core.oml.document import ParamDoc, ParamValue
    from osiris_core.oml.findings import Findings

PLACEHOLDER: Final = re.compile(r"\$\$\{|\$\{(?P<inner>[^{}]*)\}|\$\{")
"""An escaped ``$${``, a complete ``${...}``, or an opening without an end."""

_OF_PARAMS: Final = "params."


@attrs.frozen(kw_only=True)
class Substitution:
    """Replaces placeholders of ``params`` by ``values``; one whose parameter has no value stays as it stands."""

    params: Mapping[str, ParamDoc]
    values: Mapping[str, ParamValue]
    findings: Findings
    used: set[str] = attrs.field(factory=set)
    uncertain: set[Path] = attrs.field(factory=set)
    """Paths that hold a placeholder of a parameter without a value."""
    references: list[tuple[Path, str]] = attrs.field(factory=list)
    """Every ``${...}`` that is not a parameter, with the path of its text: for the validator to judge."""

    def apply(self, value: Any, path: Path) -> Any:
        """``value`` with its placeholders replaced, as new data of the same shape."""
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, list):
            return [self.apply(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, dict):
            for key in value:
                if "${" in key:
                    self.findings.error(
                        "OSR-OML-035",
                        "a key cannot hold a placeholder",
                        (*path, key),
                        hint="write the key out",
                        key=True,
                    )
            return {key: self.apply(item, (*path, key)) for key, item in value.items()}
        return value

    def lookup(self, name: str, path: Path) -> ParamValue | None:
        """The value of parameter ``name`` used at ``path``; None when it has none, or is not declared (a finding)."""
        if name not in self.params:
            hint = did_you_mean(name, self.params) or declared_names(self.params)
            token = f"${{params.{name}}}"
            self.findings.error_in_text("OSR-OML-031", f"'{token}' names no declared parameter", path, token, hint=hint)
            return None
        self.used.add(name)
        if name not in self.values:
            self.uncertain.add(path)
        return self.values.get(name)

    def _text(self, text: str, path: Path) -> Any:
        whole = PLACEHOLDER.fullmatch(text)
        if whole is not None and whole["inner"] is not None and whole["inner"].startswith(_OF_PARAMS):
            value = self.lookup(whole["inner"].removeprefix(_OF_PARAMS), path)
            return text if value is None else value
        pieces: list[str] = []
        done = 0
        for match in PLACEHOLDER.finditer(text):
            pieces += (text[done : match.start()], self._replacement(match, path))
            done = match.end()
        return "".join((*pieces, text[done:]))

    def _replacement(self, match: re.Match[str], path: Path) -> str:
        if match.group() == "$${":
            return "${"
        inner = match["inner"]
        if inner is None:
            hint = "write `$${` for the two characters themselves"
            self.findings.error_in_text("OSR-OML-035", "'${' has no matching '}'", path, "${", hint=hint)
        elif inner.startswith(_OF_PARAMS):
            value = self.lookup(inner.removeprefix(_OF_PARAMS), path)
            if value is not None:
                return as_text(value)
        else:
            self.references.append((path, match.group()))
        return match.group()


def param_references(text: str) -> Iterator[tuple[str, int, int]]:
    """The ``${params.x}`` in ``text``: name, start, end."""
    for match in PLACEHOLDER.finditer(text):
        inner = match["inner"]
        if inner is not None and inner.startswith(_OF_PARAMS):
            yield inner.removeprefix(_OF_PARAMS), match.start(), match.end()
