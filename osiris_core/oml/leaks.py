"""The second line against secrets in OML: text that looks like one, wherever it stands, comments included.

The first line is by type: a field marked secret takes a reference only, and a component has no field for a password.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_core.diagnostics import Diagnostic
from osiris_core.secret_shapes import is_harmless_value, is_sensitive_key, secret_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.diagnostics import Path
    from osiris_core.model.yaml import Document
    from osiris_core.oml.findings import Findings

CODE: Final = "OSR-OML-060"
HINT: Final = (
    "put it into the environment, refer to it as ${NAME} in osiris_connections.yaml, and write "
    "`connection: '@family.alias'` here; a secret that was saved in a file should be replaced"
)


def find_leaks(document: Document, findings: Findings) -> None:
    """Report every value and comment of ``document`` that looks like a secret, without showing it."""
    seen: set[int] = set()
    for path, text, is_key in _texts(document.data):
        shape = secret_shape(text) or (None if is_key else _by_name(path, text))
        if shape is not None:
            findings.error(
                CODE, f"this {'key' if is_key else 'value'} looks like a secret ({shape})", path, hint=HINT, key=is_key
            )
            findings.secrets.add(text)
            seen.add(document.position(path, key=is_key).line)
    if secret_shape(document.text) is None:
        return
    for number, line in enumerate(re.split(r"\r\n|\r|\n", document.text), start=1):
        shape = secret_shape(line) if "#" in line and number not in seen else None
        if shape is not None and secret_shape(line.partition("#")[2]) is not None:
            findings.secrets.add(line)
            finding = Diagnostic(code=CODE, message=f"this comment holds what looks like a secret ({shape})", hint=HINT)
            findings.add_at(finding, line=number, column=line.index("#") + 1, source_line=line)


def _by_name(path: Path, text: str) -> str | None:
    """``password`` and the like with a literal value, in the parts of a document that anybody may shape.

    A config is not among them: there a key that a component does not declare is an error, and one that it does is its
    own affair (``types: {password: VARCHAR}``).
    """
    name: str | int = ""
    if path[:1] == ("metadata",) or (path and isinstance(path[0], str) and path[0].startswith("x-")):
        name = path[-1]
    elif path[:1] == ("params",) and path[2:3] in (("default",), ("enum",)):
        name = path[1]
    elif path[:1] == ("profiles",) and path[2:3] == ("params",):
        name = path[-1]
    return by_name(name, text) if isinstance(name, str) else None


def by_name(name: str, text: str) -> str | None:
    """What kind of secret ``text`` is, going by the name that it stands under."""
    return f"a value under the name '{name}'" if is_sensitive_key(name) and not is_harmless_value(text) else None


def _texts(data: Any) -> Iterator[tuple[Path, str, bool]]:
    pending: list[tuple[Path, Any]] = [((), data)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            yield path, value, False
        elif isinstance(value, dict):
            for key, item in value.items():
                yield (*path, key), key, True
                pending.append(((*path, key), item))
        elif isinstance(value, list):
            pending.extend(((*path, index), item) for index, item in enumerate(value))
