"""``osiris compile``: turn a pipeline into a manifest, or check that the one that was committed is current."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.output import (
    error_document,
    json_option,
    print_diagnostics,
    print_error,
    print_json,
    print_text,
    reporting,
)
from osiris_core.cli.pipeline import compile_file, mode_option, open_for, param_option, profile_option, shown_path
from osiris_core.compile.build import build_files, differing, folder_name, latest, place_build, read_manifest
from osiris_core.errors import ExitCode, InvalidInput, Stale

if TYPE_CHECKING:
    from osiris_core.compile.build import Built
    from osiris_core.compile.compiler import Compiled
    from osiris_core.compile.manifest import Manifest


@click.command("compile")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", metavar="FOLDER", help="Where builds go, instead of the project's build folder.")
@profile_option
@param_option
@mode_option
@click.option("--check", is_flag=True, help="Write nothing; exit 3 when the build that is there is not current.")
@click.option(
    "--strict-types/--lossy-types",
    default=None,
    help="Refuse what a destination cannot hold (the default); lossy changes nothing yet, and says so.",
)
@json_option
def compile_(
    file: Path,
    *,
    out: str | None,
    profile: str | None,
    params: tuple[str, ...],
    mode: str | None,
    check: bool,
    strict_types: bool | None,
    as_json: bool,
) -> None:
    """Compile the pipeline FILE into a manifest.

    The manifest goes to build/NAME/HASH/manifest.yaml, and build/NAME/LATEST names it. The same pipeline, parameters,
    profile, connections and plugins give the same bytes on any machine.
    """
    with reporting(as_json=as_json):
        folder = out and str(Path(out).absolute())
        overrides = {"build.dir": folder, "validation.mode": mode, "types.strict": strict_types}
        workspace = open_for(file, overrides=overrides)
        compiled = compile_file(file, workspace, workspace.registry(), profile=profile, params=params)
        if not as_json:
            print_diagnostics(compiled.diagnostics)
        if check:
            _check(compiled, workspace.project.build, as_json=as_json)
            return
        built = place_build(compiled.manifest, workspace.project.build)
        if as_json:
            print_json(_document(compiled, built))
            return
        steps = len(compiled.manifest.steps)
        counted = "1 step" if steps == 1 else f"{steps} steps"
        unchanged = "" if built.changed else " (unchanged)"
        print_text(f"compiled {compiled.manifest.name}: {counted}, {shown_path(built.path)}{unchanged}")


def _document(compiled: Compiled, built: Built) -> dict[str, Any]:
    manifest = compiled.manifest
    return {
        "ok": True,
        "name": manifest.name,
        "hash": manifest.hash,
        "manifest": str(built.path),
        "changed": built.changed,
        "profile": manifest.profile,
        "params": {
            name: {"value": chosen.value, "origin": chosen.origin}
            for name, chosen in compiled.validation.params.items()
        },
        "steps": [step.id for step in manifest.steps],
        "fingerprints": dict(manifest.fingerprints),
        "diagnostics": [item.to_json() for item in compiled.diagnostics],
    }


def _check(compiled: Compiled, build: Path, *, as_json: bool) -> None:
    """Say whether the build on disk is what compiling gives now; exit 3 when it is not."""
    manifest = compiled.manifest
    reasons = _stale(manifest, build)
    common = {"name": manifest.name, "hash": manifest.hash, "stale": reasons}
    if not reasons:
        if as_json:
            print_json({"ok": True, **common, "diagnostics": [item.to_json() for item in compiled.diagnostics]})
        else:
            print_text(f"{manifest.name} is current: {folder_name(manifest)}")
        return
    error = Stale("OSR-CMP-006", f"the build of '{manifest.name}' is stale: {', '.join(reasons)}")
    if as_json:
        print_json({**error_document(error), **common})
    else:
        print_error(error, as_json=False)
    raise click.exceptions.Exit(int(ExitCode.STALE))


def _stale(manifest: Manifest, build: Path) -> list[str]:
    """Why the build on disk is not current: the parts that changed, or the files that differ. Empty when it is."""
    target = build / manifest.name / folder_name(manifest)
    wrong = differing(target, build_files(manifest))
    try:
        last = read_manifest(latest(build, manifest.name))
    except InvalidInput as error:
        return [error.message]
    if last.profile == manifest.profile and last.hash != manifest.hash:
        changed = [part for part, value in manifest.fingerprints.items() if last.fingerprints.get(part) != value]
        return [f"{part} changed" for part in changed] or ["the manifest changed"]
    if wrong == ["."]:
        return ["it was never compiled with this profile and these parameters"]
    return [f"{name} differs" for name in wrong]
