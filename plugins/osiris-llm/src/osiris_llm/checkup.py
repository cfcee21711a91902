"""What ``health`` finds out, the same for every provider: package, key, service, model, JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import llm
from osiris_llm.package import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SCHEMA: Final = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}},
    "required": ["ready"],
    "additionalProperties": False,
}
_TOKENS: Final = 512
"""Enough for a model that thinks before it answers."""

Check = tuple[str, bool | None, str]


def checkup(
    provider: llm.LLMProvider,
    model: str,
    *,
    packages: Sequence[str],
    extra: str,
    key: Callable[[], object],
    wanted: Sequence[str] = (),
    last_day: str | None = None,
) -> llm.ProviderHealth:
    """The checks, each made where the one before allows it. ``key`` raises LLMError where the key will not do;
    ``wanted`` names its variables.
    """
    checks: list[Check] = []
    checks.append(_held("package", lambda: _packages(packages, extra)))
    checks.append(_held("key", lambda: _key(key, wanted)))
    if all(held for _, held, _ in checks):
        listed: list[str] = []
        checks.append(_held("service", lambda: _service(provider, listed)))
        checks.append(_model(model, listed, last_day))
        # A service may answer and not list; one that cannot be reached is not asked again.
        if checks[2][1] or listed:
            checks.append(_held("json", lambda: _json(provider, model)))
        else:
            checks.append(("json", None, "not tried"))
    else:
        checks += [(name, None, "not tried") for name in ("service", "model", "json")]
    return llm.ProviderHealth(checks=tuple(checks))


def _held(name: str, check: Callable[[], str]) -> Check:
    try:
        return name, True, check()
    except llm.LLMError as error:
        return name, False, f"{error.message} [{error.code}]"


def _packages(packages: Sequence[str], extra: str) -> str:
    for name in packages:
        require(name, extra)
    return f"{', '.join(packages)} installed" if packages else "nothing to install"


def _key(key: Callable[[], object], wanted: Sequence[str]) -> str:
    key()
    return f"{' or '.join(wanted)} is set" if wanted else "none is sent"


def _service(provider: llm.LLMProvider, listed: list[str]) -> str:
    listed += provider.models()
    return f"it lists {len(listed)} {'model' if len(listed) == 1 else 'models'}"


def _model(model: str, listed: list[str], last_day: str | None) -> Check:
    note = f"; the service switches it off on {last_day}" if last_day else ""
    if model in listed:
        return "model", True, f"'{model}' is there{note}"
    return "model", None, f"'{model}' is not in the service's list{note}"


def _json(provider: llm.LLMProvider, model: str) -> str:
    request = llm.Request(
        model=model,
        messages=(llm.Message(role="user", text='Answer with the JSON object {"ready": true}.'),),
        purpose="doctor",
        schema=_SCHEMA,
        schema_name="ready",
        max_output_tokens=_TOKENS,
    )
    text, done, notices = "", None, []
    for event in provider.stream(request):
        if isinstance(event, llm.Text):
            text += event.text
        elif isinstance(event, llm.Notice):
            notices.append(event.message)
        else:
            done = event
    try:
        answered: Any = json.loads(text)
    except ValueError:
        answered = None
    if not isinstance(answered, dict) or "ready" not in answered:
        stop = f" ({done.stop})" if done is not None and done.stop != "end" else ""
        raise llm.LLMError(llm.LLMCode.UNUSABLE, f"the reply is not the JSON that was asked for{stop}")
    return "; ".join(["a reply of the wanted form came", *notices])
