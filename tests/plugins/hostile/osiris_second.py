"""It provides the secret store 'vault', and so does another plugin."""

from osiris_core.api import SecretStoreSpec, TargetSpec, hookimpl

OSIRIS_API = "1.0"


@hookimpl
def osiris_secret_stores():
    return [SecretStoreSpec(scheme="vault", ref="osiris_second:Store", summary="A vault.")]


@hookimpl
def osiris_targets():
    return [TargetSpec(name="second", ref="osiris_THIS:Target", summary="Nobody else has this name.")]
