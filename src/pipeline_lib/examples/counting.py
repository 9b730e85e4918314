"""Counts of contexts with several responses and of responses with several contexts (SepaCVAE, section 5.2 and Table 1).

Exact, and out of core: DuckDB groups whole strings, never their hashes alone, and spills what exceeds `MEMORY` into a
folder beside the counts, where the next attempt finds and removes what a killed one left.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet
from pipeline_lib.schemas.examples import EXAMPLES

# DuckDB is needed by one stage alone and imported where it is opened
if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"  # of DuckDB's buffers; what Arrow holds of one batch comes on top

_GROUPED = """
    SELECT count(*), count(*) FILTER (others > 1), coalesce(max(others), 0)
    FROM (SELECT count(*) AS others FROM different GROUP BY {side})
"""


@dataclass(frozen=True)
class ExampleCounts:
    """Counts over the examples of one file; repetitions of the same example count once except in ``examples``."""

    examples: int
    distinct_pairs: int
    contexts: int  # distinct ones, as are the responses
    responses: int
    one_to_many_contexts: int  # contexts with two different responses or more
    most_responses: int  # of one context
    many_to_one_responses: int  # responses with two different contexts or more
    most_contexts: int  # of one response


def count_examples(examples: Path, scratch: Path) -> ExampleCounts:
    """Count a file of ``EXAMPLES``.

    Args:
        examples: the file.
        scratch: a folder for what memory does not hold, emptied before and removed afterwards.
    Raises:
        PipelineError: the file is missing, damaged or of another schema; the disk is full.
    """
    with _database(scratch) as database:
        database.execute("CREATE TABLE given (context VARCHAR, response VARCHAR)")
        for batch in iter_parquet(examples, EXAMPLES, ["context", "response"]):
            database.register("batch", batch)  # batch by batch: a damaged page keeps its own error
            database.execute("INSERT INTO given SELECT context, response FROM batch")
        database.execute("CREATE TABLE different AS SELECT DISTINCT context, response FROM given")
        contexts, one_to_many, most_responses = _row(database, _GROUPED.format(side="context"))
        responses, many_to_one, most_contexts = _row(database, _GROUPED.format(side="response"))
        return ExampleCounts(
            examples=_row(database, "SELECT count(*) FROM given")[0],
            distinct_pairs=_row(database, "SELECT count(*) FROM different")[0],
            contexts=contexts,
            responses=responses,
            one_to_many_contexts=one_to_many,
            most_responses=most_responses,
            many_to_one_responses=many_to_one,
            most_contexts=most_contexts,
        )


@contextmanager
def _database(folder: Path) -> Iterator["DuckDBPyConnection"]:
    """Open an empty database in a folder that is removed afterwards; it fetches no extension."""
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


def _row(database: "DuckDBPyConnection", query: str) -> tuple[int, ...]:
    found = database.execute(query).fetchone()
    assert found is not None  # every query here aggregates
    return found
