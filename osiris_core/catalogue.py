"""Every error code the core can show, with what it means and what to do: the source of the error reference page.

A code is never reused. A component adds the codes of its own through ``ComponentSpec.errors``.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class ErrorEntry:
    """A code, what happened in a few words, and the remedy shown when an error brings no hint of its own."""

    code: str
    title: str
    remedy: str


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
    ErrorEntry("OSR-CMP-010", "something that the manifest pins is missing", "install the plugin it was compiled with"),
    ErrorEntry("OSR-CMP-011", "a component has another major version", "compile again, or install the pinned version"),
    ErrorEntry("OSR-CMP-012", "something pinned takes another config", "compile again, or install the pinned version"),
    ErrorEntry("OSR-CMP-013", "another version of a distribution", "nothing needs to be done"),
    ErrorEntry("OSR-CMP-020", "there is no build", "compile the pipeline first"),
    ErrorEntry("OSR-CMP-031", "a --param without a value, or given twice", "write `--param NAME=VALUE` once"),
    ErrorEntry("OSR-CMP-032", "the schema cannot be written", "check that the folder exists and may be written"),
)

RUN = (
    ErrorEntry("OSR-RUN-001", "the run was interrupted", "run it again; what had been published is not written twice"),
    ErrorEntry("OSR-RUN-002", "a step was stopped", "see the step or signal that stopped the run"),
    ErrorEntry(
        "OSR-RUN-003",
        "a driver failed in a way it did not foresee",
        "`osiris logs show` names the record; its osiris.log has the traceback for the component's author",
    ),
    ErrorEntry("OSR-RUN-004", "no space left on a disk", "free space where the message says, and run again"),
    ErrorEntry("OSR-RUN-005", "out of memory", "lower run.jobs or run.memory_limit, or use a larger machine"),
    ErrorEntry("OSR-RUN-006", "a driver did not stop when asked to", "report it to the component's author"),
    ErrorEntry("OSR-RUN-007", "a chain of steps ended early", "see the step that failed first"),
    ErrorEntry("OSR-RUN-008", "the run took longer than its timeout", "raise run.timeout (--timeout)"),
    ErrorEntry("OSR-RUN-009", "a driver's stream failed", "see the message; its osiris.log has the traceback"),
    ErrorEntry("OSR-RUN-010", "a stream was read twice", "report it to the component's author"),
    ErrorEntry("OSR-RUN-011", "a package that a driver needs is missing", "install the package named"),
    ErrorEntry("OSR-RUN-012", "spooled rows cannot be read back", "check the scratch disk, and run again"),
    ErrorEntry("OSR-RUN-013", "rows cannot be spooled", "free space on the scratch disk, or set run.temp_directory"),
    ErrorEntry("OSR-RUN-020", "a driver emitted an event that it cannot", "report it to the component's author"),
    ErrorEntry(
        "OSR-RUN-021",
        "a driver recorded a metric that is no number, or not its own",
        "report it to the component's author",
    ),
    ErrorEntry("OSR-RUN-022", "a driver returned something unusable", "report it to the component's author"),
    ErrorEntry("OSR-RUN-023", "a writer did not read all its rows", "report it to the component's author"),
    ErrorEntry("OSR-RUN-024", "a writer staged fewer or more rows than it was given", "report it to its author"),
    ErrorEntry("OSR-RUN-026", "a split plan is unusable", "report it to its author, or set run.partitions: 1"),
    ErrorEntry("OSR-RUN-027", "the parts of an extract differ", "report it to the component's author"),
    ErrorEntry(
        "OSR-RUN-030",
        "the run record cannot be written",
        "free space or mend the permissions of the logs folder, and run again",
    ),
    ErrorEntry("OSR-RUN-031", "a run could not be set up", "check that the project's folders are writable"),
    ErrorEntry("OSR-RUN-040", "a failpoint is misspelled", "write OSIRIS_FAILPOINT=<name>[@<step>]:<action>"),
    ErrorEntry("OSR-RUN-041", "a failpoint was reached", "this is a test; unset OSIRIS_FAILPOINT"),
    ErrorEntry("OSR-RUN-050", "a driver lacks what its description says", "report it to the component's author"),
    ErrorEntry("OSR-RUN-051", "a manifest's config does not fit its component", "compile the pipeline again"),
    ErrorEntry("OSR-RUN-052", "a manifest does not fit what is installed", "compile the pipeline again"),
    ErrorEntry("OSR-RUN-060", "the isolated run ended without an outcome", "see the record's osiris.log"),
    ErrorEntry("OSR-RUN-070", "there is nothing to run", "name a pipeline or a manifest"),
    ErrorEntry("OSR-RUN-071", "an option does not fit what is run", "compile the pipeline with the option instead"),
    ErrorEntry(
        "OSR-RUN-072",
        "an option that an incremental load cannot take",
        "see the how-to guide on incremental loads for what goes with what",
    ),
    ErrorEntry("OSR-RUN-074", "a label that a run cannot have", "write --label key=value, each key once"),
    ErrorEntry(
        "OSR-RUN-080",
        "the state of an incremental extract does not fit the pipeline",
        "start over with `osiris run --full-refresh`, or say where to go on from with `osiris state set`",
    ),
    ErrorEntry(
        "OSR-RUN-081",
        "the state of an incremental extract cannot be read",
        "set it anew with `osiris state set`, or start over after `osiris state reset`",
    ),
    ErrorEntry("OSR-RUN-082", "a column that 'incremental' names is missing", "select it in the extract"),
    ErrorEntry(
        "OSR-RUN-083", "a column cannot be a cursor", "use a column of numbers, dates, times, text, UUIDs or bytes"
    ),
    ErrorEntry(
        "OSR-RUN-084",
        "an extract gave rows outside of what was asked for",
        "use another cursor, or report it to the author of the component",
    ),
    ErrorEntry(
        "OSR-RUN-085",
        "too many rows at the last value of a cursor",
        "use 'mode: upsert', a finer cursor, or a shorter lag",
    ),
    ErrorEntry(
        "OSR-RUN-086",
        "the rows of an incremental extract were not all read",
        "take the LIMIT out, or read without 'incremental'",
    ),
    ErrorEntry(
        "OSR-RUN-087",
        "the state of an incremental extract was changed during the run",
        "run it again; let no two runs of a pipeline overlap",
    ),
    ErrorEntry("OSR-RUN-088", "no row has a value of the cursor", "choose another cursor, or 'mode: upsert'"),
    ErrorEntry("OSR-RUN-089", "a writer did not note the state", "report it to the author of the component"),
    ErrorEntry(
        "OSR-RUN-090", "the state of an incremental extract cannot be set so", "see what `osiris state show` prints"
    ),
)

DISCOVERY = (
    ErrorEntry("OSR-DSC-001", "no such table", "`osiris discover` without --table shows the tables"),
    ErrorEntry("OSR-DSC-002", "discovery found nothing in its time", "check the connection, or raise --timeout"),
    ErrorEntry("OSR-DSC-003", "a discoverer does not do what it should", "report it to the plugin's author"),
    ErrorEntry("OSR-DSC-004", "a table's rows cannot be read", "check what the message says about the table"),
)

EVALUATION = (
    ErrorEntry("OSR-EVL-001", "a suite of wishes cannot be used", "mend what is marked"),
    ErrorEntry("OSR-EVL-002", "two wishes with one id", "give each an id of its own"),
    ErrorEntry("OSR-EVL-003", "a table of a suite has no file", "write its path relative to the suite"),
    ErrorEntry("OSR-EVL-004", "the suite has no such wish", "--only takes the ids of the suite"),
    ErrorEntry("OSR-EVL-005", "a report cannot be compared with", "name a file that --out has written"),
)

MODELS = (
    ErrorEntry("OSR-LLM-001", "the provider's package is not installed", "install the extra that the message names"),
    ErrorEntry("OSR-LLM-002", "no key is set", "set the variable that the message names, in the environment or .env"),
    ErrorEntry("OSR-LLM-003", "the key was refused", "check the key in the variable that the message names"),
    ErrorEntry("OSR-LLM-004", "the key may not do that", "have the model or the project allowed for the key"),
    ErrorEntry("OSR-LLM-005", "there is no such model", "`osiris llm models` lists those of the service"),
    ErrorEntry("OSR-LLM-006", "the service refused the request", "read its message; another model may take it"),
    ErrorEntry("OSR-LLM-007", "the conversation is too long for the model", "use a model with a larger context"),
    ErrorEntry("OSR-LLM-008", "the account has nothing left", "top it up, or use another provider"),
    ErrorEntry("OSR-LLM-009", "too many requests", "wait, or use another provider"),
    ErrorEntry("OSR-LLM-010", "the service is overloaded or not ready", "try again later"),
    ErrorEntry("OSR-LLM-011", "the service cannot be reached", "check `base_url`, the network, and that it runs"),
    ErrorEntry("OSR-LLM-012", "the service did not answer in time", "try again, or use a faster model"),
    ErrorEntry("OSR-LLM-013", "the reply broke off", "try again"),
    ErrorEntry("OSR-LLM-015", "the model called a tool that nobody offered", "try again, or use another model"),
    ErrorEntry("OSR-LLM-016", "the reply cannot be used", "try again, or use another model"),
    ErrorEntry(
        "OSR-LLM-017",
        "a key would be sent without encryption",
        "use https, or set allow_insecure: true for a network you trust",
    ),
    ErrorEntry("OSR-LLM-018", "the local model cannot be used", "check the path of the GGUF file and the memory"),
    ErrorEntry("OSR-LLM-019", "the replay has no such call", "record the conversation again"),
    ErrorEntry("OSR-LLM-020", "the recording cannot be read", "check its path; each line is one recorded call"),
    ErrorEntry("OSR-LLM-021", "no provider is chosen", "set llm.provider, or use --provider; see `osiris llm list`"),
    ErrorEntry("OSR-LLM-022", "no model is chosen", "set llm.model, or use --model; see `osiris llm models`"),
    ErrorEntry("OSR-LLM-023", "a provider's options cannot be used", "mend them in osiris.yaml under llm.providers"),
)

CONVERSATION = (
    ErrorEntry("OSR-CHAT-001", "the model's reply is not JSON", "try again, or use another model"),
    ErrorEntry("OSR-CHAT-002", "the model's plan cannot become a pipeline", "say the wish in other words"),
    ErrorEntry(
        "OSR-CHAT-003", "a query of the plan cannot be read", "say the wish in other words, or mend it with /edit"
    ),
    ErrorEntry("OSR-CHAT-004", "the plan names a table that is not there", "`osiris discover` shows the tables"),
    ErrorEntry(
        "OSR-CHAT-005", "the plan names a destination or mode that is not there", "name another one in the wish"
    ),
    ErrorEntry("OSR-CHAT-006", "a prompt of one's own cannot be used", "mend the placeholder at the marked place"),
    ErrorEntry("OSR-CHAT-007", "the plan names a column that is not there", "`osiris discover` shows the columns"),
    ErrorEntry(
        "OSR-CHAT-010", "a secret would be sent to the model", "take it out of the wish; /privacy shows what is sent"
    ),
    ErrorEntry("OSR-CHAT-011", "the conversation costs too much", "raise --max-cost or llm.max_cost"),
    ErrorEntry("OSR-CHAT-012", "the model takes too long", "raise llm.timeout, or use a faster model"),
    ErrorEntry("OSR-CHAT-013", "a reply broke off", "try again"),
    ErrorEntry("OSR-CHAT-014", "a reply was cut off for its length", "ask for less at once"),
    ErrorEntry("OSR-CHAT-015", "the model refused to answer", "say it in other words, or use another model"),
    ErrorEntry("OSR-CHAT-016", "a provider has a defect", "report it to the plugin's authors; use another provider"),
    ErrorEntry("OSR-CHAT-017", "a limit of cost cannot be kept", "leave it out, or use a model whose price is known"),
    ErrorEntry("OSR-CHAT-020", "what is to run is not what was approved", "look at it, then approve it"),
    ErrorEntry("OSR-CHAT-030", "no table is known that fits", "add a connection, or name the tables"),
    ErrorEntry("OSR-CHAT-031", "the pipeline cannot be used", "say it in other words, or mend the draft with /edit"),
    ErrorEntry("OSR-CHAT-032", "there is no draft for that", "say what you want first"),
    ErrorEntry("OSR-CHAT-033", "stopped at the keyboard", "say it again; nothing was lost"),
    ErrorEntry("OSR-CHAT-040", "no such conversation", "`osiris chat --resume last` takes the latest"),
    ErrorEntry("OSR-CHAT-041", "conversations cannot be kept", "free space, or mend the permissions of .osiris"),
    ErrorEntry("OSR-CHAT-042", "the pipeline's file cannot be written", "choose another place with --out"),
    ErrorEntry("OSR-CHAT-050", "a file of prompts is there already", "--force writes over it"),
)

COMMANDS = (
    ErrorEntry(
        "OSR-CLI-001", "internal error", "this is a defect; run again with OSIRIS_DEBUG=1 and report what it prints"
    ),
    ErrorEntry(
        "OSR-CLI-002",
        "the operating system refused",
        "check that the path exists, is readable or writable, and that the disk has room",
    ),
    ErrorEntry("OSR-LOG-001", "there is no such session", "`osiris logs list` shows the sessions"),
    ErrorEntry("OSR-LOG-002", "several sessions fit", "give more of the session's id"),
    ErrorEntry("OSR-LOG-003", "there is no session yet", "run a pipeline first"),
    ErrorEntry("OSR-LOG-004", "it is not clear which session is meant", "name one session, or one bundle"),
    ErrorEntry("OSR-LOG-005", "a file is no bundle", "make one with `osiris logs bundle SESSION`"),
    ErrorEntry("OSR-LOG-006", "a bundle unpacks to too much", "it is damaged, or not made by `osiris logs bundle`"),
    ErrorEntry("OSR-LOG-007", "a bundle cannot be written", "free space, mend the permissions, or name another --out"),
    ErrorEntry("OSR-LOG-008", "nothing says which sessions may go", "give --days, --max-gb or --keep-last"),
    ErrorEntry("OSR-LOG-009", "a session cannot be removed", "mend the permissions of the logs folder"),
    ErrorEntry("OSR-AIO-001", "a package cannot be written", "free space, or name another place: --out, aiop.dir"),
    ErrorEntry("OSR-AIO-002", "an annex cannot be written", "free space, or name another place: --out, aiop.dir"),
    ErrorEntry("OSR-AIO-003", "options that exclude each other", "leave one of them out"),
    ErrorEntry("OSR-CLI-010", "a project cannot be started here", "choose another folder, or move the file away"),
    ErrorEntry("OSR-CLI-011", "a file of the project cannot be written", "check that the folder is writable"),
    ErrorEntry("OSR-CLI-003", "a command line that cannot be understood", "see the command's --help"),
    ErrorEntry("OSR-CLI-004", "--family names no family", "use one of those that the command shows without it"),
    ErrorEntry("OSR-CLI-130", "interrupted", "nothing was left half-done; run it again"),
)

ENTRIES: tuple[ErrorEntry, ...] = (
    *YAML,
    *OML,
    *CONFIG,
    *CONNECTIONS,
    *SETTINGS,
    *PLUGINS,
    *COMPILE,
    *RUN,
    *DISCOVERY,
    *MODELS,
    *CONVERSATION,
    *EVALUATION,
    *COMMANDS,
)

_BY_CODE = {entry.code: entry for entry in ENTRIES}


def remedy(code: str) -> str | None:
    """The catalogue's remedy for ``code``, or None for a code of a plugin's."""
    entry = _BY_CODE.get(code)
    return entry.remedy if entry else None


def title(code: str) -> str:
    """What ``code`` means in a few words, or the code itself when it is a plugin's."""
    entry = _BY_CODE.get(code)
    return entry.title if entry else code
