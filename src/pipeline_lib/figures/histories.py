"""Training curves: what training jobs recorded about themselves, averaged over the runs of each system."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.config.settings import Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.figures import style
from pipeline_lib.training.history import read_history

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# quantity -> kind of history record, its value there, title of the panel
PANELS = {
    "ppl": ("validation", "ppl", "ppl, reconstruction"),
    "ppl_bound": ("validation", "ppl_bound", "ppl, bound"),
    "kl": ("validation", "kl", "KL to the prior (nats)"),
    "kl_training": ("train", "kl", "KL of training batches (nats)"),
    "active_units": ("validation", "active_units", "active units of z"),
    "weight": ("train", "weight", "annealing weight α"),
    "instance_vanished": ("train", "instance_vanished", "contrast of instances: vanished"),
    "keyword_vanished": ("train", "keyword_vanished", "contrast of keywords: vanished"),
    "mahalanobis_vanished": ("train", "mahalanobis_vanished", "Mahalanobis contrast: vanished"),
}
_OF_LATENT = ("kl", "kl_training", "active_units", "weight")  # mean nothing for a system without z
_LOGARITHMIC = ("ppl", "ppl_bound")
_NATS = ("kl", "kl_training")
_LARGE = 50  # nats
_IN_ROW = 3  # panels
CURVES = pa.schema(
    [
        pa.field("system", pa.string(), nullable=False),
        pa.field("quantity", pa.string(), nullable=False),
        pa.field("step", pa.int64(), nullable=False),
        pa.field("mean", pa.float64(), nullable=False),
        pa.field("low", pa.float64(), nullable=False),  # least and most over the runs
        pa.field("high", pa.float64(), nullable=False),
        pa.field("runs", pa.int64(), nullable=False),
    ]
)


Quantity = Literal[
    "ppl",
    "ppl_bound",
    "kl",
    "kl_training",
    "active_units",
    "weight",
    "instance_vanished",
    "keyword_vanished",
    "mahalanobis_vanished",
]


class Options(Settings):
    """Panels of the figure."""

    quantities: list[Quantity] = Field(
        default=["ppl", "ppl_bound", "kl", "active_units", "weight"],
        min_length=1,
        description="what is drawn, a panel each: validation values; of training batches kl_training, weight, and the "
        "share of examples on which a contrast has hardly any gradient left",
    )


def curves(
    histories: dict[str, list[Path]], quantities: Sequence[str] = ("ppl", "ppl_bound", "kl", "active_units", "weight")
) -> pa.Table:
    """Return mean and range over runs of each quantity at every step that was recorded.

    Args:
        histories: system -> history.jsonl of each of its runs.
    Returns:
        CURVES table.
    Raises:
        PipelineError: a line of a history is not a record, or no run recorded any of the quantities.
    """
    rows = []
    for system, paths in histories.items():
        runs = [read_history(path) for path in paths]
        has_latent = any("active_units" in record for run in runs for record in run)
        for quantity in quantities:
            kind, name, _ = PANELS[quantity]
            if quantity in _OF_LATENT and not has_latent:
                continue
            values: dict[int, list[float]] = {}
            for record in (record for run in runs for record in run):
                if record["kind"] == kind and name in record:
                    values.setdefault(record["step"], []).append(record[name])
            rows += [_point(system, quantity, step, values[step]) for step in sorted(values)]
    if not rows:
        raise PipelineError(
            f"none of {', '.join(quantities)} was recorded",
            where=next(path for paths in histories.values() for path in paths),
            expected="a system with a latent variable for kl, active_units and weight, with contrasts for their shares",
            remedy="name other `quantities:` or other `systems:` of the figure",
        )
    return pa.Table.from_pylist(rows, CURVES)


def draw(table: pa.Table, labels: dict[str, str]) -> "Figure":
    """Draw a panel for each quantity that was recorded; the legend takes the place after the last, or is below.

    Args:
        table: what `curves` gave.
        labels: system -> name in the legend, in its order.
    """
    shown = {quantity: PANELS[quantity][2] for quantity in table["quantity"].unique().to_pylist()}
    rows = -(-len(shown) // _IN_ROW)
    is_full = len(shown) == rows * _IN_ROW
    with style.drawing():
        figure = style.new_figure(style.PAGE, 1.95 * rows + 0.35 * is_full)
        panels = list(figure.subplots(rows, _IN_ROW, squeeze=False).flat)
        for axes, (quantity, title) in zip(panels, shown.items(), strict=False):
            _draw_panel(axes, table, quantity, labels)
            axes.set(title=title, xlabel="training step")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        lines, names = panels[0].get_legend_handles_labels()
        runs = max(table["runs"].to_pylist(), default=0)
        title = f"mean and range of {runs} runs" if runs > 1 else "one run"
        if is_full:
            figure.legend(lines, names, loc="outside lower left", ncols=_IN_ROW, title=title, alignment="left")
        else:
            panels[len(shown)].legend(lines, names, loc="center left", title=title, alignment="left", title_fontsize=7)
    return figure


def _draw_panel(axes: "Axes", table: pa.Table, quantity: str, labels: dict[str, str]) -> None:
    from pyarrow import compute as pc

    looks = style.looks_of(labels)
    for system, label in labels.items():
        part = table.filter((pc.field("system") == system) & (pc.field("quantity") == quantity))
        step, mean, low, high = (part[name].to_numpy() for name in ("step", "mean", "low", "high"))
        if not len(part):  # a system without a latent variable, in a panel of one
            continue
        look = looks[system]
        axes.fill_between(step, low, high, color=look.colour, alpha=0.15, lw=0)
        axes.plot(step, mean, label=label, markevery=style.few(step), **look.line(markers=True))
    if quantity in _LOGARITHMIC:
        style.logarithmic(axes)
    elif quantity in _NATS and axes.dataLim.ymax > _LARGE:  # a KL that begins so large would hide where it ends
        style.logarithmic(axes, linear_below=1)
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(0, 1.06 * max(axes.dataLim.ymax, 1e-3))


def _point(system: str, quantity: str, step: int, values: Sequence[float]) -> dict[str, Any]:
    mean, low, high = float(np.mean(values)), min(values), max(values)
    return dict(zip(CURVES.names, (system, quantity, step, mean, low, high, len(values)), strict=True))


def plot(systems: dict[str, str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure of these systems (name -> label), and its numbers.

    Args:
        files: histories of the first system's runs, then of the next.
    """
    runs = len(files) // len(systems)
    of_system = {name: files[i * runs : (i + 1) * runs] for i, name in enumerate(systems)}
    table = curves(of_system, options.quantities)
    style.save(draw(table, systems), svg, png, csv, table)
