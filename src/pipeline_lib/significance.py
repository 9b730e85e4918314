"""Whether the lead of the best system of a column is real: paired tests over test items.

Randomisation (Noreen 1989; Riezler and Maxwell 2005): under the null hypothesis the outputs of two systems for one item
may change places. Bootstrap: items are drawn with replacement, and the differences centred (Koehn 2004). All metrics
and comparisons of a column share the same draws. A system's figure is its average over seeds; an item's outputs of all
seeds change places, or are drawn, together, so seeds are not taken for items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow.compute as pc

from pipeline_lib.config.tables import Significance
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.base import RatioMetric
from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.intervals import interval, resamples
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import Ragged, ngram_ids
from pipeline_lib.metrics.perplexity import Perplexity, is_latent
from pipeline_lib.schema import RESPONSES
from pipeline_lib.storage import parquet_metadata, read_parquet

# Length and KL are tested where a table asks, but have no better direction; active units are of the whole set.
BETTER: dict[str, Literal["lower", "higher"]] = {
    **dict.fromkeys(("ppl", "ppl-bound", "ppl-importance"), "lower"),
    **dict.fromkeys(("distinct-1", "distinct-2"), "higher"),
    **dict.fromkeys(("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "corpus-BLEU"), "higher"),
    **dict.fromkeys(("Average", "Greedy", "Extrema", "coherence"), "higher"),
}
UNDIRECTED = ("length", "kl")
WITH_TEST = (*BETTER, *UNDIRECTED)
ORACLE = "oracle"  # a selection that has seen the reference: it competes in no column
RATIOS: dict[str, RatioMetric] = {
    metric.name: metric
    for metric in (Perplexity("reconstruction"), Perplexity("bound"), Perplexity("importance"), CorpusBleu())
}
WORD = 64  # trials packed into one integer
GRAMS = 8_192  # n-grams whose trials are unpacked at once: 8 MB for 1000 trials


@dataclass(frozen=True)
class Outputs:
    """What one system answered to the same n items, per seed."""

    system: str
    pairs: np.ndarray  # (n,) int64 pair ids, ascending
    seeds: dict[int, Items]
    per_item: dict[str, np.ndarray]  # metric -> (n,) float64, averaged over seeds


class Statistic(Protocol):
    """A column's figure for any resampled set of items."""

    def observed(self, system: int) -> float: ...

    def resampled(self, first: int, second: int, draws: "Draws") -> tuple[np.ndarray, np.ndarray]:
        """(trials,) figures of both systems."""
        ...


def read_outputs(
    files: Sequence[Path], competing: Sequence[str], oracle: bool = False
) -> tuple[str, str, list[Outputs]]:
    """Read per-item files of one corpus and split; other systems and oracle-selected outputs are left out.

    Args:
        oracle: read the oracle-selected outputs, and those alone.
    Returns:
        corpus, split, one `Outputs` per competing system that has outputs, in the order of ``competing``.
    Raises:
        PipelineError: files of several corpora or splits, other items, or seeds that one system has and another not.
    """
    about = [parquet_metadata(file) for file in files]
    corpus, split = _one_of(files, about, "corpus"), _one_of(files, about, "split")
    systems = []
    for system in competing:
        own = sorted((int(a["seed"]), file) for file, a in zip(files, about, strict=True) if a["system"] == system)
        if outputs := _read_system(system, own, oracle):
            systems.append(outputs)
    for other in systems[1:]:
        _check_alike(systems[0], other, f"{corpus}, {split}")
    return corpus, split, systems


def compare(
    systems: Sequence[Outputs], settings: Significance, metrics: Sequence[str] = tuple(BETTER)
) -> list[dict[str, Any]]:
    """Test the best system of each column against every other.

    Returns:
        rows of `schema.SIGNIFICANCE` without corpus and split; none for a column with fewer than two systems.
    """
    if len(systems) < 2:
        return []
    n = len(systems[0].pairs)
    draws = _draws(n, settings)
    rows = []
    for metric in metrics:
        entrants = [system for system in systems if _competes(system, metric)]
        if len(entrants) > 1:
            names = [system.system for system in entrants]
            lead = _test_column(_statistic(metric, entrants), names, BETTER[metric], draws, settings.level)
            rows += [{"metric": metric, **row, "n": n, "method": method_of(settings)} for row in lead]
    return rows


@dataclass(frozen=True)
class Difference:
    """How far ``other`` lies from the system that all are compared with."""

    metric: str
    other: str
    difference: float  # other minus base, each averaged over seeds
    p: float
    p_adjusted: float  # Holm, over the others of this column
    significant: bool


def compare_with(
    base: Outputs, others: Sequence[Outputs], settings: Significance, metrics: Sequence[str] = WITH_TEST
) -> list[Difference]:
    """Test every other system against ``base``, column by column; a system without the metric is left out."""
    draws = _draws(len(base.pairs), settings)
    rows = []
    for metric in metrics:
        entrants = [system for system in (base, *others) if _competes(system, metric)]
        if len(entrants) < 2 or entrants[0] is not base:
            continue
        statistic = _statistic(metric, entrants)
        p, adjusted = _p_values(statistic, 0, range(1, len(entrants)), draws)
        for i, other in enumerate(entrants[1:]):
            difference = statistic.observed(i + 1) - statistic.observed(0)
            significant = bool(adjusted[i] < settings.level)
            rows.append(Difference(metric, other.system, difference, float(p[i]), float(adjusted[i]), significant))
    return rows


def difference_intervals(
    base: Outputs, other: Outputs, settings: Significance, metrics: Sequence[str] = WITH_TEST
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap interval, over pairs, of ``other`` minus ``base`` in each metric that both have.

    Not of distinct-n: a resample says some things twice, and so has fewer different n-grams than any test set.
    """
    draws = Resamples(len(base.pairs), settings.trials, settings.seed)
    intervals = {}
    for metric in metrics:
        if not metric.startswith("distinct-") and _competes(base, metric) and _competes(other, metric):
            here, there = _statistic(metric, [base, other]).resampled(0, 1, draws)
            intervals[metric] = interval(there - here)
    return intervals


def method_of(settings: Significance) -> str:
    """The paired test in words."""
    return f"{settings.method}, {settings.trials} trials, Holm, level {settings.level:g}"


def holm(p: np.ndarray) -> np.ndarray:
    """(m,) p-values adjusted for m comparisons (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def _draws(n: int, settings: Significance) -> "Draws":
    return (Swaps if settings.method == "randomisation" else Resamples)(n, settings.trials, settings.seed)


# --- draws ---------------------------------------------------------------------------------------------------------


class Draws(Protocol):
    """The same draws for every comparison."""

    centred: bool  # whether resampled differences scatter around 0 already

    def sums(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, P) of two systems to (trials, P) sums of each."""
        ...

    def kinds(self, occurrences: "Occurrences") -> tuple[np.ndarray, np.ndarray]:
        """(trials,) how many different n-grams each of two systems has."""
        ...


@dataclass(frozen=True)
class Occurrences:
    """Which n-gram occurs in which item of which of two systems, sorted by n-gram, each once."""

    item: np.ndarray  # (M,) int64
    second: np.ndarray  # (M,) bool, of the second system
    start: np.ndarray  # (G,) int64, where an n-gram's occurrences begin

    @classmethod
    def of(cls, first: Ragged, second: Ragged, order: int, tokens: int) -> "Occurrences":
        n = len(first)
        both = Ragged.of_lengths(
            np.concatenate([first.ids, second.ids]), np.concatenate([first.lengths, second.lengths])
        )
        grams, text, _ = ngram_ids(both, order, tokens)
        key = np.unique(grams * (2 * n) + text)
        gram, text = np.divmod(key, 2 * n)
        return cls(text % n, text >= n, np.unique(gram, return_index=True)[1])

    def count_present(self, present: Any) -> np.ndarray:
        """(64 · words,) n-grams of which at least one occurrence is present.

        Args:
            present: slice of occurrences -> (…, words) uint64, one bit per trial.
        """
        stops = np.append(self.start[1:], len(self.item))
        total: np.ndarray | int = 0
        for low in range(0, len(self.start), GRAMS):
            start, stop = self.start[low : low + GRAMS], stops[min(low + GRAMS, len(stops)) - 1]
            bits = np.bitwise_or.reduceat(present(slice(start[0], stop)), start - start[0], axis=0)
            total = total + np.unpackbits(bits.view(np.uint8), axis=1).sum(axis=0, dtype=np.int64)
        return np.asarray(total)


class Swaps:
    """Approximate randomisation: in each trial each item changes sides with probability one half."""

    centred = True

    def __init__(self, n: int, trials: int, seed: int) -> None:
        self.trials = trials
        words = -(-trials // WORD)
        self._bits = np.random.default_rng(seed).integers(0, 2**64, (n, words), np.uint64)

    def sums(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = np.concatenate([unpacked @ (second - first) for unpacked in self._unpacked()])[: self.trials]
        return first.sum(axis=0) + moved, second.sum(axis=0) - moved

    def kinds(self, occurrences: Occurrences) -> tuple[np.ndarray, np.ndarray]:
        item, second = occurrences.item, occurrences.second
        full = np.uint64(2**64 - 1)

        def on_side(other: bool) -> Any:
            stays = np.where(second == other, full, np.uint64(0))[:, None]  # a swapped item leaves its side
            return lambda part: self._bits[item[part]] ^ stays[part]

        here, there = (occurrences.count_present(on_side(other))[: self.trials] for other in (False, True))
        return here, there

    def _unpacked(self) -> Iterator[np.ndarray]:
        for word in range(self._bits.shape[1]):
            column = np.ascontiguousarray(self._bits[:, word : word + 1])
            yield np.unpackbits(column.view(np.uint8), axis=1).T.astype(np.float64)


class Resamples:
    """Paired bootstrap: in each trial n items are drawn with replacement, the same for both systems."""

    centred = False

    def __init__(self, n: int, trials: int, seed: int) -> None:
        self.trials = trials
        drawn = resamples(n, trials, np.random.default_rng(seed))
        self._counts = np.concatenate([chunk.astype(np.uint16) for chunk in drawn])
        padded = np.zeros((n, -(-trials // WORD) * WORD), bool)
        padded[:, :trials] = self._counts.T > 0
        self._bits = np.packbits(padded, axis=1).view(np.uint64)

    def sums(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = np.concatenate([first, second], axis=1)
        chunks = (self._counts[start : start + WORD] for start in range(0, self.trials, WORD))
        sums = np.concatenate([chunk.astype(np.float64) @ both for chunk in chunks])
        return sums[:, : first.shape[1]], sums[:, first.shape[1] :]

    def kinds(self, occurrences: Occurrences) -> tuple[np.ndarray, np.ndarray]:
        item, second = occurrences.item, occurrences.second

        def on_side(other: bool) -> Any:
            own = np.where(second == other, np.uint64(2**64 - 1), np.uint64(0))[:, None]
            return lambda part: self._bits[item[part]] & own[part]

        here, there = (occurrences.count_present(on_side(other))[: self.trials] for other in (False, True))
        return here, there


# --- statistics ----------------------------------------------------------------------------------------------------


class Sums:
    """A figure that depends on the items through sums, per seed: means, perplexities, corpus BLEU."""

    def __init__(self, parts: list[np.ndarray], value: Any) -> None:
        self.parts = parts  # per system (K, n, P) float64
        self.value = value  # (…, P) -> (…)

    def observed(self, system: int) -> float:
        return float(self.value(self.parts[system].sum(axis=1)).mean())

    def resampled(self, first: int, second: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        seeds = [draws.sums(a, b) for a, b in zip(self.parts[first], self.parts[second], strict=True)]
        here, there = (np.mean([self.value(pair[side]) for pair in seeds], axis=0) for side in (0, 1))
        return here, there


class DistinctRatio:
    """distinct-n: n-grams are counted again after every draw, which sums cannot do."""

    def __init__(self, responses: list[list[Ragged]], tokens: int, order: int) -> None:
        self.responses, self.tokens, self.order = responses, tokens, order  # responses: per system, per seed

    def observed(self, system: int) -> float:
        ratios = []
        for texts in self.responses[system]:
            grams = ngram_ids(texts, self.order, self.tokens)[0]
            ratios.append(len(np.unique(grams)) / max(len(grams), 1))
        return float(np.mean(ratios))

    def resampled(self, first: int, second: int, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        here, there = [], []
        for a, b in zip(self.responses[first], self.responses[second], strict=True):
            kinds = draws.kinds(Occurrences.of(a, b, self.order, self.tokens))
            totals = draws.sums(self._sizes(a), self._sizes(b))
            here.append(kinds[0] / np.maximum(totals[0][:, 0], 1))
            there.append(kinds[1] / np.maximum(totals[1][:, 0], 1))
        return np.mean(here, axis=0), np.mean(there, axis=0)

    def _sizes(self, texts: Ragged) -> np.ndarray:
        return np.maximum(texts.lengths - self.order + 1, 0).astype(np.float64)[:, None]


def _statistic(metric: str, systems: Sequence[Outputs]) -> Statistic:
    if metric.startswith("distinct-"):
        return _distinct(int(metric.removeprefix("distinct-")), systems)
    if metric in RATIOS:
        ratio = RATIOS[metric]
        return Sums([np.stack([_parts(ratio, items) for items in s.seeds.values()]) for s in systems], ratio.value)
    n = len(systems[0].pairs)
    return Sums([s.per_item[metric][None, :, None] for s in systems], lambda sums: sums[..., 0] / n)


def _parts(ratio: RatioMetric, items: Items) -> np.ndarray:
    parts = ratio.parts(items)
    if parts is None:
        raise ValueError(f"{ratio.name} of a system that has none")
    return parts


def _distinct(order: int, systems: Sequence[Outputs]) -> DistinctRatio:
    """Token ids of every run, on one vocabulary."""
    runs = [items for system in systems for items in system.seeds.values()]
    every: dict[str, int] = {}
    renumbered = []
    for items in runs:
        to = np.array([every.setdefault(token, len(every)) for token in items.vocabulary.to_pylist()], np.int64)
        renumbered.append(Ragged(to[items.responses.ids], items.responses.offsets))
    seeds = len(systems[0].seeds)
    return DistinctRatio([renumbered[i : i + seeds] for i in range(0, len(runs), seeds)], len(every), order)


def _test_column(
    statistic: Statistic, names: list[str], better: Literal["lower", "higher"], draws: Draws, level: float
) -> list[dict[str, Any]]:
    values = np.array([statistic.observed(i) for i in range(len(names))])
    ranking = np.argsort(values if better == "lower" else -values, kind="stable")
    best, others = int(ranking[0]), [int(i) for i in ranking[1:]]
    p, adjusted = _p_values(statistic, best, others, draws)
    return [
        {
            "best": names[best],
            "other": names[other],
            "runner_up": other == others[0],
            "difference": float(values[best] - values[other]),
            "p": float(p[i]),
            "p_adjusted": float(adjusted[i]),
            "significant": bool(adjusted[i] < level),
        }
        for i, other in enumerate(others)
    ]


def _p_values(statistic: Statistic, first: int, others: Sequence[int], draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """(m,) p-values of ``first`` against each of the others, as they are and adjusted."""
    p = np.array([_p_value(statistic, first, other, draws) for other in others])
    return p, holm(p)


def _p_value(statistic: Statistic, first: int, second: int, draws: Draws) -> float:
    """Two-sided, the observed data counted as one more trial, so never 0."""
    here, there = statistic.resampled(first, second, draws)
    observed = statistic.observed(first) - statistic.observed(second)
    scatter = here - there - (0 if draws.centred else observed)
    rounding = 1e-12 + 1e-9 * abs(observed)  # equal sums in another order are not quite equal
    extreme = np.abs(scatter) >= abs(observed) - rounding
    return float((1 + extreme.sum()) / (1 + len(extreme)))


# --- reading -------------------------------------------------------------------------------------------------------


def _competes(system: Outputs, metric: str) -> bool:
    """Whether a system enters a column: it has the metric, and its figure there compares with the others'.

    Reconstruction ppl is for latent systems alone. distinct-n falls with the number of responses: one to each pair.
    """
    if metric.startswith("distinct-"):
        return all(len(items) == len(system.pairs) for items in system.seeds.values())
    if metric not in RATIOS:
        return metric in system.per_item
    if any(RATIOS[metric].parts(items) is None for items in system.seeds.values()):
        return False
    latent = all(items.likelihood is not None and is_latent(items.likelihood) for items in system.seeds.values())
    return metric != "ppl" or latent


def _read_system(system: str, files: list[tuple[int, Path]], oracle: bool) -> Outputs | None:
    seeds: dict[int, Items] = {}
    columns: dict[str, list[np.ndarray]] = {}
    pairs = None
    for seed, file in files:
        table = read_parquet(file, RESPONSES)
        table = table.filter((pc.equal if oracle else pc.not_equal)(table["selection"], ORACLE)).sort_by("pair_id")
        if not len(table):
            continue
        items, own = Items.from_table(table), np.unique(table["pair_id"].to_numpy())
        if items.n_pairs != len(own) or (pairs is not None and not np.array_equal(own, pairs)):
            raise _other_items(file, f"the same {len(own) if pairs is None else len(pairs)} pairs for every seed")
        pairs, seeds[seed] = own, items
        for name in table.column_names:
            if name in WITH_TEST and not table[name].null_count:
                columns.setdefault(name, []).append(items.by_pair(table[name].to_numpy()))
    if pairs is None:
        return None
    per_item = {name: np.mean(values, axis=0) for name, values in columns.items() if len(values) == len(seeds)}
    return Outputs(system, pairs, seeds, per_item)


def _one_of(files: Sequence[Path], about: Sequence[dict[str, str]], key: str) -> str:
    for file, metadata in zip(files, about, strict=True):
        if key not in metadata or metadata[key] != about[0].get(key):
            raise PipelineError(
                f"{key} is {metadata.get(key)!r}",
                where=file,
                expected=f"{about[0].get(key)!r}, as in {files[0]}" if key in about[0] else f"metadata {key!r}",
                remedy="compare the systems of one corpus and split at a time; delete a file without metadata",
            )
    if not files:
        raise PipelineError("no files to compare", expected="per-item scores of at least one run")
    return about[0][key]


def _check_alike(first: Outputs, other: Outputs, where: str) -> None:
    if first.seeds.keys() != other.seeds.keys():
        raise PipelineError(
            f"{other.system} has seeds {sorted(other.seeds)}, {first.system} has {sorted(first.seeds)}",
            where=where,
            expected="the same seeds of every system",
            remedy="run the workflow for the missing seeds",
        )
    if not np.array_equal(first.pairs, other.pairs):
        raise _other_items(where, f"the {len(first.pairs)} pairs of {first.system}, not {other.system}'s own")


def _other_items(where: str | Path, expected: str) -> PipelineError:
    return PipelineError(
        "responses to other pairs, or to one pair twice",
        where=where,
        expected=expected,
        remedy="generate the responses again from one test set",
    )
