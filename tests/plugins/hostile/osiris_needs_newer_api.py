"""It imports a name that this plugin API does not have."""

from osiris_core.api import SomethingOfTomorrow  # noqa: F401

OSIRIS_API = "1.0"
