"""The child process of :mod:`osiris_core.project.doctor`: one connection, one check, one line of JSON.

Reads a request from stdin, writes ``READY`` and then the finding to stdout. What the plugin prints goes to stderr.
Ends when its parent does (stdin closes).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from osiris_core.errors import ConnectionUnusable, InvalidInput, OsirisError, PluginError
from osiris_core.plugins.registry import load_registry
from osiris_core.project.connections import load_connections
from osiris_core.project.environment import load_environment
from osiris_core.project.paths import Project
from osiris_core.project.resolve import resolve
from osiris_core.redaction import Redactor
from osiris_core.spec.behave import Health

if TYPE_CHECKING:
    from osiris_core.plugins.registry import Registry

READY: Final = {"ready": True}

_CATEGORIES: Final = frozenset({"ok", "auth", "network", "timeout", "missing", "permission", "config", "internal"})
_MAX_TEXT: Final = 500
_MAX_DETAILS: Final = 10_000


def check(request: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Resolve and check the connection of ``request``; the finding as plain data, redacted."""
    started = time.monotonic()
    try:
        project = Project(Path(request["root"]))
        allow = request["allow"]
        registry = load_registry(allow=None if allow is None else tuple(allow), block=tuple(request["block"]))
        entry = load_connections(project, registry).get(request["ref"])
        environment = load_environment(project.root, os.environ, Path.cwd())
        config = resolve(entry, environment=environment, registry=registry, redactor=redactor)
        started = time.monotonic()
        health = _ask(registry, entry.family, config, project.root, request["timeout"])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin's, or a Rust panic; it becomes the finding
        health = _health_of(error)
    return _finding(health, redactor, (time.monotonic() - started) * 1000)


def _ask(registry: Registry, family: str, config: Any, root: Path, timeout: float) -> Any:
    spec = registry.connection(family)
    if spec.doctor is None:
        return Health(ok=True, category="ok", message=f"resolves; '{family}' has no check of its own")
    return registry.load(spec.doctor)().check(config, project_root=root, timeout=timeout)


def _health_of(error: BaseException) -> Health:
    if isinstance(error, ConnectionUnusable | InvalidInput | PluginError):
        reasons = "; ".join(diagnostic.message for diagnostic in error.diagnostics)
        hint = error.hint or next((d.hint for d in error.diagnostics if d.hint), None)
        return Health(ok=False, category="config", message=reasons or error.message, hint=hint)
    if isinstance(error, OsirisError):
        return Health(ok=False, category="internal", message=f"{error.code}: {error.message}", hint=error.hint)
    kinds = {
        TimeoutError: "timeout",
        PermissionError: "permission",
        FileNotFoundError: "missing",
        ConnectionError: "network",
    }
    category = next((name for kind, name in kinds.items() if isinstance(error, kind)), "internal")
    return Health(ok=False, category=category, message=f"the check failed: {type(error).__name__}: {error}")


def _finding(health: Any, redactor: Redactor, elapsed: float) -> dict[str, Any]:
    if not isinstance(health, Health):
        message = f"the check returned {type(health).__name__}, not Health"
        health = Health(ok=False, category="internal", message=message, hint="report it to the plugin's author")
    category = health.category if health.category in _CATEGORIES else "internal"
    if (category == "ok") is not bool(health.ok):
        category = "ok" if health.ok else "internal"
    return {
        "ok": bool(health.ok),
        "category": category,
        "message": _short(redactor.text(str(health.message))),
        "hint": None if health.hint is None else _short(redactor.text(str(health.hint))),
        "latency_ms": round(elapsed, 1),
        "details": _details(redactor.data(dict(health.details))),
    }


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _details(details: dict[str, Any]) -> dict[str, Any]:
    return (
        details if len(json.dumps(details, default=str)) <= _MAX_DETAILS else {"omitted": "more than 10,000 characters"}
    )


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Serve one request."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the plugin prints is no answer
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(json.dumps(READY), file=answers, flush=True)
    print(json.dumps(check(request, Redactor()), default=str), file=answers, flush=True)
    os._exit(0)  # whatever threads the plugin has left


if __name__ == "__main__":
    main()
