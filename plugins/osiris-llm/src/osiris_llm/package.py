"""The vendors' packages: each in an extra of its own, imported when a call is made, never before."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from osiris_core.api import llm


def package(name: str, extra: str) -> Any:
    """The module ``name``; LLMError with the line that installs it when it is not there."""
    try:
        return import_module(name)
    except ImportError as error:
        raise _missing(name, extra, error) from error


def require(name: str, extra: str) -> None:
    """LLMError when the module ``name`` is not installed; it is not imported."""
    try:
        found = find_spec(name)
    except ImportError as error:
        raise _missing(name, extra, error) from error
    if found is None:
        raise _missing(name, extra, None)


def _missing(name: str, extra: str, error: ImportError | None) -> llm.LLMError:
    install = f"pip install 'osiris-llm[{extra}]'"
    if error is None or isinstance(error, ModuleNotFoundError):
        message = f"the package '{name}' is not installed: {install}"
    else:
        message = f"the package '{name}' cannot be imported ({error}): {install}"
    return llm.LLMError(llm.LLMCode.NOT_INSTALLED, message, hint=install)
