"""Codes of what people write and install, and of compiling it."""

from __future__ import annotations

from osiris_core.catalogue.entry import ErrorEntry

YAML = (
    ErrorEntry("OSR-YAML-001", "not valid YAML", "mend the syntax at the marked place"),
    ErrorEntry("OSR-YAML-002", "the file is not UTF-8", "save the file as UTF-8"),
    ErrorEntry("OSR-YAML-003", "a character that YAML does not allow", 'remove it, or write it as an escape: "\\x01"'),
    ErrorEntry("OSR-YAML-004", "the file is too large", "a document holds at most 1 MiB; split the pipeline"),
    ErrorEntry("OSR-YAML-005", "the document is nested too deeply", "a document has at most 64 levels; flatten it"),
    ErrorEntry("OSR-YAML-006", "a key stands twice in one mapping", "remove or rename one of the two"),
    ErrorEntry("OSR-YAML-007", "a key is not text", "write the key in quotes"),
    ErrorEntry("OSR-YAML-008", "anchors, aliases and merge keys are not allowed", "write the value out in full"),
    ErrorEntry("OSR-YAML-009", "tags are not allowed", "remove the tag; quote a text that starts with '!'"),
    ErrorEntry("OSR-YAML-010", "more than one document", "put each document into a file of its own"),
    ErrorEntry("OSR-YAML-011", "the document is empty", "see 'osiris init' for a file to start from"),
    ErrorEntry("OSR-YAML-012", "a number that cannot be held", "write it in quotes when it is meant as text"),
    ErrorEntry("OSR-YAML-013", "a YAML directive is not supported", "remove the line that starts with '%'"),
    ErrorEntry("OSR-YAML-014", "the file cannot be read", "check that the path exists and is a readable file"),
)

OML = (
    ErrorEntry("OSR-OML-001", "the document is not a mapping", "begin with `oml_version`, `name` and `steps`"),
    ErrorEntry("OSR-OML-002", "another OML version", 'write `oml_version: "0.1.0"`'),
    ErrorEntry(
        "OSR-OML-003", "no usable pipeline name", "add `name:`: a lower-case letter, then letters, digits, `-` and `_`"
    ),
    ErrorEntry("OSR-OML-004", "no steps", "add `steps:` with at least one step"),
    ErrorEntry("OSR-OML-005", "a key of another format", "write what the hint names instead"),
    ErrorEntry("OSR-OML-006", "an unknown key", "remove it, or correct its name"),
    ErrorEntry("OSR-OML-007", "a value of the wrong kind", "write a value of the kind the message names"),
    ErrorEntry("OSR-OML-010", "a step is incomplete", "give each step `id`, `component` and `mode`"),
    ErrorEntry(
        "OSR-OML-011",
        "not a step id",
        "use a lower-case letter, then letters and digits with single `-` or `_` between",
    ),
    ErrorEntry("OSR-OML-012", "two steps with one id", "give each step an id of its own"),
    ErrorEntry("OSR-OML-013", "not a mode", "write extract, transform or write"),
    ErrorEntry("OSR-OML-014", "mode and component disagree", "write the mode that belongs to the component's role"),
    ErrorEntry("OSR-OML-015", "the component cannot be had", "install the plugin that provides it, or mend the name"),
    ErrorEntry("OSR-OML-016", "not a component's name", "write `family.role`; see `osiris components list`"),
    ErrorEntry("OSR-OML-017", "needs is not a list of ids", "write `needs: [step, ...]`"),
    ErrorEntry("OSR-OML-020", "needs names no step", "name the id of another step"),
    ErrorEntry("OSR-OML-021", "steps need each other", "remove one of them from `needs`"),
    ErrorEntry("OSR-OML-022", "an extract is fed", "remove `needs`; an extract takes no input"),
    ErrorEntry("OSR-OML-023", "a step has no input", "name the step whose rows it takes in `needs`"),
    ErrorEntry("OSR-OML-024", "a write is used as input", "name the step before the write in `needs`"),
    ErrorEntry("OSR-OML-025", "a write has several inputs", "unite them in a transform first"),
    ErrorEntry("OSR-OML-026", "two inputs have one SQL name", "rename one of the steps"),
    ErrorEntry("OSR-OML-027", "rows that no step reads", "remove the step, or name it in another's `needs`"),
    ErrorEntry("OSR-OML-028", "a step is needed twice", "name it once"),
    ErrorEntry(
        "OSR-OML-029",
        "two steps write one destination",
        "give one of them another destination, or unite the rows in a transform and write them once",
    ),
    ErrorEntry("OSR-OML-030", "a parameter is declared wrongly", "see the reference page of OML for declarations"),
    ErrorEntry("OSR-OML-031", "an unknown parameter", "declare it under `params`, or correct its name"),
    ErrorEntry("OSR-OML-032", "a parameter has no value", "give it with `--param`, a profile, or a default"),
    ErrorEntry("OSR-OML-033", "a value does not fit its parameter", "give a value of the declared type and range"),
    ErrorEntry("OSR-OML-034", "a parameter is pasted into SQL", "write `:name` and bind it in `query_params`"),
    ErrorEntry("OSR-OML-035", "a malformed placeholder", "write `${params.name}`; `$${` is a literal `${`"),
    ErrorEntry("OSR-OML-036", "a variable of the environment in OML", "refer to it in osiris_connections.yaml"),
    ErrorEntry("OSR-OML-037", "a placeholder has no value", "give it in `query_params`"),
    ErrorEntry("OSR-OML-038", "a bound value is not used", "write its placeholder in the SQL, or remove it"),
    ErrorEntry("OSR-OML-039", "a parameter is not used", "use it, or remove it"),
    ErrorEntry("OSR-OML-040", "an unknown profile", "declare it under `profiles`, or correct its name"),
    ErrorEntry(
        "OSR-OML-041", "a profile's connection is malformed", "map a family to an alias, or one reference to another"
    ),
    ErrorEntry("OSR-OML-042", "a profile's connection changes nothing", "remove it, or correct what it names"),
    ErrorEntry("OSR-OML-043", "a profile is malformed", "write `name: {params: {...}, connections: {...}}`"),
    ErrorEntry(
        "OSR-OML-044",
        "an incremental extract does not feed exactly one write step",
        "let its rows reach one write step, through any transforms",
    ),
    ErrorEntry(
        "OSR-OML-045",
        "a write step cannot keep the state of an incremental extract",
        "write with a component that keeps state (`osiris components show NAME` says `keeps_state`), or read without "
        "'incremental'",
    ),
    ErrorEntry(
        "OSR-OML-046",
        "two incremental extracts feed one write step",
        "give each a write step of its own, or read one of them in full",
    ),
    ErrorEntry(
        "OSR-OML-047",
        "the write mode does not go with an incremental extract",
        "use 'mode: upsert', or what the message says",
    ),
    ErrorEntry("OSR-OML-048", "a limit on an incremental extract", "remove 'limit', or read without 'incremental'"),
    ErrorEntry("OSR-OML-050", "not a reference to a connection", "write `connection: '@family.alias'`"),
    ErrorEntry("OSR-OML-051", "a connection of another family", "name one of the family that the component needs"),
    ErrorEntry("OSR-OML-052", "the component takes no connection", "remove the key"),
    ErrorEntry("OSR-OML-053", "the connection cannot be had", "see `osiris connections list`"),
    ErrorEntry("OSR-OML-054", "overrides that cannot be applied", "write a mapping of the connection's fields"),
    ErrorEntry(
        "OSR-OML-060", "a secret in a pipeline", "keep it in the environment, and replace it: it has been on disk"
    ),
)

CONFIG = (
    ErrorEntry(
        "OSR-CFG-001",
        "a value of the wrong kind",
        "see the reference page of the component, the connection or the settings",
    ),
    ErrorEntry("OSR-CFG-002", "an unknown key", "remove it, or correct its name"),
    ErrorEntry("OSR-CFG-003", "a required key is missing", "add the key"),
    ErrorEntry("OSR-CFG-004", "a value that is not one of those allowed", "use one of those that the message lists"),
    ErrorEntry("OSR-CFG-005", "a number outside its limits", "use a number within the limits"),
    ErrorEntry("OSR-CFG-006", "a text or list that is too short or too long", "use as many as the message says"),
    ErrorEntry("OSR-CFG-007", "a text that does not have the form asked for", "see the reference page for an example"),
    ErrorEntry(
        "OSR-CFG-008", "a secret written out", "put it into the environment or .env, and write a reference: ${NAME}"
    ),
    ErrorEntry("OSR-CFG-009", "values that do not go together", "see the reference page for the rule"),
    ErrorEntry("OSR-CFG-010", "a plugin's own check failed", "report it to the authors of the plugin"),
    ErrorEntry("OSR-CFG-011", "a number that cannot be held exactly", "use fewer digits"),
)

CONNECTIONS = (
    ErrorEntry("OSR-CON-001", "osiris_connections.yaml cannot be used", "mend what is marked"),
    ErrorEntry(
        "OSR-CON-002",
        "a part of osiris_connections.yaml has the wrong form",
        "write connections: {family: {alias: {field: value}}}; `osiris init` writes an example",
    ),
    ErrorEntry("OSR-CON-003", "not a name for a family or connection", "use a-z, 0-9, - and _, a letter first"),
    ErrorEntry("OSR-CON-004", "two defaults in one family", "leave default: true on one of them"),
    ErrorEntry("OSR-CON-005", "no such connection", "`osiris connections list` shows what there is"),
    ErrorEntry(
        "OSR-CON-006",
        "no default connection",
        "mark one with default: true, or name it in the step: connection: '@family.alias'",
    ),
    ErrorEntry("OSR-CON-007", "a connection of another family", "name a connection of the family the component needs"),
    ErrorEntry(
        "OSR-CON-008",
        "'${' that starts no reference",
        "write ${NAME} for a variable or ${scheme:name} for a secret store",
    ),
    ErrorEntry("OSR-CON-009", "a connection cannot be used", "mend what is marked"),
    ErrorEntry(
        "OSR-CON-010",
        "a secret stands in the file",
        "put it into the environment or a .env file and write ${NAME}; then change the secret, it has been on disk",
    ),
    ErrorEntry(
        "OSR-CON-011",
        "a step may not override this",
        "make another connection, or ask the plugin's author to allow it",
    ),
    ErrorEntry("OSR-CON-012", "a step overrides a connection", "check that this is meant"),
    ErrorEntry(
        "OSR-CON-013",
        "a reference has no value",
        "set the variable in the environment or in a .env file; empty counts as unset",
    ),
    ErrorEntry("OSR-CON-014", "a secret store failed", "check that the store can be reached and knows the name"),
    ErrorEntry(
        "OSR-CON-015",
        "a resolved connection is not valid",
        "check the values of the variables that the connection refers to",
    ),
    ErrorEntry("OSR-CON-017", "a secret is too weak to be masked", "use a longer secret that is no common word"),
    ErrorEntry("OSR-CON-018", "osiris_connections.yaml cannot be read", "check that it is a readable text file"),
)

SETTINGS = (
    ErrorEntry(
        "OSR-SET-001", "the settings cannot be used", "mend what is listed; `osiris config show` knows them all"
    ),
    ErrorEntry("OSR-SET-002", "a variable sets a setting to something unusable", "change or unset the variable"),
    ErrorEntry("OSR-SET-003", "a variable that sets nothing", "`osiris config show --origin` lists the variables"),
    ErrorEntry("OSR-SET-004", "an option sets a setting to something unusable", "change the option"),
    ErrorEntry("OSR-SET-005", "osiris.yaml cannot be read", "check that it is a readable text file"),
    ErrorEntry(
        "OSR-SET-010",
        "a line of a .env file cannot be read",
        "write NAME=value; values with spaces, quotes or # stand in quotes",
    ),
    ErrorEntry("OSR-SET-011", "a variable is set twice in a .env file", "remove one of the lines"),
    ErrorEntry("OSR-SET-012", "a .env file cannot be read", "check that it is a small, readable text file in UTF-8"),
)

PLUGINS = (
    ErrorEntry("OSR-PLG-001", "the plugin's entry point is unusable", "ask the plugin's author to mend its packaging"),
    ErrorEntry("OSR-PLG-002", "the plugin is blocked", "change plugins.allow or plugins.block to let it in"),
    ErrorEntry(
        "OSR-PLG-003",
        "the plugin was written for another plugin API",
        "install a version of the plugin, or of osiris-core, so that their API versions agree",
    ),
    ErrorEntry(
        "OSR-PLG-004",
        "the plugin cannot be imported",
        "reinstall the plugin; `osiris plugins check` shows where it fails",
    ),
    ErrorEntry(
        "OSR-PLG-005",
        "a hook of the plugin failed",
        "report it to the plugin's author; `osiris plugins check` shows where",
    ),
    ErrorEntry("OSR-PLG-006", "a hook of the plugin returned something unusable", "report it to the plugin's author"),
    ErrorEntry("OSR-PLG-007", "the plugin implements a hook wrongly", "report it to the plugin's author"),
    ErrorEntry(
        "OSR-PLG-008",
        "a plugin could not check the pipeline",
        "report it to the plugin's author, or block the plugin",
    ),
    ErrorEntry("OSR-PLG-009", "two plugins provide the same name", "uninstall or block one of them"),
    ErrorEntry("OSR-PLG-010", "strict mode met an unusable plugin", "mend, uninstall or block what is listed"),
    ErrorEntry("OSR-PLG-011", "a plugin works, but has an oddity", "report it to the plugin's author"),
    ErrorEntry("OSR-PLG-020", "not installed", "install the distribution that provides it"),
    ErrorEntry("OSR-PLG-021", "its plugin is installed but unusable", "`osiris plugins list` shows why"),
    ErrorEntry("OSR-PLG-022", "its plugin has no such thing", "`osiris plugins show` lists what a plugin has"),
    ErrorEntry("OSR-PLG-023", "its plugin was not loaded", "report it: the command should have loaded the plugin"),
    ErrorEntry(
        "OSR-PLG-024",
        "a plugin's code cannot be imported",
        "reinstall the plugin with the extras that it needs",
    ),
    ErrorEntry("OSR-PLG-025", "no such plugin", "`osiris plugins list` shows what is installed"),
    ErrorEntry("OSR-PLG-026", "no such example", "`osiris components show` lists the examples of a component"),
    ErrorEntry("OSR-PLG-030", "a config class is unusable", "declare every field with osiris_core.api.field(doc=…)"),
    ErrorEntry("OSR-PLG-031", "an example is missing or not valid", "make the example a config that the class accepts"),
    ErrorEntry(
        "OSR-PLG-032",
        "a name or hint does not follow the rules",
        "end a component's name in its role (`days_extractor`); write hints as one or two plain sentences",
    ),
    ErrorEntry("OSR-PLG-033", "the connection family is described by nobody", "return it from osiris_connections"),
    ErrorEntry("OSR-PLG-034", "an error code does not follow the rules", "use an area of the plugin's own"),
    ErrorEntry("OSR-PLG-035", "the driver is missing or cannot be imported", "return a DriverSpec whose ref exists"),
    ErrorEntry("OSR-PLG-036", "the code behind a description is not what it must be", "implement the method as shown"),
    ErrorEntry(
        "OSR-PLG-037", "the driver's capabilities are not as claimed", "claim exactly what the class implements"
    ),
    ErrorEntry("OSR-PLG-038", "files differ from those that were installed", "reinstall the distribution"),
)

COMPILE = (
    ErrorEntry("OSR-CMP-001", "the pipeline has errors", "mend what is marked"),
    ErrorEntry("OSR-CMP-002", "not a manifest", "compile the pipeline again"),
    ErrorEntry("OSR-CMP-003", "the manifest was changed by hand", "change the pipeline and compile it again"),
    ErrorEntry("OSR-CMP-004", "a manifest of another format", "compile the pipeline again with this Osiris"),
    ErrorEntry("OSR-CMP-005", "the build cannot be written", "check permissions and space of the build folder"),
    ErrorEntry("OSR-CMP-006", "the build is stale", "run `osiris compile` and commit the build"),
    ErrorEntry("OSR-CMP-007", "lossy types change nothing yet", "leave them out, or convert the columns in a query"),
    ErrorEntry("OSR-CMP-010", "something that the manifest pins is missing", "install the plugin it was compiled with"),
    ErrorEntry("OSR-CMP-011", "a component has another major version", "compile again, or install the pinned version"),
    ErrorEntry("OSR-CMP-012", "something pinned takes another config", "compile again, or install the pinned version"),
    ErrorEntry("OSR-CMP-013", "another version of a distribution", "nothing needs to be done"),
    ErrorEntry("OSR-CMP-020", "there is no build", "compile the pipeline first"),
    ErrorEntry("OSR-CMP-031", "a --param without a value, or given twice", "write `--param NAME=VALUE` once"),
    ErrorEntry("OSR-CMP-032", "the schema cannot be written", "check that the folder exists and may be written"),
)
