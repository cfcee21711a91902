"""The connection family ``filesystem``: a folder of this machine."""

from __future__ import annotations

from osiris_core.api import config, field


@config
class FilesystemConnection:
    """A folder; every path of a step that uses the connection lies below it."""

    root: str = field(
        doc="The folder, relative to the project's root or absolute.", identity=True, override="warn", min_length=1
    )
    writable: bool = field(default=True, doc="Whether steps may write below the folder.", identity=True)
