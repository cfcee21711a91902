"""A manifest on disk: ``build/<name>/<hash12>/`` with the manifest, one file a step, the fingerprints - and ``LATEST``.

A build folder appears whole or not at all, and its content depends on the manifest alone. ``LATEST`` is one line, the
name of the folder that was compiled last.
"""

from __future__ import annotations

import json
import secrets
import shutil
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import digest
from osiris_core.compile.form import from_data, looks_like_manifest, step_data, to_data
from osiris_core.errors import InvalidInput, RunFailed
from osiris_core.ids import is_name
from osiris_core.model import yaml
from osiris_core.project.paths import held

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from osiris_core.compile.manifest import Manifest

MANIFEST: Final = "manifest.yaml"
FINGERPRINTS: Final = "fingerprints.json"
CONFIGS: Final = "cfg"
LATEST: Final = "LATEST"

HEADER: Final = "# Written by `osiris compile`. Never edit it: the hash covers every value.\n"

MAX_MANIFEST_BYTES: Final = 64 << 20

_STAGING: Final = ".staging-"
_HASH_LENGTH: Final = 12


def folder_name(manifest: Manifest) -> str:
    """The name of the manifest's folder: the first 12 digits of its hash."""
    return manifest.hash[:_HASH_LENGTH]


def build_files(manifest: Manifest) -> dict[str, bytes]:
    """Every file of the manifest's build folder, by its path within."""
    data = to_data(manifest)
    steps = {step.id: step_data(step) for step in manifest.steps}
    fingerprints = {
        "manifest": manifest.hash,
        "parts": dict(sorted(manifest.fingerprints.items())),
        "steps": {step_id: digest(step) for step_id, step in sorted(steps.items())},
    }
    files = {MANIFEST: (HEADER + yaml.dump(data)).encode(), FINGERPRINTS: _json(fingerprints)}
    files |= {f"{CONFIGS}/{step_id}.json": _json(step) for step_id, step in steps.items()}
    return files


@attrs.frozen(kw_only=True)
class Built:
    """A manifest on disk: the path of its ``manifest.yaml``, and whether anything had to be written for it."""

    path: Path
    changed: bool


def write_build(manifest: Manifest, folder: Path) -> Path:
    """Like :func:`place_build`; returns the path of the ``manifest.yaml``."""
    return place_build(manifest, folder).path


def place_build(manifest: Manifest, folder: Path) -> Built:
    """Write ``manifest`` below the build folder ``folder``, and name it in ``LATEST``.

    A build that is there already is left alone; one that was changed by hand is written anew. Raises RunFailed when
    the folder cannot be written; what was there is then still there.
    """
    home = folder / manifest.name
    target = home / folder_name(manifest)
    files = build_files(manifest)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with held(home):
            _remove_abandoned(home)
            changed = bool(differing(target, files))
            if changed:
                _place(target, files)
            _replace(home / LATEST, f"{target.name}\n".encode())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RunFailed("OSR-CMP-005", f"the build cannot be written: {reason}", where=str(target)) from error
    return Built(path=target / MANIFEST, changed=changed)


def differing(target: Path, files: Mapping[str, bytes]) -> list[str]:
    """What in the folder ``target`` is not as ``files`` has it: missing, changed or foreign; empty when all is."""
    if not target.is_dir():
        return ["."]
    present = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    wrong = present.symmetric_difference(files)
    wrong.update(name for name in present.intersection(files) if (target / name).read_bytes() != files[name])
    return sorted(wrong)


def latest(build_folder: Path, name: str) -> Path:
    """The ``manifest.yaml`` that was compiled last for the pipeline ``name``; InvalidInput when there is none."""
    pointer = build_folder / name / LATEST
    hint = f"`osiris compile pipelines/{name}.yaml` makes it" if is_name(name) else None
    try:
        folder = pointer.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("OSR-CMP-020", f"there is no build of '{name}'", where=str(pointer), hint=hint) from error
    if len(folder) != _HASH_LENGTH or not all(digit in "0123456789abcdef" for digit in folder):
        raise InvalidInput("OSR-CMP-020", "LATEST does not name a build", where=str(pointer), hint=hint)
    return pointer.parent / folder / MANIFEST


def read_manifest(path: Path, *, shown: str | None = None) -> Manifest:
    """The manifest in a file, in the build folder ``path``, or the last one of the pipeline's folder ``path``, which
    its ``LATEST`` stands for too.

    Raises InvalidInput when it cannot be read, is malformed, or is not what was compiled.
    """
    if path.name == LATEST and path.is_file():
        path = path.parent
    if path.is_dir():
        path = latest(path.parent, path.name) if (path / LATEST).is_file() else path / MANIFEST
        shown = None
    where = shown or str(path)
    document = yaml.load_file(path, file=where, max_bytes=MAX_MANIFEST_BYTES)
    return from_data(document.data, where=where)


def is_manifest_file(path: Path) -> bool:
    """Whether ``path`` names a manifest or a folder that holds one, rather than an OML document."""
    if path.is_dir():
        return True
    if path.name in (MANIFEST, LATEST):
        return True
    try:
        document = yaml.load_file(path, max_bytes=MAX_MANIFEST_BYTES)
    except InvalidInput:
        return False
    return looks_like_manifest(document.data)


def _place(target: Path, files: Mapping[str, bytes]) -> None:
    """Put the files into a folder beside ``target`` and let it take the place in one step."""
    staging = target.parent / f"{_STAGING}{secrets.token_hex(4)}"
    try:
        (staging / CONFIGS).mkdir(parents=True)
        for name, content in files.items():
            (staging / name).write_bytes(content)
        if target.exists():
            # It holds something else under this hash; a rename cannot replace a folder that is not empty.
            target.rename(staging / "replaced")
            shutil.rmtree(staging / "replaced")
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(path: Path, content: bytes) -> None:
    """Write a small file so that a reader sees the old content or the new."""
    if path.is_file() and path.read_bytes() == content:
        return
    staging = path.with_name(f"{_STAGING}{secrets.token_hex(4)}")
    try:
        staging.write_bytes(content)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def _remove_abandoned(home: Path) -> None:
    """Remove what a compile that was killed has left; nobody else is at work in the folder."""
    for path in home.glob(f"{_STAGING}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _json(data: Any) -> bytes:
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
