"""A database on disk for what has to be exact and may exceed memory: DuckDB, which spills beyond `MEMORY`.

Whole strings are grouped and compared, never their hashes alone. What a killed job left in its folder is removed by the
next attempt.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet
from pipeline_lib.schemas.examples import EXAMPLES

# DuckDB is needed by few stages and imported where it is opened
if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"  # of DuckDB's buffers; what Arrow holds of one batch comes on top


@contextmanager
def open_database(folder: Path) -> Iterator["DuckDBPyConnection"]:
    """Open an empty database in a folder that is emptied before and removed afterwards; it fetches no extension.

    Raises:
        PipelineError: DuckDB stopped, as where the disk is full.
    """
    import duckdb

    shutil.rmtree(folder, ignore_errors=True)  # of a job that was killed
    folder.mkdir(parents=True)
    try:
        with duckdb.connect(
            folder / "examples.duckdb",
            config={
                "memory_limit": MEMORY,
                "threads": pa.cpu_count(),  # Arrow's, which follow the threads of the job
                "temp_directory": str(folder),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            },
        ) as database:
            yield database
    except duckdb.Error as error:
        raise PipelineError(
            f"DuckDB stopped: {error}",
            where=folder,
            expected="room for about three times the texts of the largest split",
            remedy="free some space there, or set `results:` to a larger disk, then run the same command again",
        ) from error
    finally:
        shutil.rmtree(folder)


def load_texts(database: "DuckDBPyConnection", table: str, examples: Path) -> None:
    """Create a table with the columns ``context`` and ``response`` of a file of `EXAMPLES`."""
    database.execute(f"CREATE TABLE {table} (context VARCHAR, response VARCHAR)")
    for batch in iter_parquet(examples, EXAMPLES, ["context", "response"]):
        database.register("batch", batch)  # batch by batch: a damaged page keeps its own error
        database.execute(f"INSERT INTO {table} SELECT context, response FROM batch")
