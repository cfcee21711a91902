"""The typed face of pluggy: one plugin's hooks as methods. The only module that calls pluggy's machinery.

Each plugin gets a ``PluginManager`` of its own. So a plugin's hook is called alone, its failure is its own, and a hook
wrapper - which could otherwise change what other plugins return - reaches nobody else's.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

import pluggy

from osiris_core.plugins import hookspecs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

_PREFIX: Final = f"{hookspecs.PROJECT}_"

HOOKS: Final = tuple(sorted(name for name in vars(hookspecs) if name.startswith(_PREFIX)))
"""The names of all hooks."""


class HookMistake(Exception):
    """An entry module implements a hook that does not exist, or with arguments it does not have."""


class PluginHooks:
    """The hooks of one plugin's entry module."""

    def __init__(self, plugin_id: str, module: ModuleType) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        try:
            self._manager.register(module, name=plugin_id)
        except pluggy.PluginValidationError as error:
            raise HookMistake(_one_line(error, plugin_id)) from error
        callers = self._manager.get_hookcallers(module) or []
        self.implemented: Final = tuple(sorted(caller.name for caller in callers))
        """The names of the hooks the plugin implements."""
        for caller in sorted(callers, key=lambda caller: caller.name):
            _refuse_mistakes(caller)
        for name in HOOKS:
            if name not in self.implemented and callable(getattr(module, name, None)):
                raise HookMistake(f"'{name}' lacks the @hookimpl decorator")

    def describe(self, hook: str) -> Any:
        """What the plugin returns from ``hook``, as it returned it (unchecked); an empty tuple without the hook."""
        return _only(getattr(self._manager.hook, hook)()) if hook in self.implemented else ()

    def validate_pipeline(self, *, pipeline: Any, catalog: Any) -> Any:
        """What the plugin's ``osiris_validate_pipeline`` returns (unchecked); an empty tuple without the hook."""
        if "osiris_validate_pipeline" not in self.implemented:
            return ()
        return _only(self._manager.hook.osiris_validate_pipeline(pipeline=pipeline, catalog=catalog))

    def run_event(self, event: Mapping[str, Any]) -> None:
        """Pass ``event`` to the plugin's ``osiris_run_event``."""
        self._manager.hook.osiris_run_event(event=event)


def _refuse_mistakes(caller: pluggy.HookCaller) -> None:
    if not caller.has_spec():
        hooks = {name.removeprefix(_PREFIX): name for name in HOOKS}  # compared without what all have in common
        close = difflib.get_close_matches(caller.name.removeprefix(_PREFIX), hooks, n=1)
        hint = f"; did you mean '{hooks[close[0]]}'?" if close else ""
        raise HookMistake(f"there is no hook '{caller.name}'{hint}")
    implementations = caller.get_hookimpls()
    if len(implementations) > 1:
        raise HookMistake(f"'{caller.name}' is implemented {len(implementations)} times")
    if implementations[0].wrapper or implementations[0].hookwrapper:
        raise HookMistake(
            f"'{caller.name}' is a hook wrapper; a hook returns values, it does not change those of others"
        )


def _only(results: list[Any]) -> Any:
    """The one result; pluggy leaves out None, which is therefore what an empty list stands for."""
    return results[0] if results else None


def _one_line(error: BaseException, plugin_id: str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines).removeprefix(f"Plugin '{plugin_id}' for ")
