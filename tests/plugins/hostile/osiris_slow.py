"""It takes its time to import, and works."""

import time

from osiris_core.api import TargetSpec, hookimpl

OSIRIS_API = "1.0"
time.sleep(1.2)


@hookimpl
def osiris_targets():
    return [TargetSpec(name="slow", ref="osiris_slow:osiris_targets", summary="Arrives late.")]
