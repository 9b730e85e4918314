"""Results of a run as pandas data frames, for notebooks::

    from pipeline_lib import results

    run = results.load("results", split="test")
    run.scores.query("metric == 'BLEU-1'").groupby("system").value.agg(["mean", "std"])

A frame is read when it is first asked for. Every frame begins with the columns ``corpus``, ``split``, ``system`` and
``seed``, which say which run a row belongs to.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.items import is_for_tests
from pipeline_lib.schemas.scores import SCORES

RUN = ("corpus", "split", "system", "seed")  # the columns that every frame begins with
TEXTS = ("context", "reference", "response")
Chosen = str | int | Sequence[str] | Sequence[int] | None


class _Run(NamedTuple):
    """One system with one seed on one split of a corpus; a folder or file name each."""

    corpus: str
    system: str
    seed: int
    split: str

    def file(self, folder: Path) -> Path:
        return folder / self.corpus / self.system / f"seed{self.seed}" / f"{self.split}.parquet"


class Results:
    """The measurements of a run; made by `load`.

    Attributes:
        scores: a row for each value: ``selection`` (how the group was chosen), ``metric``, ``value`` (missing where it
            is undefined), ``low`` and ``high`` (95 % interval over items), ``n``, ``n_empty``, ``n_oov``,
            ``signature`` (the metric's settings).
        items: a row for each response: ``example_id``, ``sample``, ``selection``, ``group``, ``label``, ``tokens``,
            the likelihoods of the reference in nats (``nll``, ``kl``, ``bound``, …) and a column for each metric that
            has a value for every response.
        responses: the texts of the same rows: ``example_id``, ``sample``, ``selection``, ``context``, ``reference``,
            ``response``.
    """

    def __init__(self, folder: Path, runs: Sequence[_Run]) -> None:
        self.folder, self._runs = folder, list(runs)

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}, {len(self._runs)} runs)"

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every value with its interval."""
        return self._frame("scores", [name for name in SCORES.names if name not in _Run._fields])

    @cached_property
    def items(self) -> pd.DataFrame:
        """Likelihoods and metrics of every response."""
        return self._frame("items", None).drop(columns=list(TEXTS))

    @cached_property
    def responses(self) -> pd.DataFrame:
        """Texts of every response."""
        return self._frame("items", ["example_id", "sample", "selection", *TEXTS])

    def _frame(self, stage: str, columns: list[str] | None) -> pd.DataFrame:
        """Join the files of a stage; a metric that some runs lack is missing in their rows."""
        tables = []
        for run in self._runs:
            table = read_parquet(run.file(self.folder / stage), columns=columns)
            own: dict[str, Any] = {name: [getattr(run, name)] * len(table) for name in RUN}
            rest = [name for name in table.column_names if name not in own and not is_for_tests(name)]
            tables.append(pa.table(own | {name: table[name] for name in rest}))
        return pa.concat_tables(tables, promote_options="permissive").to_pandas()


def load(
    folder: str | Path,
    *,
    corpus: Chosen = None,
    split: Chosen = None,
    system: Chosen = None,
    seed: Chosen = None,
) -> Results:
    """Open the results of a run; nothing is read before a frame is asked for.

    Args:
        folder: what ``results:`` of the run names.
        corpus, split, system, seed: one or several of each; None: all that the folder has scores of.
    Raises:
        PipelineError: the folder has no scores, or none of what is asked for.
    """
    folder = Path(folder)
    found = [
        _Run(file.parts[-4], file.parts[-3], int(file.parts[-2].removeprefix("seed")), file.stem)
        for file in sorted(folder.glob("scores/*/*/seed*/*.parquet"))
    ]
    if not found:
        raise PipelineError(
            "no results: " + ("there are no scores in this folder" if folder.is_dir() else "there is no such folder"),
            where=folder,
            expected=f"a results folder, with {folder / 'scores/<corpus>/<system>/seed<k>/<split>.parquet'}",
            remedy="name the folder that `results:` of a run gives, and make its tables first",
        )
    for what, chosen in (("corpus", corpus), ("split", split), ("system", system), ("seed", seed)):
        found = _chosen(found, what, chosen, folder)
    return Results(folder, found)


def _chosen(runs: Sequence[_Run], what: str, chosen: Chosen, folder: Path) -> list[_Run]:
    if chosen is None:
        return list(runs)
    wanted = {chosen} if isinstance(chosen, str | int) else set(chosen)
    known = list(dict.fromkeys(str(getattr(run, what)) for run in runs))
    for one in wanted:
        if str(one) not in known:
            raise PipelineError(
                f"no {what} {one!r}",
                where=folder,
                expected=did_you_mean(str(one), known),
                remedy=f"correct the {what}, or run the workflow for it",
            )
    return [run for run in runs if str(getattr(run, what)) in {str(one) for one in wanted}]
