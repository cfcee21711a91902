"""The settings reference, from the settings classes."""

from __future__ import annotations

from itertools import groupby

from generators.config import field_text
from generators.markdown import code, table
from osiris_core.model.reference import field_rows
from osiris_core.project.settings import declared, variable_of
from osiris_core.project.settings_model import Settings


def page() -> str:
    """The page."""
    rows = {row.name: row for row in field_rows(Settings)}
    parts = [
        "# Settings",
        "A setting comes from the command line, else from its environment variable, else from the project's "
        "`osiris.yaml`, else it has its default. `osiris config show --origin` says which of them it was. In "
        "`osiris.yaml` a section is a mapping; a variable that is set but empty counts as unset.",
    ]
    for section, settings in groupby(declared(), key=lambda setting: setting.name.partition(".")[0]):
        lines = [
            (
                code(s.name),
                code(variable_of(s.name)),
                rows[s.name].type,
                code(rows[s.name].default),
                field_text(rows[s.name]),
            )
            for s in settings
        ]
        parts += [f"## {section}", rows[section].doc, table(("setting", "variable", "type", "default", ""), lines)]
    parts += ["## Variables that are not settings", table(("variable", ""), OTHERS)]
    return "\n\n".join(part.strip() for part in parts)


OTHERS = (
    ("`OSIRIS_PARAM_<NAME>`", "a value of a pipeline's parameter ([OML](oml.md#parameters))"),
    ("`OSIRIS_VALIDATION`", "a short name of `OSIRIS_VALIDATION_MODE`"),
    ("`OSIRIS_DEBUG`", "`1` shows the traceback of an internal error"),
    ("`NO_COLOR`", "set: no colours on a terminal"),
)
