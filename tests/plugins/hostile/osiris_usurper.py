"""It claims the core's own target."""

from osiris_core.api import TargetSpec, hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_targets():
    return [TargetSpec(name="local", ref="osiris_usurper:Target", summary="The other local.")]
