"""What all extractors of files do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import DriverContext
    from osiris_filesystem.listing import InputFile

_LISTED: Final = 1000


def say_files(ctx: DriverContext, files: Sequence[InputFile]) -> None:
    """Record which files are read; beyond a thousand, the event ends with how many more there are."""
    listed: list[dict[str, object]] = [{"path": file.path, "bytes": file.size} for file in files[:_LISTED]]
    if len(files) > _LISTED:
        listed.append(
            {"path": f"and {len(files) - _LISTED:,} more", "bytes": sum(file.size for file in files[_LISTED:])}
        )
    ctx.emit("files_read", files=listed)


def share_out(sizes: Sequence[int], count: int) -> list[tuple[int, int]]:
    """At most ``count`` runs of neighbours, of like total size: ``(start, end)`` pairs that cover all, none empty."""
    total = sum(sizes) + len(sizes)
    shares: list[tuple[int, int]] = []
    start = passed = 0
    for at, size in enumerate(sizes):
        passed += size + 1
        if passed * count >= total * (len(shares) + 1) or at == len(sizes) - 1:
            shares.append((start, at + 1))
            start = at + 1
    return shares
