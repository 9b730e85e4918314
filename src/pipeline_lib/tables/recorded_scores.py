"""The scores of a table's runs, found by what they are of, and the mistakes that no table is made from."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from pipeline_lib.config.layout import Layout
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.metrics.context_use import IGNORED
from pipeline_lib.metrics.intervals import error_of_interval
from pipeline_lib.metrics.latent import COLLAPSED
from pipeline_lib.schemas.responses import ORACLE, RANDOM_START, SEEN_CORPUS
from pipeline_lib.tables.caveats import CAVEATS
from pipeline_lib.tables.cells import Cell, over_seeds

# behind the label of a row that stands apart, and what it means
APART = {
    RANDOM_START: ("(random initialisation)", "no pretrained weights were given"),
    SEEN_CORPUS: ("(saw this corpus)", "the pretrained weights were trained on it, perhaps on its test examples"),
}


def notes_apart(labels: Iterable[str]) -> list[str]:
    """Say what the marks behind these labels mean."""
    given = list(labels)
    return [
        f"{mark}: {meaning}. Such a row is not compared with others."
        for mark, meaning in APART.values()
        if any(label.endswith(mark) for label in given)
    ]


Key = tuple[str, str, str, str, str]  # corpus, split, system, selection, metric


class Scores:
    """Scores by corpus, split, system, selection, metric and seed."""

    def __init__(self, scores: pa.Table) -> None:
        self.values: dict[Key, dict[int, float | None]] = {}
        self._errors: dict[Key, dict[int, float]] = {}  # standard errors over items, of the metrics that have them
        self._lows: dict[Key, dict[int, float | None]] = {}  # lower ends of their intervals
        self._runs: dict[tuple[str, str, str], dict[str, set[int]]] = {}  # corpus, split, system -> selection -> seeds
        self._signatures: dict[tuple[str, str], dict[str, set[str]]] = {}  # (metric, split) -> corpus -> signatures
        for row in scores.to_pylist():
            key = (row["corpus"], row["split"], row["system"], row["selection"], row["metric"])
            self.values.setdefault(key, {})[row["seed"]] = row["value"]
            if row["low"] is not None:
                self._errors.setdefault(key, {})[row["seed"]] = error_of_interval(row["low"], row["high"])
                self._lows.setdefault(key, {})[row["seed"]] = row["low"]
            self._runs.setdefault(key[:3], {}).setdefault(row["selection"], set()).add(row["seed"])
            by_corpus = self._signatures.setdefault((row["metric"], row["split"]), {})
            by_corpus.setdefault(row["corpus"], set()).add(row["signature"])

    def check_metric(self, metric: str, split: str) -> None:
        """Raise a PipelineError where no system was scored by a metric."""
        if (metric, split) not in self._signatures:
            known = sorted(name for name, own in self._signatures if own == split and "|" not in name)
            raise PipelineError(
                f"no scores of {metric!r}",
                where=f"scores of {split}",
                expected=did_you_mean(metric, known) if known else f"scores of {split}",
                remedy="correct the column's name, or delete the scores and run the same command again",
            )

    def selections(self, corpus: str, system: str, splits: Iterable[str], layout: Layout) -> list[str]:
        """List the selections of one system, the oracle first, each checked to have every seed.

        Raises:
            PipelineError: a seed is missing.
        """
        expected = set(layout.seeds) if layout.systems[system].trained else set()
        selections: set[str] = set()
        for split in splits:
            found = self._runs.get((corpus, split, system), {})
            for seeds in found.values() or [set[int]()]:
                if not seeds or expected - seeds:
                    raise PipelineError(
                        f"{layout.systems[system].label} has seeds {sorted(seeds)}",
                        where=f"scores of {corpus}, {split}, {system}",
                        expected=f"seeds {sorted(expected)}" if expected else "at least one run",
                        remedy="run the workflow for the missing seeds; no table is made from fewer",
                    )
            selections |= found.keys()
        return sorted(selections, key=lambda selection: (selection != ORACLE, selection))

    def cell(self, key: Key) -> Cell:
        """Average one value over its seeds.

        Raises:
            PipelineError: it is defined for some seeds only.
        """
        by_seed = self.values.get(key, {})
        values = [value for value in by_seed.values() if value is not None]
        if 0 < len(values) < len(by_seed):
            without = sorted(seed for seed, value in by_seed.items() if value is None)
            raise PipelineError(
                f"{key[-1]} is undefined for seeds {without} and defined for others",
                where="/".join(key),
                expected="the metric for every seed or for none",
                remedy="delete the responses of these seeds and run the same command again",
            )
        return over_seeds(values, list(self._errors.get(key, {}).values())) if values else Cell()

    def caveats(self, corpus: str, system: str, selection: str, splits: Iterable[str]) -> dict[str, int]:
        """Count the runs by the `tables.caveats` that hold of them; of a metric that was not scored, none do."""
        runs: dict[str, set[int]] = {caveat.name: set() for caveat in CAVEATS}
        for split in splits:
            place = (corpus, split, system, selection)
            runs["collapsed"] |= _below(self.values.get((*place, "kl"), {}), COLLAPSED)
            runs["context_ignored"] |= _below(self._lows.get((*place, "context-use"), {}), IGNORED)
            runs["not_converged"] |= _below(self.values.get((*place, "converged"), {}), 1)
        return {name: len(seeds) for name, seeds in runs.items() if seeds}

    def apart(self, corpus: str, system: str) -> str:
        """Return what stands behind the label of a row that stands apart; empty for other rows."""
        scored = {key[4] for key in self.values if (key[0], key[2]) == (corpus, system)}
        return next((f" {mark}" for name, (mark, _) in APART.items() if name in scored), "")

    def signatures(self, metric: str, split: str) -> dict[str, str]:
        """Give the signature of a metric on each corpus.

        Raises:
            PipelineError: two systems of one corpus were scored under different settings.
        """
        by_corpus = self._signatures[metric, split]
        for corpus, found in by_corpus.items():
            if len(found) > 1:
                raise PipelineError(
                    f"{metric} was computed under two settings: {' and '.join(sorted(found))}",
                    where=f"scores of {corpus}, {split}",
                    expected="one signature per column",
                    remedy="delete the scores of this corpus and run the same command again",
                )
        return {corpus: next(iter(found)) for corpus, found in by_corpus.items()}


def _below(by_seed: Mapping[int, float | None], limit: float) -> set[int]:
    return {seed for seed, value in by_seed.items() if value is not None and value < limit}
