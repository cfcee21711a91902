"""The settings of a project: every one declared once, here.

The reference page, ``osiris.yaml``'s JSON Schema, the ``OSIRIS_<SECTION>_<KEY>`` variables and ``osiris config show``
all come from these classes; :mod:`osiris_core.project.settings` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from osiris_core.model.fields import Problem, config, field
from osiris_core.project.literals import SIZE_PATTERN

_EVENT_PATTERN: Final = re.compile(r"!?[a-z0-9_.*?]+\Z")


@config
class PluginSettings:
    """Which installed plugins take part."""

    allow: tuple[str, ...] | None = field(
        default=None,
        doc="The only plugins to load besides the core's own: ids, names of distributions, or patterns of either with "
        "`*` and `?`. Unset: all that are installed.",
        examples=(["filesystem", "mysql"], ["osiris-*"]),
    )
    block: tuple[str, ...] = field(
        default=(),
        doc="Plugins that are not even imported, named as in `allow`, over which it wins; may name the core's own.",
        examples=(["osiris-legacy", "experimental_*"],),
    )
    strict: bool = field(default=False, doc="Whether a plugin that cannot be used stops the command.")


@config
class LoggingSettings:
    """What a session records."""

    events: tuple[str, ...] = field(
        default=("*",),
        doc="Names of the events to record, with `*` and `?`; a name after `!` is left out. The last that fits wins; "
        "a list that begins with `!` starts from all events.",
        examples=(["*", "!step_progress"],),
    )
    level: Literal["debug", "info", "warning", "error"] = field(
        default="info", doc="The least serious message that is written to a session's osiris.log."
    )
    data_values: bool = field(
        default=False,
        doc="Whether records may hold values of the data, such as the least and the greatest of a column. Never those "
        "of a column whose name says that it holds a secret.",
    )
    dir: str = field(default="logs", min_length=1, doc="The folder of the sessions, below the project or absolute.")
    report: Literal["auto", "always", "never"] = field(
        default="auto",
        doc="When a run ends by writing its page, report.html: `auto` on a terminal, `always`, `never`.",
    )

    def check(self) -> Iterable[Problem]:
        """Event names have no other characters than those of names and the wildcards."""
        for index, pattern in enumerate(self.events):
            if not _EVENT_PATTERN.match(pattern):
                yield Problem(field=("events", index), message=f"'{pattern}' is not an event name or wildcard")


@config
class RunSettings:
    """What a run may use, and how long."""

    jobs: int | None = field(default=None, minimum=1, doc="Steps that run at the same time. Unset: one for each CPU.")
    threads: int | None = field(default=None, minimum=1, doc="Threads a step may start. Unset: one for each CPU.")
    partitions: int | None = field(
        default=None, minimum=1, doc="Parts an extract is read in, where its driver can. Unset: one."
    )
    memory_limit: str | None = field(
        default=None,
        pattern=SIZE_PATTERN,
        doc="Memory a run plans with, such as 512MB or 4GiB. Unset: a share of what the machine has free.",
        examples=("4GiB",),
    )
    temp_directory: str | None = field(
        default=None, min_length=1, doc="Where steps spill and spool. Unset: the run's own folder."
    )
    retries: int = field(
        default=2, minimum=0, maximum=100, doc="How often a step is tried again after a failure that may pass."
    )
    timeout: float | None = field(
        default=None, exclusive_minimum=0, doc="Seconds after which a run is stopped. Unset: never."
    )


@config
class ValidationSettings:
    """What a warning does."""

    mode: Literal["warn", "strict", "off"] = field(
        default="warn", doc="`warn` shows warnings, `strict` makes them errors, `off` hides them. Errors stay errors."
    )


@config
class TypeSettings:
    """What happens to types that a destination cannot hold."""

    strict: bool = field(
        default=True,
        doc="Whether a mapping that would lose something is refused. False changes nothing yet, and compile says so.",
    )


@config
class BuildSettings:
    """Where compiled pipelines go."""

    dir: str = field(default="build", min_length=1, doc="The folder of the manifests, below the project or absolute.")


@config
class ConnectionSettings:
    """How connections are checked."""

    doctor_timeout: float = field(
        default=10.0, exclusive_minimum=0, maximum=3600, doc="Seconds `connections doctor` gives each connection."
    )


@config
class PriceSettings:
    """What a model costs, in US dollars for a million tokens."""

    input: float = field(doc="For what it reads.", minimum=0)
    output: float = field(doc="For what it writes, thinking included.", minimum=0)
    cached: float | None = field(
        default=None, doc="For what it reads and the service had kept. Unset: as `input`.", minimum=0
    )


@config
class LLMSettings:
    """Which model takes part in a conversation."""

    provider: str | None = field(
        default=None,
        min_length=1,
        doc="The model's provider, see `osiris llm list`. Unset: the only one of `providers`.",
        examples=("anthropic", "openai_compatible"),
    )
    model: str | None = field(default=None, min_length=1, doc="The model. Unset: the provider's default.")
    fallback: tuple[str, ...] = field(
        default=(),
        doc="Who is asked when that one fails, in order: `provider` or `provider:model`.",
        examples=(["openai", "local"],),
    )
    providers: Mapping[str, Any] = field(
        factory=dict,
        doc="What each provider takes, by its name: the address of a server, the variable that holds the key.",
        examples=({"openai_compatible": {"base_url": "http://127.0.0.1:11434/v1", "model": "qwen2.5-coder"}},),
    )
    prices: Mapping[str, PriceSettings] = field(
        factory=dict,
        doc="What a model costs, by `provider:model`: US dollars for a million tokens of `input` and `output`, and of "
        "`cached` input where that is cheaper. It goes before the price that a plugin knows.",
        examples=({"openai:gpt-6-luna": {"input": 1.0, "output": 4.0, "cached": 0.1}},),
    )
    max_cost: float | None = field(
        default=None,
        exclusive_minimum=0,
        doc="US dollars after which a conversation asks no model any more. Only models whose price is known (`prices`) "
        "are asked then. Unset: no limit.",
    )
    timeout: float = field(
        default=300.0, exclusive_minimum=0, doc="Seconds that a reply of a model may take from its first word."
    )
    guided: bool | None = field(
        default=None,
        doc="Whether a model is asked for one query instead of a whole plan, which small models do better. Unset: for "
        "the provider `local`.",
    )


@config
class AiopSettings:
    """How runs are packed for models (AIOP)."""

    auto: Literal["never", "failed", "always"] = field(
        default="never",
        doc="After which runs of `osiris run` a package is written: `failed` means all that did not succeed.",
    )
    format: Literal["json", "md"] = field(
        default="json", doc="`json` is the whole package (JSON-LD), `md` a card of it (Markdown)."
    )
    policy: Literal["core", "annex"] = field(
        default="core", doc="`annex` writes every event, measurement and log line into files beside the package, too."
    )
    max_core_bytes: int = field(
        default=300_000, minimum=4096, maximum=1 << 30, doc="Bytes that a package has at most; what goes is said."
    )
    max_annex_bytes: int = field(
        default=100 << 20, minimum=4096, maximum=1 << 40, doc="Bytes that all files of an annex have at most."
    )
    dir: str | None = field(
        default=None,
        min_length=1,
        doc="The folder of packages that are written after runs, below the project or absolute. Unset: the record.",
    )


@config
class Settings:
    """Settings of an Osiris project"""

    plugins: PluginSettings = field(factory=PluginSettings, doc="Which installed plugins take part.")
    logging: LoggingSettings = field(factory=LoggingSettings, doc="What a session records.")
    run: RunSettings = field(factory=RunSettings, doc="What a run may use, and how long.")
    validation: ValidationSettings = field(factory=ValidationSettings, doc="What a warning does.")
    types: TypeSettings = field(factory=TypeSettings, doc="What happens to types a destination cannot hold.")
    build: BuildSettings = field(factory=BuildSettings, doc="Where compiled pipelines go.")
    llm: LLMSettings = field(factory=LLMSettings, doc="Which model takes part in a conversation.")
    connections: ConnectionSettings = field(factory=ConnectionSettings, doc="How connections are checked.")
    aiop: AiopSettings = field(factory=AiopSettings, doc="How runs are packed for models (AIOP).")
