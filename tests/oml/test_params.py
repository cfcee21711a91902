"""Parameters: declaration, typing, precedence, replacement."""

from __future__ import annotations

import pytest

STEP = '- {id: it, component: sample.plain, mode: extract, config: {table: "${params.x}"}}\n'


def declared(declaration, step=STEP, profiles=""):
    return f"params:\n  x: {declaration}\n{profiles}steps:\n  {step}"


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("7", "OSR-OML-030 4:6 the declaration of 'x' must be a mapping"),
        ("{}", "OSR-OML-030 4:3 parameter 'x' has neither a type nor a default that shows it"),
        ("{type: text, default: a}", "OSR-OML-030 4:13 'text' is not a parameter type"),
        ("{type: int, default: '5'}", "OSR-OML-030 4:27 default of 'x': a whole number is needed, not \"5\""),
        ("{type: int, default: true}", "OSR-OML-030 4:27 default of 'x': a whole number is needed, not true"),
        ("{type: string, default: 5}", "OSR-OML-030 4:30 default of 'x': text is needed, not 5"),
        ("{type: bool, default: 'yes'}", "OSR-OML-030 4:28 default of 'x': true or false is needed, not \"yes\""),
        (
            "{type: date, default: 2024-02-30}",
            "OSR-OML-030 4:28 default of 'x': a date in the form YYYY-MM-DD is needed, not \"2024-02-30\"",
        ),
        ("{type: string, default: [a]}", "OSR-OML-030 4:30 default of 'x': text is needed, not a list"),
        ("{type: string, default: }", "OSR-OML-030 4:21 default of 'x' is null"),
        ("{type: string, enum: [a, b], default: c}", 'OSR-OML-030 4:44 default of \'x\': "c" is not one of "a", "b"'),
        ("{type: string, enum: [], default: c}", "OSR-OML-030 4:27 enum must be a list with at least one value"),
        (
            "{type: int, enum: [1, two], default: 1}",
            "OSR-OML-030 4:28 enum of 'x': a whole number is needed, not \"two\"",
        ),
        ("{type: int, min: 3, default: 2}", "OSR-OML-030 4:35 default of 'x': 2 is below the minimum, 3"),
        ("{type: int, max: 3, default: 4}", "OSR-OML-030 4:35 default of 'x': 4 is above the maximum, 3"),
        ("{type: int, min: 3, max: 1, default: 2}", "OSR-OML-030 4:23 min is above max"),
        ("{type: string, min: a, default: b}", "OSR-OML-030 4:21 a string parameter has no min"),
        (
            "{type: date, min: 2024-01-01, default: 2023-12-31}",
            'OSR-OML-030 4:45 default of \'x\': "2023-12-31" is below the minimum, "2024-01-01"',
        ),
        ("{type: string, default: a, defualt: b}", "OSR-OML-006 4:33 a parameter has no key 'defualt'"),
        ("{type: string, default: a, description: 5}", "OSR-OML-007 4:46 description must be text"),
    ],
)
def test_wrong_declarations(bench, found, declaration, expected):
    assert expected in found(bench.check(declared(declaration)))


def test_a_name_that_is_none(bench, found):
    text = f"params: {{X-1: {{default: a}}}}\nsteps:\n  {STEP.replace('${params.x}', 'a')}"
    assert found(bench.check(text))[0] == "OSR-OML-030 3:10 'X-1' is not a parameter name"


def test_precedence(bench):
    text = declared("{type: integer, default: 1}", STEP.replace("table", "limit"), "profiles: {p: {params: {x: 3}}}\n")
    environ = {"OSIRIS_PARAM_X": "2"}

    def value(**options):
        validation = bench.check(text, **options)
        assert validation.ok
        assert validation.steps[0].config["limit"] == validation.params["x"].value
        return validation.params["x"].value, validation.params["x"].origin

    assert value() == (1, "default")
    assert value(environ=environ) == (2, "env")
    assert value(environ={"OSIRIS_PARAM_X": ""}) == (1, "default")
    assert value(environ=environ, profile="p") == (3, "profile")
    assert value(environ=environ, profile="p", params={"x": "4"}) == (4, "cli")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "-5", -5),
        ("integer", "+5", 5),
        ("number", "5", 5.0),
        ("number", "1e3", 1000.0),
        ("number", ".5", 0.5),
        ("boolean", "true", True),
        ("boolean", "False", False),
        ("string", "5", "5"),
        ("string", "", ""),
        ("string", "true", "true"),
        ("date", "2024-02-29", "2024-02-29"),
    ],
)
def test_text_from_the_command_line_is_read_as_the_type(bench, kind, text, value):
    field = {
        "integer": "{limit: '${params.x}'}",
        "number": "{ratio: '${params.x}'}",
        "boolean": "{flag: '${params.x}'}",
    }
    config = field.get(kind, "{table: '${params.x}'}")
    if kind == "integer":
        config = "{window: {first: '${params.x}'}}"
    validation = bench.step(config, top=f"params: {{x: {{type: {kind}}}}}\n", params={"x": text})
    assert validation.ok
    chosen = validation.params["x"].value
    assert (chosen, type(chosen)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "5.0"),
        ("integer", "five"),
        ("integer", " 5"),
        ("integer", "1_000"),
        ("integer", "٥"),
        ("number", "nan"),
        ("number", "inf"),
        ("number", "1e999"),
        ("boolean", "yes"),
        ("boolean", "1"),
        ("date", "2024-2-1"),
        ("date", "20240201"),
        ("date", "2023-02-29"),
    ],
)
def test_text_that_is_not_of_the_type(bench, found, kind, text):
    validation = bench.step("{table: 'a${params.x}'}", top=f"params: {{x: {{type: {kind}}}}}\n", params={"x": text})
    assert found(validation)[0].startswith("OSR-OML-033 --param x: ")
    assert not validation.ok


def test_a_whole_value_keeps_its_type_and_text_interpolates(bench):
    validation = bench.step(
        "{table: 'n=${params.n} b=${params.b} f=${params.f}', limit: '${params.n}', flag: '${params.b}',"
        " ratio: '${params.f}', columns: ['${params.s}', 'x_${params.s}'], options: {k: '${params.s}'},"
        " window: {last: '${params.n}'}}",
        top="params:\n  n: {default: 7}\n  b: {default: true}\n  f: {default: 0.5}\n  s: {default: c}\n",
    )
    assert validation.ok
    config = validation.steps[0].config
    assert config["table"] == "n=7 b=true f=0.5"
    assert (config["limit"], config["flag"], config["ratio"]) == (7, True, 0.5)
    assert config["columns"] == ["c", "x_c"]
    assert (config["options"], config["window"]["last"]) == ({"k": "c"}, 7)


def test_the_type_of_a_whole_value_must_fit_its_field(bench, found):
    validation = bench.step("{limit: '${params.n}'}", top="params: {n: {default: '7'}}\n")
    assert found(validation)[0].startswith("OSR-CFG-001 5:")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{table: '${params.y}'}", "OSR-OML-031 5:71 '${params.y}' names no declared parameter"),
        ("{table: '${params.}'}", "OSR-OML-031 5:71 '${params.}' names no declared parameter"),
        ("{table: 'a${params.x'}", "OSR-OML-035 5:70 '${' has no matching '}'"),
        (
            "{table: '${HOME}'}",
            "OSR-OML-036 5:71 '${HOME}' cannot stand here: a pipeline does not read the environment",
        ),
        (
            "{table: '${vault:a/b}'}",
            "OSR-OML-036 5:71 '${vault:a/b}' cannot stand here: a pipeline does not read the environment",
        ),
        ("{table: '${x}'}", "OSR-OML-036 5:71 '${x}' cannot stand here: a pipeline does not read the environment"),
        ("{table: '${params.x.y}'}", "OSR-OML-031 5:71 '${params.x.y}' names no declared parameter"),
        ("{options: {'${params.x}': a}}", "OSR-OML-035 5:73 a key cannot hold a placeholder"),
    ],
)
def test_placeholders_that_are_refused(bench, found, config, expected):
    assert expected in found(bench.step(config, top="params: {x: {default: a}}\n"))


def test_an_escaped_placeholder_is_text(bench):
    validation = bench.step("{table: '$${HOME} $${params.x} costs $5'}")
    assert validation.ok
    assert validation.steps[0].config["table"] == "${HOME} ${params.x} costs $5"


def test_unknown_parameters_and_profiles(bench, found):
    validation = bench.check(declared("{default: a}"), params={"xx": "1"}, profile="prod")
    assert found(validation) == [
        "OSR-OML-031 --param xx: the pipeline declares no such parameter",
        "OSR-OML-040 --profile prod: the pipeline has no such profile",
    ]
    assert validation.diagnostics[0].hint == "did you mean 'x'?"


def test_a_profile_is_checked_even_when_it_is_not_chosen(bench, found):
    text = declared("{default: a}", profiles="profiles: {p: {params: {x: 5, z: 1}}}\n")
    assert found(bench.check(text)) == [
        "OSR-OML-033 5:28 parameter 'x': text is needed, not 5",
        "OSR-OML-031 5:31 the pipeline declares no parameter 'z'",
    ]


def test_an_unused_parameter_is_a_warning(bench, found):
    validation = bench.step("{table: a}", top="params: {x: {default: a}}\n")
    assert found(validation) == ["OSR-OML-039 3:10 no step uses parameter 'x'"]
    assert validation.ok
    assert validation.params == {}


class TestWithoutAValue:
    TOP = "params: {n: {type: integer}, s: {type: string}}\n"

    def test_compile_needs_one(self, bench, found):
        validation = bench.step("{limit: '${params.n}', table: '${params.s}'}", top=self.TOP, require_values=True)
        assert [line.split()[0] for line in found(validation)] == ["OSR-OML-032", "OSR-OML-032"]
        assert not validation.ok

    def test_validate_judges_everything_else(self, bench, found):
        validation = bench.step("{limit: '${params.n}', ratio: high, table: 'a_${params.s}'}", top=self.TOP)
        assert [line.split()[0] for line in found(validation)] == ["OSR-OML-032", "OSR-OML-032", "OSR-CFG-001"]
        assert validation.incomplete == ("n", "s")

    def test_notes_do_not_make_it_invalid(self, bench):
        assert bench.step("{limit: '${params.n}', table: '${params.s}'}", top=self.TOP).ok


def test_text_that_is_not_utf_8_is_refused(bench, found):
    top = "params: {t: {type: string}}\n"
    validation = bench.step("{table: '${params.t}'}", top=top, params={"t": "a\udcff"}, require_values=True)
    assert "OSR-OML-033 --param t: text in UTF-8 is needed" in found(validation)


@pytest.mark.parametrize(
    ("environ", "params", "said"),
    [
        ({"OSIRIS_PARAM_LIMITT": "2"}, {}, ["OSIRIS_PARAM_LIMITT is set, and the pipeline declares no such parameter"]),
        ({"OSIRIS_PARAM_LIMITT": "2", "OSIRIS_PARAM_LIMIT": "2"}, {}, []),  # given, so the other is somebody else's
        ({"OSIRIS_PARAM_LIMITT": "2"}, {"limit": "2"}, []),
        ({"OSIRIS_PARAM_REGION": "eu"}, {}, []),  # of another pipeline
        ({"OSIRIS_PARAM_LIMIT": "2"}, {}, []),
    ],
)
def test_a_variable_that_is_almost_a_parameters_is_warned_of(bench, environ, params, said):
    validation = bench.step(
        '{table: t, limit: "${params.limit}"}',
        top="params: {limit: {type: integer, default: 1}}\n",
        environ=environ,
        params=params,
    )
    assert validation.ok
    assert [item.message for item in validation.diagnostics] == said
    assert all(item.hint == "did you mean OSIRIS_PARAM_LIMIT?" for item in validation.diagnostics)
