"""What lies below a folder, however deep: a driver may have nested folders deeper than Python calls itself."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def below(folder: Path, *, taken: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Each entry below ``folder`` under its name within it, a folder before what is in it; in no other order.

    What is not ``taken`` by its name is left out with all that is below it, as is what cannot be looked into. No
    symbolic link is followed.
    """
    pending = [(folder, "")]
    while pending:
        at, within = pending.pop()
        with suppress(OSError), os.scandir(at) as entries:
            for entry in entries:
                name = within + entry.name
                if not taken(name):
                    continue
                yield name, entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append((at / entry.name, f"{name}/"))
