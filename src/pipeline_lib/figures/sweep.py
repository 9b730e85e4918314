"""The effect of one-to-many and many-to-one data on each system: a column for either rate, a row for each measure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.analyses.one_to_many import INFERRED, POINT, UPTAKE
from pipeline_lib.config.settings import Settings
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.significance.families import holm
from pipeline_lib.significance.trends import Trend, trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWS = "one_to_many"  # kind of the analysis


class Options(Settings):
    """Nothing may be chosen."""


class Axis(NamedTuple):
    """One column: its name, and the count of the corpus that it is to move."""

    title: str
    measured: str
    counted: str


AXES = {
    "one_to_many": Axis("one-to-many rate", "responses_per_context", "responses per training context"),
    "many_to_one": Axis("many-to-one rate", "contexts_per_response", "contexts per training response"),
}
PANELS = {
    "BLEU-2": "relevance\n(BLEU-2)",
    UPTAKE: "relevance\n(uptake)",
    "coherence": "relevance\n(coherence)",
    "distinct-2": "diversity\n(distinct-2)",
    "kl": "KL\n(nats)",
    "ARI": "groups from\nthe context\n(ARI)",
    INFERRED: "groups with\nthe response\n(ARI)",
    "ppl-importance": "perplexity\n(importance)",
    "context-use": "context use\n(nats)",
}
# where a baseline tells what is much and what is little; the BLEU of a reference with itself would flatten all else
GUIDES = {"random": ("BLEU-2", UPTAKE, "coherence", "distinct-2"), "human": (UPTAKE, "coherence", "distinct-2")}
_FROM_ZERO = ("kl", UPTAKE, "distinct-2", "context-use")
_FAINT = 0.35  # opacity of the line of a system whose trend may be chance
_SPREAD = 0.05  # of the narrowest step between two rates: systems are drawn side by side, so that intervals can be read

SWEEP = pa.schema(
    [
        pa.field("axis", pa.string(), nullable=False),
        pa.field("rate", pa.float64(), nullable=False),
        *(field for field in POINT if field.name != "of_runs"),
        pa.field("runs", pa.int32(), nullable=False),
        # of the trained systems over all rates of the axis, the same in each row; null with fewer than three rates
        pa.field("slope", pa.float64()),  # change of the value as the rate goes from 0 to 1
        pa.field("slope_p", pa.float64()),  # Holm's correction over all systems and metrics of the axis
    ]
)


def numbers(axes: Sequence[str], rates: Sequence[float], points: Sequence[Path]) -> pa.Table:
    """Join the points of all columns in one table.

    Args:
        axes, rates: the axis and rate of each of ``points``; a corpus that lies on both axes is given twice.
    Returns:
        SWEEP table.
    """
    rows = [
        {"axis": axis, "rate": float(rate)} | row | {"runs": len(row["of_runs"])}
        for axis, rate, path in zip(axes, rates, points, strict=True)
        for row in read_parquet(path, POINT).to_pylist()
    ]
    trends = {axis: _trends([row for row in rows if row["axis"] == axis]) for axis in dict.fromkeys(axes)}
    return pa.Table.from_pylist(
        [row | trends[row["axis"]].get((row["system"], row["metric"]), {}) for row in rows], SWEEP
    )


def _trends(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, float]]:
    """Return ``slope`` and ``slope_p`` of every system that was trained and every metric, from the rows of one axis."""
    runs: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(dict)
    for row in rows:
        if row["system"] not in GUIDES:
            runs[row["system"], row["metric"]][row["rate"]] = row["of_runs"]
    found = {place: line for place, of_rates in runs.items() if (line := _trend(of_rates)) is not None}
    adjusted = holm(np.array([line.p for line in found.values()]))
    return {
        place: {"slope": line.slope, "slope_p": float(p)}
        for (place, line), p in zip(found.items(), adjusted, strict=True)
    }


def _trend(of_rates: Mapping[float, list[float]]) -> Trend | None:
    """Fit a line through all runs of a system; of a measure without chance, such as the clusters of responses, one."""
    if all(len(set(values)) == 1 for values in of_rates.values()):
        of_rates = {rate: values[:1] for rate, values in of_rates.items()}
    pairs = [(rate, value) for rate, values in of_rates.items() for value in values]
    return trend(*map(list, zip(*pairs, strict=True)))


def draw(table: pa.Table, labels: dict[str, str]) -> "Figure":
    """Draw a row of panels for each measure.

    Args:
        table: what `numbers` gave.
        labels: system -> name in the legend, in its order.
    """
    shown = [axis for axis in AXES if axis in pc.unique(table["axis"]).to_pylist()]
    with style.drawing():
        figure = style.new_figure(style.PAGE, 9.8)
        rows = figure.subplots(len(PANELS), len(shown), sharex="col", sharey="row", squeeze=False)
        for panels, (metric, title) in zip(rows, PANELS.items(), strict=True):
            for axes, axis in zip(panels, shown, strict=True):
                _draw_panel(axes, table.filter((pc.field("axis") == axis) & (pc.field("metric") == metric)), labels)
            panels[0].set_ylabel(title)
            panels[0].set_ylim(*_limits(table.filter(pc.field("metric") == metric), metric))
        for axes, axis in zip(rows[-1], shown, strict=True):
            _label_rates(axes, table.filter(pc.field("axis") == axis), AXES[axis])
        figure.align_ylabels(rows[:, 0])
        handles = {
            label: handle for axes in rows.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        names = [label for label in labels.values() if label in handles]
        figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=4)
    return figure


def _draw_panel(axes: "Axes", part: pa.Table, labels: dict[str, str]) -> None:
    systems = [system for system in labels if system in part["system"].to_pylist()]
    places = sorted(set(part["rate"].to_pylist()))
    step = _SPREAD * min((b - a for a, b in pairwise(places)), default=1.0)
    looks = style.looks_of(labels)
    drawn = [system for system in labels if system not in GUIDES]  # one place each, in every panel
    for system in systems:
        own = part.filter(pc.field("system") == system).sort_by("rate")
        rate, value, low, high = (own[name].to_numpy() for name in ("rate", "value", "low", "high"))
        look = looks[system]
        if system in GUIDES:
            if part["metric"][0].as_py() in GUIDES[system]:
                axes.plot(rate, value, label=labels[system], lw=0.8, **look.line())
            continue
        beside = rate + step * (drawn.index(system) - (len(drawn) - 1) / 2)
        p = own["slope_p"][0].as_py()
        axes.errorbar(
            beside,
            value,
            [value - low, high - value],
            label=labels[system],
            elinewidth=0.7,
            alpha=None if p is not None and p < 1 - LEVEL else _FAINT,
            **look.line(markers=True),
        )


def _limits(row: pa.Table, metric: str) -> tuple[float, float]:
    """Return limits that fit the means, not the intervals.

    Of few runs some intervals are so wide that nothing else could be read.
    """
    guides = [name for name, metrics in GUIDES.items() if metric not in metrics]
    values = row.filter(pc.invert(pc.is_in(row["system"], value_set=pa.array(guides, pa.string()))))["value"].to_numpy()
    low, high = float(values.min(initial=0.0 if metric in _FROM_ZERO else values.max())), float(values.max())
    margin = 0.25 * (high - low) or 0.1
    return (0.0 if metric in _FROM_ZERO else low - margin), high + margin


def _label_rates(axes: "Axes", part: pa.Table, axis: Axis) -> None:
    """Print the measured rate below each rate that was asked for."""
    measured = dict(zip(part["rate"].to_pylist(), part[axis.measured].to_pylist(), strict=True))
    axes.set_xticks(sorted(measured), [f"{rate:g}\n{measured[rate]:.2f}" for rate in sorted(measured)])
    axes.set_xlabel(f"{axis.title}\n(below: {axis.counted})")


def plot(
    axes: list[str], rates: list[float], points: list[Path], systems: list[str], labels: list[str],
    svg: Path, png: Path, csv: Path,
) -> None:  # fmt: skip
    """Write the figure of these systems, and its numbers."""
    table = numbers(axes, rates, points)
    style.save(draw(table, dict(zip(systems, labels, strict=True))), svg, png, csv, table)
