"""Whatever a driver raises, as an error that says step, component, why and what next."""

from __future__ import annotations

import errno
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from osiris_core.errors import Cancelled, DriverError, OsirisError, RunFailed
from osiris_core.run.feed import is_collateral

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.diagnostics import Diagnostic

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def as_error(error: BaseException, *, step: str, component: str) -> OsirisError:
    """``error`` as an OsirisError whose ``where`` names the step; an OsirisError stays what it is."""
    where = f"step '{step}' ({component})"
    if isinstance(error, OsirisError):
        if error.where is None:
            error.where = where
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        place = f" while writing '{error.filename}'" if error.filename else ""
        made: OsirisError = DriverError("OSR-RUN-004", f"no space left on the disk{place}", where=where)
    elif isinstance(error, MemoryError):
        made = RunFailed("OSR-RUN-005", "out of memory", where=where)
    else:
        text = str(error).strip() or "no message"
        made = DriverError("OSR-RUN-003", f"the driver failed: {type(error).__name__}: {text}", where=where)
    made.__cause__ = error
    return made


@contextmanager
def wrapped(step: str, component: str) -> Iterator[None]:
    """Whatever a driver raises in here, as an error that names ``step``."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        made = as_error(error, step=step, component=component)
        if made is error:
            raise
        raise made from error


def redact(error: OsirisError, clean: Callable[[str], str]) -> None:
    """Take secrets out of ``error`` itself, for whoever prints it; what it was caused by is dropped."""
    error.message = clean(error.message)
    error.args = (error.message,)
    error.hint = clean(error.hint) if error.hint else None
    error.where = clean(error.where) if error.where else None
    error.diagnostics = tuple(_redacted(finding, clean) for finding in error.diagnostics)
    error.__cause__ = error.__context__ = error.__traceback__ = None


def _redacted(finding: Diagnostic, clean: Callable[[str], str]) -> Diagnostic:
    at = finding.position
    return attrs.evolve(
        finding,
        message=clean(finding.message),
        hint=clean(finding.hint) if finding.hint else None,
        path=tuple(clean(part) if isinstance(part, str) else part for part in finding.path),
        position=attrs.evolve(at, source_line=clean(at.source_line)) if at else None,
    )


def traceback_of(error: BaseException) -> str:
    """The traceback of ``error`` and its causes, for ``osiris.log`` only."""
    return "".join(traceback.format_exception(error))


def judged(error: BaseException, *, stopped: bool) -> BaseException:
    """``error`` in the light of whether work had been stopped: what fails after that fails because of it, whatever it
    says; and a driver that says it was cancelled when nobody had asked has failed.
    """
    if stopped:
        echo = Cancelled("OSR-RUN-002", f"stopped: {error}")
        echo.__cause__ = error
        return echo
    if isinstance(error, Cancelled):
        failed = RunFailed("OSR-RUN-003", f"the driver stopped of itself: {error.message}")
        failed.__cause__ = error
        return failed
    return error


def is_real(error: BaseException | None) -> bool:
    """Whether ``error`` is a failure of its own and not the echo of another one."""
    return error is not None and not is_collateral(error)
