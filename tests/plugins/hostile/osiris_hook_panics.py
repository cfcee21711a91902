"""One of its hooks yields a value and then raises what is no Exception."""

from osiris_core.api import TargetSpec, hookimpl

OSIRIS_API = "1.0"


class PanicException(BaseException):
    pass


@hookimpl
def osiris_targets():
    yield TargetSpec(name="half", ref="a:b", summary="Only half of it arrives.")
    raise PanicException("index out of bounds")
