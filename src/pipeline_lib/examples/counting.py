"""Counts of contexts with several responses and of responses with several contexts (SepaCVAE, section 5.2, Table 1).

Beside them is what filtering dropped from each split and what a held-out split shares with training.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.examples.database import load_texts, open_database
from pipeline_lib.examples.filtering import RULES
from pipeline_lib.examples.overlap import Overlap, count_overlap, training_texts
from pipeline_lib.schemas.dialogues import HELD_OUT, SPLITS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EMPTY = "empty"  # the reason of an example that is dropped before filtering: a text of it has no token
REASONS = (EMPTY, *RULES)

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


def count_splits(
    examples: Mapping[str, Path], report: Mapping[str, Mapping[str, int]], scratch: Path
) -> dict[str, dict[str, Any]]:
    """Count every split, what filtering dropped from it, and what a held-out split shares with training.

    Args:
        examples: the file of each split, of `EXAMPLES`.
        report: of filtering: each split's number of examples dropped for each of `REASONS`.
        scratch: a folder for what memory does not hold, emptied before and removed afterwards.
    Returns:
        For each split the fields of `ExampleCounts`, those of `Overlap` if it is held out, and ``dropped``.
    Raises:
        PipelineError: a file is missing, damaged or of another schema; the disk is full.
    """
    counts: dict[str, dict[str, Any]] = {}
    for split, path in examples.items():
        dropped = {reason: report[split][reason] for reason in REASONS}
        counts[split] = {**asdict(count_examples(path, scratch)), "dropped": dropped}
    with training_texts(examples["train"], scratch) as training:
        for split in HELD_OUT:
            counts[split] |= asdict(count_overlap(examples[split], training))
    return counts


def count_examples(examples: Path, scratch: Path) -> ExampleCounts:
    """Count a file of ``EXAMPLES``.

    Args:
        examples: the file.
        scratch: a folder for what memory does not hold, emptied before and removed afterwards.
    Raises:
        PipelineError: the file is missing, damaged or of another schema; the disk is full.
    """
    with open_database(scratch) as database:
        load_texts(database, "given", examples)
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


def count_paths() -> list[str]:
    """List the counts that a table may show, as it names them: `vocabulary`, `train.examples`, `test.dropped.…`."""
    of_each = [*(field.name for field in fields(ExampleCounts)), *(f"dropped.{reason}" for reason in REASONS)]
    of_held_out = [field.name for field in fields(Overlap)]
    paths = ["vocabulary"]
    for split in SPLITS:
        paths += [f"{split}.{name}" for name in (*of_each, *(of_held_out if split in HELD_OUT else ()))]
    return paths


def _row(database: "DuckDBPyConnection", query: str) -> tuple[int, ...]:
    found = database.execute(query).fetchone()
    assert found is not None  # every query here aggregates
    return found
