"""The driver of ``filesystem.parquet_extractor``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from osiris_core.api import DriverError
from osiris_filesystem.engine import stream
from osiris_filesystem.file_extractor import FileExtractor
from osiris_filesystem.parquet_plan import ParquetPlan, damaged, make_plan
from osiris_filesystem.roots import engine_path
from osiris_filesystem.sources import require_unchanged

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.parquet_config import ParquetExtractor
    from osiris_filesystem.parquet_plan import ParquetFile
    from osiris_filesystem.roots import Root


class ParquetExtractorDriver(FileExtractor):
    """Reads the columns asked for, file by file."""

    def plan(self, connection: Any, root: Root, files: Sequence[InputFile], config: ParquetExtractor) -> ParquetPlan:
        """Columns and types, from the files' footers."""
        return make_plan(connection, root, files, config)

    def plan_failure(
        self, error: Exception, root: Root, files: Sequence[InputFile], config: ParquetExtractor
    ) -> Exception:
        """Footers are read file by file, and each failure is explained there."""
        return error

    def restore(self, data: Mapping[str, Any]) -> ParquetPlan:
        """The plan that ``to_json`` gave."""
        return ParquetPlan.from_json(data)

    def inferred(self, plan: ParquetPlan, config: ParquetExtractor) -> Mapping[str, Any] | None:
        """The types of what stands in folders' names; all others stand in the files."""
        if not plan.partition_types:
            return None
        columns = [{"name": name, "type": type_, "inferred": True} for name, type_ in plan.partition_types.items()]
        return {"columns": columns, "details": {"from": "the folders' names"}}

    def read(
        self,
        connection: Any,
        schema: Any,
        root: Root,
        plan: ParquetPlan,
        files: Sequence[ParquetFile],
        config: ParquetExtractor,
    ) -> Generator[Any, None, None]:
        """The rows of a few files in one statement, and the proof that all of each was read."""
        descriptors: list[int] = []
        try:
            for one in files:
                descriptors.append(root.open_file(one.file.parts))
                require_unchanged(descriptors[-1], one.file)
            selects = [
                plan.select(one, engine_path(descriptor, root.path.joinpath(*one.file.parts)))
                for one, descriptor in zip(files, descriptors, strict=True)
            ]
            count = 0
            for batch in stream(connection, " UNION ALL ".join(selects), schema=schema):
                count += batch.num_rows
                yield batch
            for one, descriptor in zip(files, descriptors, strict=True):
                require_unchanged(descriptor, one.file)
            promised = sum(one.rows for one in files)
            if count != promised:
                raise DriverError(
                    "OSR-FS-030",
                    f"{count:,} rows came out of '{files[0].file.path}' and its neighbours, whose footers promise"
                    f" {promised:,}",
                )
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def read_failure(
        self,
        error: Exception,
        connection: Any,
        root: Root,
        plan: ParquetPlan,
        files: Sequence[ParquetFile],
        config: ParquetExtractor,
    ) -> Exception:
        """The error, with the file that it comes from: the first that cannot be read alone."""
        for one in files:
            descriptor = root.open_file(one.file.parts)
            try:
                sql = plan.select(one, engine_path(descriptor, root.path.joinpath(*one.file.parts)))
                for _ in stream(connection, sql):
                    pass
            except DriverError:
                raise
            except Exception as again:  # noqa: BLE001 - made the error that is raised
                return damaged(again, one.file)
            finally:
                os.close(descriptor)
        return damaged(error, files[0].file)
