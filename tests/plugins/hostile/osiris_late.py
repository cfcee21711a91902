"""It is let in, and fails when it is asked about a pipeline or shown an event, or when its code is imported."""

from osiris_core.api import Diagnostic, SecretStoreSpec, hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_secret_stores():
    return [SecretStoreSpec(scheme="late", ref="osiris_panics:Store", summary="Its code panics when it is imported.")]


@hookimpl
def osiris_validate_pipeline(pipeline, catalog):
    if pipeline == "text":
        return ["not a diagnostic"]
    if pipeline == "good":
        return [Diagnostic(code="OSR-LATE-001", message="it is late")]
    raise LookupError("nothing is where it should be")


@hookimpl
def osiris_run_event(event):
    event["rows"] = 0
