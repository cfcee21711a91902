"""The driver of ``filesystem.csv_extractor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_filesystem.csv_faults import explain, require_structure
from osiris_filesystem.csv_plan import CsvPlan, PlannedFile, make_plan, plan_without_types, text_format
from osiris_filesystem.engine import connect, stream
from osiris_filesystem.file_extractor import FileExtractor
from osiris_filesystem.sources import open_sources

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from osiris_core.api import DriverError
    from osiris_filesystem.csv_config import CsvExtractor
    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root


class CsvExtractorDriver(FileExtractor):
    """Reads CSV files strictly; see :mod:`osiris_filesystem.cells` for what that means."""

    def plan(self, connection: Any, root: Root, files: Sequence[InputFile], config: CsvExtractor) -> CsvPlan:
        """Dialect, headers and types, from the files' first lines and a sample."""
        return make_plan(connection, root, files, config)

    def plan_failure(
        self, error: Exception, root: Root, files: Sequence[InputFile], config: CsvExtractor
    ) -> DriverError:
        """The sample could not be parsed: find the file and the line."""
        connection = connect()
        try:
            plan = plan_without_types(connection, root, files, config)
            return explain(error, connection=connection, root=root, plan=plan, planned=plan.files, config=config)
        finally:
            connection.close()

    def restore(self, data: Mapping[str, Any]) -> CsvPlan:
        """The plan that ``to_json`` gave."""
        return CsvPlan.from_json(data)

    def inferred(self, plan: CsvPlan, config: CsvExtractor) -> Mapping[str, Any] | None:
        """Types and delimiter, as far as they were not stated."""
        if plan.sampled is None and not plan.delimiter_guessed:
            return None
        columns = [{"name": one.name, "type": one.type, "inferred": not one.stated} for one in plan.columns]
        details = {
            "sample_rows": plan.sampled,
            "sample_files": plan.sampled_files,
            "delimiter": plan.dialect.delimiter,
            "delimiter_inferred": plan.delimiter_guessed,
            "quote": plan.dialect.quote,
            "encoding": config.encoding,
        }
        return {"columns": columns, "details": details}

    def read(
        self,
        connection: Any,
        schema: Any,
        root: Root,
        plan: CsvPlan,
        files: Sequence[PlannedFile],
        config: CsvExtractor,
    ) -> Generator[Any, None, None]:
        """The rows of a few files in one statement, and the proof that all of each was read."""
        with open_sources(root, [one.file for one in files], text_format(config)) as sources:
            selects = [plan.select(one, source, config) for one, source in zip(files, sources, strict=True)]
            yield from stream(connection, " UNION ALL ".join(selects), schema=schema)
            for one, source in zip(files, sources, strict=True):
                source.verify()
                if not config.parallel:  # DuckDB then leaves out a last row that it takes for unfinished
                    require_structure(root, one, plan.dialect, config)

    def read_failure(
        self,
        error: Exception,
        connection: Any,
        root: Root,
        plan: CsvPlan,
        files: Sequence[PlannedFile],
        config: CsvExtractor,
    ) -> DriverError:
        """The line that could not be read."""
        return explain(error, connection=connection, root=root, plan=plan, planned=files, config=config)
