"""Systems' outputs for the same items, read for paired tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import parquet_metadata, read_parquet
from pipeline_lib.metrics.items import Items
from pipeline_lib.schemas.items import DIALOGUE, parts_of
from pipeline_lib.schemas.responses import ORACLE, RESPONSES


@dataclass(frozen=True)
class Outputs:
    """One system's outputs for the same n items, per seed."""

    system: str
    examples: np.ndarray  # (n,) int64 example ids, ascending
    seeds: dict[int, Items]
    per_item: dict[str, np.ndarray]  # metric -> (S, n) float64, a row for each seed
    parts: dict[str, np.ndarray] = field(default_factory=dict)  # metric -> (S, n, P) float64, what items add to sums
    dialogue: np.ndarray | None = None  # (n,) int64 from 0; None: each example is a dialogue of its own

    @property
    def dialogues(self) -> np.ndarray:
        """Number of each example's dialogue, (n,) int64."""
        if self.dialogue is None:
            return np.arange(len(self.examples))
        return np.unique(self.dialogue, return_inverse=True)[1]


def read_outputs(
    files: Sequence[Path], competing: Sequence[str], metrics: Sequence[str], oracle: bool = False
) -> list[Outputs]:
    """Read per-item files of one corpus and split; other systems and oracle-selected outputs are left out.

    Args:
        metrics: those whose per-item values, or parts of sums, are read, where the files have them.
        oracle: read the oracle-selected outputs, and those alone.
    Returns:
        one `Outputs` per competing system that has outputs, in the order of ``competing``.
    Raises:
        PipelineError: files of several corpora or splits, other items, or seeds that one system has and another not.
    """
    about = [parquet_metadata(file) for file in files]
    corpus, split = _one_of(files, about, "corpus"), _one_of(files, about, "split")
    systems = []
    for system in competing:
        own = sorted((int(a["seed"]), file) for file, a in zip(files, about, strict=True) if a["system"] == system)
        if outputs := _read_system(system, own, metrics, oracle):
            systems.append(outputs)
    for other in systems[1:]:
        _check_alike(systems[0], other, f"{corpus}, {split}")
    return systems


def by_split(files: Sequence[Path]) -> dict[tuple[str, str], list[Path]]:
    """Sort per-item files by (corpus, split), in the order in which these appear.

    Raises:
        PipelineError: a file does not say where it belongs.
    """
    sorted_: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        about = parquet_metadata(file)
        sorted_.setdefault((_one_of([file], [about], "corpus"), _one_of([file], [about], "split")), []).append(file)
    return sorted_


def _read_system(system: str, files: list[tuple[int, Path]], metrics: Sequence[str], oracle: bool) -> Outputs | None:
    seeds: dict[int, Items] = {}
    columns: dict[str, list[np.ndarray]] = {}
    parts: dict[str, list[np.ndarray]] = {}
    examples = dialogue = None
    for seed, file in files:
        table = read_parquet(file, RESPONSES)
        table = table.filter((pc.equal if oracle else pc.not_equal)(table["selection"], ORACLE)).sort_by("example_id")
        if not len(table):
            continue
        items = Items.from_table(table)
        own, first = np.unique(table["example_id"].to_numpy(), return_index=True)
        if items.n_examples != len(own) or (examples is not None and not np.array_equal(own, examples)):
            raise _other_items(
                file, f"the same {len(own) if examples is None else len(examples)} examples for every seed"
            )
        examples, seeds[seed] = own, items
        if DIALOGUE in table.column_names:
            dialogue = table[DIALOGUE].to_numpy()[first]
        for name in metrics:
            if name in table.column_names and not table[name].null_count and _is_defined(name, items):
                values = table[name].to_numpy().astype(np.float64)
                columns.setdefault(name, []).append(items.by_example(values))
            if parts_of(name) in table.column_names:
                parts.setdefault(name, []).append(np.stack(table[parts_of(name)].take(first).to_numpy()))
    if examples is None:
        return None
    per_item, sums = (
        {name: np.stack(values) for name, values in found.items() if len(values) == len(seeds)}
        for found in (columns, parts)
    )
    return Outputs(system, examples, seeds, per_item, sums, dialogue)


def _is_defined(name: str, items: Items) -> bool:
    """Tell whether per-item values are of the metric: a system without z has a KL of nothing but zeros."""
    return name != "kl" or (items.likelihood is not None and items.likelihood.latent)


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
    if not np.array_equal(first.examples, other.examples):
        raise _other_items(where, f"the {len(first.examples)} examples of {first.system}, not {other.system}'s own")


def _other_items(where: str | Path, expected: str) -> PipelineError:
    return PipelineError(
        "responses to other examples, or to one example twice",
        where=where,
        expected=expected,
        remedy="generate the responses again from one test set",
    )
