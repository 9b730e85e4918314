"""Figure 3 of Bowman et al. (2016): cross-entropy and KL, the two parts of the bound, against the word keep rate."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.settings import Settings
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.likelihoods import LIKELIHOODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWS = "likelihoods"  # kind of the analysis
PARTS = {"reconstruction": "cross-entropy", "kl": "KL to the prior"}
_COLOURS = {"reconstruction": style.SKY, "kl": style.VERMILLION}
_WIDTH = 0.1  # of a bar, in keep rates
RUNS = pa.schema(
    [
        pa.field("system", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        *LIKELIHOODS,  # means over the sentences, nats a sentence
        pa.field("sentences", pa.int64(), nullable=False),
    ]
)


class Options(Settings):
    """Nothing may be chosen."""


def numbers(runs: list[tuple[str, int, Path]]) -> pa.Table:
    """Return a row for each run: means over its sentences, nats.

    Args:
        runs: system, seed and its `LIKELIHOODS`.
    """
    rows = []
    for system, seed, path in runs:
        table = read_parquet(path, LIKELIHOODS)
        means = {name: pc.mean(table[name]).as_py() for name in LIKELIHOODS.names}
        rows.append({"system": system, "seed": seed, "sentences": len(table)} | means)
    return pa.Table.from_pylist(rows, RUNS).sort_by([("keep", "descending"), ("system", "ascending")])


def draw(table: pa.Table) -> "Figure":
    """Draw bars of both parts, whose height is the bound, and beside them the KL alone; a point is a run.

    Args:
        table: what `numbers` gave.
    """
    means = table.group_by("keep").aggregate([(part, "mean") for part in PARTS]).sort_by([("keep", "descending")])
    with style.drawing():
        figure = style.new_figure(style.PAGE, 2.6)
        bound, kl = figure.subplots(1, 2)
        keep = means["keep"].to_pylist()
        below = [0.0] * len(keep)
        for part, label in PARTS.items():
            heights = means[f"{part}_mean"].to_pylist()
            bound.bar(keep, heights, _WIDTH, bottom=below, color=_COLOURS[part], label=label)
            below = heights
        _points(bound, table, "reconstruction", "white", "cross-entropy of a run")
        _points(bound, table, "bound", style.BLACK, "bound, or KL, of a run")
        kl.plot(keep, means["kl_mean"], color=_COLOURS["kl"])
        _points(kl, table, "kl", style.BLACK)
        bound.set(title="bound: cross-entropy + KL", ylabel="nats a sentence")
        kl.set(title="KL to the prior", ylim=(0, None))
        for axes in (bound, kl):
            axes.set_xlabel("word keep rate in training")
            axes.set_xticks(keep, [f"{rate:g}" for rate in keep])
            axes.invert_xaxis()
        figure.legend(*bound.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _points(axes: "Axes", table: pa.Table, part: str, filling: str, label: str = "") -> None:
    axes.scatter(table["keep"], table[part], 16, filling, edgecolors=style.BLACK, label=label, zorder=3)


def plot_runs(
    systems: dict[str, str], seeds: list[int], files: list[Path], options: Options, svg: Path, png: Path, csv: Path
) -> None:
    """Write the figure of these systems (name -> label), and its numbers.

    Args:
        files: `LIKELIHOODS` of the first system's runs, in the order of ``seeds``, then of the next.
    """
    runs = [(system, seed) for system in systems for seed in seeds]
    table = numbers([(*run, path) for run, path in zip(runs, files, strict=True)])
    style.save(draw(table), svg, png, csv, table)
