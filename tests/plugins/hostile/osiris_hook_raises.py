"""One of its hooks raises."""

from osiris_core.api import hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_components():
    return 1 / 0
