from __future__ import annotations

import pytest

from osiris_core.diagnostics import render
from osiris_core.errors import InvalidInput
from osiris_core.project.literals import size_in_bytes
from osiris_core.project.settings import declared, load_settings, variable_of

# For one setting of each kind: text for the variable, YAML for the file, value for the command line, and what each means.
KINDS = [
    ("run.jobs", "3", "4", 5, (3, 4, 5)),
    ("run.timeout", "1.5", "60", 2, (1.5, 60.0, 2.0)),
    ("run.memory_limit", "2GB", "512MiB", "1TB", ("2GB", "512MiB", "1TB")),
    ("plugins.strict", "1", "true", True, (True, True, True)),
    ("types.strict", "off", "false", False, (False, False, False)),
    ("plugins.block", "a, b", "[c]", ("d",), (["a", "b"], ["c"], ["d"])),
    ("plugins.allow", "a", "[]", ["e"], (["a"], [], ["e"])),
    ("logging.events", "*,!step_*", "['run_*']", ["x"], (["*", "!step_*"], ["run_*"], ["x"])),
    ("validation.mode", "strict", "off", "warn", ("strict", "off", "warn")),
    ("logging.level", "debug", "error", "warning", ("debug", "error", "warning")),
    ("build.dir", "b1", "b2", "b3", ("b1", "b2", "b3")),
]

# Which layers give a value: command line, variable, file - and which of them wins.
LAYERS = [
    ((True, True, True), 2, "cli"),
    ((True, True, False), 2, "cli"),
    ((True, False, True), 2, "cli"),
    ((True, False, False), 2, "cli"),
    ((False, True, True), 0, "env:{variable}"),
    ((False, True, False), 0, "env:{variable}"),
    ((False, False, True), 1, "file osiris.yaml:2"),
    ((False, False, False), None, "default"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer[2])
def test_precedence(project, kind, layer):
    name, text, yaml, option, meant = kind
    (cli, variable, file), winner, origin = layer
    section, _, key = name.partition(".")
    if file:
        project.write("osiris.yaml", f"{section}:\n  {key}: {yaml}\n")
    environ = {variable_of(name): text} if variable else {}
    loaded = load_settings(project.project, project.environment(environ), {name: option if cli else None})
    default = load_settings(project.project, project.environment(), {}).values() if winner is None else {}
    assert loaded.values()[name] == (default[name] if winner is None else meant[winner])
    assert loaded.origins[name] == origin.format(variable=variable_of(name))
    assert loaded.warnings == ()


def test_a_variable_from_a_dotenv_file_says_so(project):
    project.write(".env", "# c\nOSIRIS_RUN_JOBS=7\n")
    loaded = load_settings(project.project, project.environment(), {})
    assert loaded.settings.run.jobs == 7
    assert loaded.origins["run.jobs"] == "env:OSIRIS_RUN_JOBS (.env:2)"


@pytest.mark.parametrize(
    ("environ", "mode", "origin"),
    [
        ({"OSIRIS_VALIDATION": "off"}, "off", "env:OSIRIS_VALIDATION"),
        ({"OSIRIS_VALIDATION": "off", "OSIRIS_VALIDATION_MODE": "strict"}, "strict", "env:OSIRIS_VALIDATION_MODE"),
        ({"OSIRIS_VALIDATION": ""}, "warn", "default"),
    ],
)
def test_the_short_name_of_the_validation_mode(project, environ, mode, origin):
    loaded = load_settings(project.project, project.environment(environ), {})
    assert (loaded.settings.validation.mode, loaded.origins["validation.mode"]) == (mode, origin)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "run:\n", "run:\n  # jobs: 3\nplugins:\n"])
def test_a_file_that_sets_nothing_is_fine(project, text):
    project.write("osiris.yaml", text)
    loaded = load_settings(project.project, project.environment(), {})
    assert set(loaded.origins.values()) == {"default"}


# The file, the environment, the options, and what is said.
MISTAKES = [
    ("rnu:\n  jobs: 3\n", {}, {}, "osiris.yaml:1:1: error[OSR-CFG-002]: unknown key 'rnu' (at $.rnu)"),
    ("run:\n  job: 3\n", {}, {}, "osiris.yaml:2:3: error[OSR-CFG-002]: unknown key 'job' (at $.run.job)"),
    ("run:\n  jobs: 0\n", {}, {}, "osiris.yaml:2:9: error[OSR-CFG-005]: 'jobs' must be at least 1, not 0"),
    ("run:\n  jobs: '3'\n", {}, {}, "osiris.yaml:2:9: error[OSR-CFG-001]: 'jobs' must be"),
    ("run: 3\n", {}, {}, "osiris.yaml:1:6: error[OSR-CFG-001]: 'run' must be a mapping, not 3"),
    ("- 3\n", {}, {}, "osiris.yaml:1:1: error[OSR-CFG-001]"),
    ("run: {\n", {}, {}, "osiris.yaml:"),
    ("validation: {mode: no}\n", {}, {}, "osiris.yaml:1:20: error[OSR-CFG-004]"),
    ("logging: {events: ['step started']}\n", {}, {}, "'step started' is not an event name or wildcard"),
    ("", {"OSIRIS_RUN_JOBS": "many"}, {}, "error[OSR-SET-002]: OSIRIS_RUN_JOBS sets run.jobs: expected a whole number"),
    ("", {"OSIRIS_RUN_JOBS": "0"}, {}, "error[OSR-SET-002]: OSIRIS_RUN_JOBS: 'jobs' must be at least 1, not 0"),
    ("", {"OSIRIS_RUN_TIMEOUT": "soon"}, {}, "OSIRIS_RUN_TIMEOUT sets run.timeout: expected a number"),
    ("", {"OSIRIS_PLUGINS_STRICT": "maybe"}, {}, "OSIRIS_PLUGINS_STRICT sets plugins.strict: expected true or false"),
    ("", {"OSIRIS_VALIDATION": "hard"}, {}, "OSIRIS_VALIDATION sets validation.mode: expected 'warn' or 'strict'"),
    ("", {"OSIRIS_LOGGING_EVENTS": "a,b c"}, {}, "OSIRIS_LOGGING_EVENTS: 'b c' is not an event name or wildcard"),
    ("", {}, {"run.jobs": 0}, "error[OSR-SET-004]: command line: 'jobs' must be at least 1, not 0"),
    ("", {}, {"run.jobs": "3"}, "error[OSR-SET-004]: command line: 'jobs' must be"),
    ("", {}, {"run.job": 3}, "error[OSR-SET-004]: there is no setting 'run.job'\n  = did you mean 'run.jobs'?"),
]


@pytest.mark.parametrize(("file", "environ", "options", "said"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes(project, file, environ, options, said):
    project.write("osiris.yaml", file)
    with pytest.raises(InvalidInput) as caught:
        load_settings(project.project, project.environment(environ), options)
    assert said in "\n".join(map(render, caught.value.diagnostics))
    assert caught.value.exit_code == 2


def test_unknown_keys_suggest_what_was_meant(project):
    project.write("osiris.yaml", "run:\n  retrys: 3\n")
    with pytest.raises(InvalidInput) as caught:
        load_settings(project.project, project.environment(), {})
    assert caught.value.diagnostics[0].hint == "did you mean 'retries'?"


def test_everything_wrong_is_reported_at_once(project):
    project.write("osiris.yaml", "run:\n  job: 3\n  retries: -1\n")
    environment = project.environment({"OSIRIS_RUN_TIMEOUT": "x", "OSIRIS_RUN_THREADS": "-2"})
    with pytest.raises(InvalidInput) as caught:
        load_settings(project.project, environment, {"run.partitions": 0})
    assert len(caught.value.diagnostics) == 5


@pytest.mark.parametrize(
    ("environ", "warned", "hint"),
    [
        ({"OSIRIS_RUN_JOBZ": "3"}, "OSIRIS_RUN_JOBZ (environment) sets nothing", "did you mean 'OSIRIS_RUN_JOBS'?"),
        ({"OSIRIS_RUN__JOBS": "3"}, "OSIRIS_RUN__JOBS (environment) sets nothing", "did you mean 'OSIRIS_RUN_JOBS'?"),
        ({"OSIRIS_LOGGING": "3"}, "OSIRIS_LOGGING (environment) sets nothing", None),
    ],
)
def test_an_unknown_variable_of_a_known_section_is_a_warning(project, environ, warned, hint):
    (warning,) = load_settings(project.project, project.environment(environ), {}).warnings
    assert (warning.code, warning.message) == ("OSR-SET-003", warned)
    assert not warning.is_error
    if hint:
        assert warning.hint == hint


@pytest.mark.parametrize("name", ["OSIRIS_PARAM_DAY", "OSIRIS_DEBUG", "OSIRIS_FAILPOINT", "OSIRIS", "OTHER_RUN_JOBS"])
def test_other_variables_are_nobodys_business(project, name):
    assert load_settings(project.project, project.environment({name: "1"}), {}).warnings == ()


def test_the_settings_place_the_projects_folders(project):
    project.write("osiris.yaml", "build: {dir: out/manifests}\nlogging: {dir: /var/log/osiris}\n")
    placed = load_settings(project.project, project.environment(), {}).project
    assert placed.build == project.root / "out/manifests"
    assert str(placed.logs) == "/var/log/osiris"


@pytest.mark.parametrize(
    ("patterns", "name", "enabled"),
    [
        (["*"], "step_started", True),
        ([], "step_started", False),
        (["step_*"], "step_started", True),
        (["step_*"], "run_started", False),
        (["run_?tarted"], "run_started", True),
        (["*", "!step_progress"], "step_progress", False),
        (["*", "!step_progress"], "step_started", True),
        (["!step_*"], "step_progress", False),
        (["!step_*"], "run_started", True),
        (["!step_*", "step_failed"], "step_failed", True),
        (["step_failed", "!step_*"], "step_failed", False),
        (["Step_*"], "step_started", None),
    ],
)
def test_event_filters(project, patterns, name, enabled):
    options = {"logging.events": patterns}
    if enabled is None:
        with pytest.raises(InvalidInput):
            load_settings(project.project, project.environment(), options)
        return
    assert load_settings(project.project, project.environment(), options).event_enabled(name) is enabled


def test_every_setting_is_declared_once_and_described():
    names = [setting.name for setting in declared()]
    assert len(names) == len(set(names))
    assert len({variable_of(name) for name in names}) == len(names)
    assert all(setting.doc.strip().endswith((".", ":")) for setting in declared())


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("1KB", 1000), ("1KiB", 1024), ("1.5MiB", 1_572_864), ("4 GB", 4_000_000_000), ("2TiB", 2 << 40)],
)
def test_sizes(text, size):
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "4", "GB", "-1GB", "1.GB", "1 XB", "1gb", "1GB "])
def test_not_sizes(text):
    with pytest.raises(ValueError, match="expected an amount"):
        size_in_bytes(text)
