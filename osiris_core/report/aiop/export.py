"""A package as files: the document or the card, and the annex beside it when the policy asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.errors import RunFailed
from osiris_core.report.aiop.annex import Annex, write_annex
from osiris_core.report.aiop.card import card
from osiris_core.report.aiop.package import Config, build
from osiris_core.report.derived import MARKDOWN, PACKAGES, annex_of
from osiris_core.run.session import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_core.project.settings import Loaded
    from osiris_core.redaction import Redactor
    from osiris_core.report.session import Session

UNWRITABLE: Final = "OSR-AIO-001"
ANNEX: Final = "annex"
_SHAPING: Final = ("policy", "max_core_bytes", "max_annex_bytes")


@attrs.frozen(kw_only=True)
class Made:
    """A package as bytes, and the markers of what was cut."""

    data: bytes
    cuts: tuple[dict[str, Any], ...]
    shards: tuple[dict[str, Any], ...] = ()
    card_cut: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.cuts and not self.card_cut


def config_of(loaded: Loaded) -> Config:
    """What the settings say of packages, and where each of these comes from."""
    settings = loaded.settings.aiop
    return Config(
        policy=settings.policy,
        max_core_bytes=settings.max_core_bytes,
        max_annex_bytes=settings.max_annex_bytes,
        origins={f"aiop.{name}": loaded.origins[f"aiop.{name}"] for name in _SHAPING},
    )


def make(session: Session, config: Config, *, form: str, redactor: Redactor, path: Path | None = None) -> Made:
    """The package in the form ``json`` or ``md``; written to ``path`` when there is one, its annex to ``path``.annex.

    Raises RunFailed when a file cannot be written.
    """
    shards: list[dict[str, Any]] = []
    annex_cuts: list[dict[str, Any]] = []
    if config.policy == ANNEX and path is not None:
        annex = Annex(session, redactor=redactor, most=config.max_annex_bytes)
        shards = write_annex(annex, path.with_name(annex_of(path.name)))
        annex_cuts = annex.cuts
    fitted = build(session, config, redactor=redactor, annex=shards, annex_cuts=annex_cuts)
    data, card_cut = card(fitted.document, config.max_core_bytes) if form == MARKDOWN else (fitted.data, False)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)
        except OSError as error:
            raise RunFailed(UNWRITABLE, f"the package cannot be written: {error.strerror or error}") from error
    return Made(data=data, cuts=fitted.cuts, shards=tuple(shards), card_cut=card_cut)


def automatic_path(session: Session, loaded: Loaded) -> Path:
    """Where a package goes after a run: into the record, or below the folder that the settings name."""
    settings = loaded.settings.aiop
    name = PACKAGES[settings.format]
    return session.path / name if settings.dir is None else loaded.project.root / settings.dir / f"{session.id}.{name}"
