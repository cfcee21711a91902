"""Codes of runs, discovery and commands."""

from __future__ import annotations

from osiris_core.catalogue.entry import ErrorEntry

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
    ErrorEntry("OSR-LOG-030", "the session still runs", "write its page elsewhere with --out, or wait for its end"),
    ErrorEntry("OSR-LOG-031", "no browser could be started", "open the file that was named in a browser"),
    ErrorEntry("OSR-AIO-001", "a package cannot be written", "free space, or name another place: --out, aiop.dir"),
    ErrorEntry("OSR-AIO-002", "an annex cannot be written", "free space, or name another place: --out, aiop.dir"),
    ErrorEntry("OSR-AIO-003", "options that exclude each other", "leave one of them out"),
    ErrorEntry("OSR-CLI-010", "a project cannot be started here", "choose another folder, or move the file away"),
    ErrorEntry("OSR-CLI-011", "a file of the project cannot be written", "check that the folder is writable"),
    ErrorEntry("OSR-CLI-003", "a command line that cannot be understood", "see the command's --help"),
    ErrorEntry("OSR-CLI-004", "--family names no family", "use one of those that the command shows without it"),
    ErrorEntry("OSR-CLI-130", "interrupted", "nothing was left half-done; run it again"),
)
