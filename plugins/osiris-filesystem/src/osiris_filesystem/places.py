"""The root that a step reads or writes below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.api import DriverError
from osiris_filesystem.roots import Root

if TYPE_CHECKING:
    from osiris_core.api import DriverContext


def root_of(ctx: DriverContext, *, to_write: bool = False) -> Root:
    """The connection's root, or the project's when the step names no connection."""
    connection = ctx.connection
    if connection is None:
        return Root.of(".", ctx.project_root, ctx.reserved)
    if to_write and not connection.writable:
        raise DriverError("OSR-FS-056", f"the connection with root '{connection.root}' is read-only")
    return Root.of(connection.root, ctx.project_root, ctx.reserved)
