"""The driver of ``filesystem.jsonl_extractor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_filesystem.engine import stream
from osiris_filesystem.file_extractor import FileExtractor
from osiris_filesystem.jsonl_faults import explain
from osiris_filesystem.jsonl_plan import JsonlPlan, make_plan, text_format
from osiris_filesystem.sources import open_sources

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from osiris_filesystem.jsonl_config import JsonlExtractor
    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root


class JsonlExtractorDriver(FileExtractor):
    """Reads JSON Lines strictly; see :mod:`osiris_filesystem.jsonl_values`."""

    def plan(self, connection: Any, root: Root, files: Sequence[InputFile], config: JsonlExtractor) -> JsonlPlan:
        """Keys and types, from a sample."""
        return make_plan(connection, root, files, config)

    def plan_failure(
        self, error: Exception, root: Root, files: Sequence[InputFile], config: JsonlExtractor
    ) -> Exception:
        """The sample is taken by a parser of our own, which explains itself."""
        return error

    def restore(self, data: Mapping[str, Any]) -> JsonlPlan:
        """The plan that ``to_json`` gave."""
        return JsonlPlan.from_json(data)

    def inferred(self, plan: JsonlPlan, config: JsonlExtractor) -> Mapping[str, Any]:
        """The columns and their types."""
        columns = [{"name": one.name, "type": one.type, "inferred": not one.stated} for one in plan.columns]
        details = {"sample_rows": plan.sampled, "sample_files": plan.sampled_files, "encoding": config.encoding}
        return {"columns": columns, "details": details}

    def read(
        self,
        connection: Any,
        schema: Any,
        root: Root,
        plan: JsonlPlan,
        files: Sequence[InputFile],
        config: JsonlExtractor,
    ) -> Generator[Any, None, None]:
        """The rows of a few files in one statement, and the proof that all of each was read."""
        with open_sources(root, files, text_format(config)) as sources:
            selects = [plan.select(file, source, config) for file, source in zip(files, sources, strict=True)]
            yield from stream(connection, " UNION ALL ".join(selects), schema=schema)
            for source in sources:
                source.verify()

    def read_failure(
        self,
        error: Exception,
        connection: Any,
        root: Root,
        plan: JsonlPlan,
        files: Sequence[InputFile],
        config: JsonlExtractor,
    ) -> Exception:
        """The line that could not be read."""
        return explain(error, root=root, plan=plan, files=files, config=config)
