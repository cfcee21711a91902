"""What running a session's manifest again does, in the words of every place that offers it.

The rule is that of :mod:`osiris_core.run.chain`. A page or a package is read later than it is made: whether the chain
is still open is not asked when it is made, but is what the reader has to know before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osiris_core.report.reader import RUNNING

if TYPE_CHECKING:
    from osiris_core.report.reader import SessionRecord

OPEN: Final = "from this run on no run of this manifest has succeeded or begun afresh (--fresh)"
"""As long as that is so, the next run resumes an unsuccessful one; else it writes everything."""

SAME: Final = "it is run with the --since, --until or --full-refresh that it had, if any"


def resumes(record: SessionRecord) -> bool:
    """Whether the next run takes what this one has published for its own, as long as :data:`OPEN` holds."""
    return record.status not in ("succeeded", RUNNING)
