"""One table of all scores, complete or not at all."""

from pathlib import Path

import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.scores import SCORES


def collect(files: list[Path], expect: list[str]) -> pa.Table:
    """Join score files and hold them against what the run asked for.

    Args:
        files: files of `SCORES`.
        expect: ``corpus/split/system/seed`` of every run.
    Raises:
        PipelineError: a run is missing, unexpected, or has a score twice.
    """
    tables = [read_parquet(file, SCORES) for file in files]
    found = {run: file for file, table in zip(files, tables, strict=True) for run in _runs(table)}
    if missing := [run for run in expect if run not in found]:
        raise PipelineError(
            f"{len(missing)} of {len(expect)} runs have no scores",
            where=", ".join(missing[:5]) + (", …" if len(missing) > 5 else ""),
            expected="scores of every corpus, split, system and seed of the configuration",
            remedy="run the workflow that makes them; no table is made from fewer seeds than were asked for",
        )
    if others := sorted(set(found) - set(expect)):
        raise PipelineError(
            f"scores of {others[0]!r}, which the configuration does not ask for",
            where=found[others[0]],
            expected="only " + ", ".join(expect[:5]) + (", …" if len(expect) > 5 else ""),
            remedy="delete the file, or add the run to the configuration",
        )
    joined = pa.concat_tables([SCORES.empty_table(), *(table.select(SCORES.names).cast(SCORES) for table in tables)])
    _check_unique(joined)
    return joined


def _runs(table: pa.Table) -> set[str]:
    identity = table.select(["corpus", "split", "system", "seed"]).to_pylist()
    return {"/".join(str(value) for value in row.values()) for row in identity}


def _check_unique(table: pa.Table) -> None:
    keys = ["corpus", "split", "system", "seed", "selection", "metric"]
    counts = table.group_by(keys).aggregate([([], "count_all")])
    for row in counts.to_pylist():
        if row["count_all"] > 1:
            raise PipelineError(
                f"{row['count_all']} values of one score",
                where="/".join(str(row[key]) for key in keys),
                expected="one",
                remedy="pass each score file once",
            )
