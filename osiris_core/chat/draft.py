"""A pipeline on its way to approval: its text, what is known of it, and in plain words what it would do.

An approval is of one text: its SHA-256. Whatever else would be run is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.errors import InvalidInput
from osiris_core.model import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.compile.manifest import ManifestStep
    from osiris_core.run.proving import Proof

NOT_APPROVED: Final = "OSR-CHAT-020"

_MODES: Final = {
    "replace": "replacing what is there",
    "append": "adding to what is there",
    "upsert": "updating rows with the same key and adding others",
    "delete_insert": "replacing the rows of the same {keys}",
}


@attrs.frozen(kw_only=True)
class Draft:
    """An OML text, what was assumed for it, and what proving it found.

    ``masked`` says that the text is not the one that was proved: a secret stood in it and was not kept.
    """

    oml: str
    assumptions: tuple[str, ...] = ()
    proof: Proof | None = None
    masked: bool = False

    @property
    def hash(self) -> str:
        """What an approval is bound to."""
        return oml_hash(self.oml)

    @property
    def name(self) -> str:
        """The pipeline's name, ``pipeline`` where it has none that can be read."""
        if self.proof is not None and self.proof.manifest is not None:
            return self.proof.manifest.name
        try:
            data = yaml.load(self.oml, file="draft").data
        except InvalidInput:
            return "pipeline"
        name = data.get("name") if isinstance(data, dict) else None
        return name if isinstance(name, str) else "pipeline"

    def require_approved(self, approved: str) -> None:
        """Raise InvalidInput unless ``approved`` is the hash of this very text."""
        if approved != self.hash:
            raise InvalidInput(
                NOT_APPROVED,
                "the pipeline is not the one that was approved",
                hint="look at it with /show, then approve it with /run",
            )


def oml_hash(oml: str) -> str:
    """The SHA-256 of an OML text, as lower-case hex."""
    return digest_bytes(oml.encode())


def effects(draft: Draft) -> Iterator[str]:
    """What the pipeline would read, compute and write, a line each; needs a proof with a manifest."""
    assert draft.proof is not None
    manifest, bound = draft.proof.manifest, {one.id: one for one in draft.proof.bound}
    assert manifest is not None
    for step in manifest.steps:
        columns = bound[step.id].columns if step.id in bound else None
        named = f": {', '.join(str(column['name']) for column in columns)}" if columns else ""
        match step.mode:
            case "extract":
                yield f"reads {_place(step)}{named}"
            case "transform":
                yield f"computes {step.id} from {', '.join(step.needs)}{named}"
            case _:
                yield f"writes {', '.join(step.needs)} to {_place(step)}, {_mode(step)}"


def _place(step: ManifestStep) -> str:
    config = step.config
    what = config.get("table") or config.get("path") or "a query"
    schema = f"{config['schema']}." if config.get("schema") and config.get("table") else ""
    where = f" of @{step.connection.family}.{step.connection.alias}" if step.connection else ""
    return f"{schema}{what}{where} ({step.component})"


def _mode(step: ManifestStep) -> str:
    mode = str(step.config.get("mode", "replace"))
    keys = ", ".join(step.config.get("replace_keys") or step.config.get("primary_key") or ())
    said = _MODES.get(mode, mode).format(keys=keys)
    return f"{said} (key: {keys})" if mode == "upsert" else said
