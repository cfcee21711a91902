"""Whether a folder can be used: there, readable, and writable where it says so. Nothing is changed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from osiris_core.api import ConnectionUnusable, Health
from osiris_filesystem.roots import Root

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_filesystem.connection import FilesystemConnection


class FilesystemDoctor:
    """Checks a connection of the family ``filesystem``."""

    def check(self, connection: FilesystemConnection, *, project_root: Path, timeout: float) -> Health:
        """The health of the folder."""
        try:
            root = Root.of(connection.root, project_root)
        except ConnectionUnusable as error:
            return Health(
                ok=False, category="missing", message=error.message, hint="create the folder, or correct 'root'"
            )
        needed = os.R_OK | os.X_OK
        if not os.access(root.path, needed):
            return Health(ok=False, category="permission", message=f"the folder '{connection.root}' cannot be read")
        if connection.writable and not os.access(root.path, needed | os.W_OK):
            return Health(
                ok=False,
                category="permission",
                message=f"the folder '{connection.root}' cannot be written",
                hint="set writable: false on the connection if nothing shall be written there",
            )
        free = shutil.disk_usage(root.path).free
        return Health(
            ok=True,
            category="ok",
            message=f"the folder '{connection.root}' can be {'read and written' if connection.writable else 'read'}",
            details={"free_bytes": free, "writable": connection.writable},
        )
