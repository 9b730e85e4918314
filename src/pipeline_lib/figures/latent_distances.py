"""Figure 4 of the SepaCVAE paper: cosine of [c; z] within and between groups, batch by batch, one line a system."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config.settings import Settings
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.latents import DISTANCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWS = "distances"  # kind of the analysis
PANELS = {"inner": "within a group (inner)", "inter": "between groups (inter)", "gap": "difference (inner − inter)"}
_WINDOWS = 20  # of the running mean in the whole stretch of batches


class Options(Settings):
    """Nothing may be chosen."""


def numbers(systems: dict[str, Path]) -> pa.Table:
    """Return the distances of every system with what is drawn of them.

    Args:
        systems: system -> its distances.
    Returns:
        DISTANCES with ``system`` before and, behind, for each of inner, inter and gap (their difference) the running
        mean and standard deviation (``…_mean``, ``…_sd``); null where no batch of the window has such an example.
    """
    tables = []
    for system, path in systems.items():
        table = read_parquet(path, DISTANCES)
        inner, inter = (table[name].to_numpy().astype(np.float64) for name in ("inner", "inter"))
        table = table.add_column(0, "system", pa.array([system] * len(table)))
        for name, values in {"inner": inner, "inter": inter, "gap": inner - inter}.items():
            mean, sd = running(values, max(1, len(table) // _WINDOWS))
            table = table.append_column(f"{name}_mean", pa.array(mean, from_pandas=True))
            table = table.append_column(f"{name}_sd", pa.array(sd, from_pandas=True))
        tables.append(table)
    return pa.concat_tables(tables)


def running(values: NDArray[np.float64], width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation (n,) over the ``width`` (made odd) values around each; nan are left out.

    At the ends the window shrinks to what there is; where it holds nothing, both are nan.
    """
    half = width // 2
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.ma.masked_invalid(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1))
    mean, sd = windows.mean(1), windows.std(1)
    return np.ma.filled(mean.astype(float), np.nan), np.ma.filled(sd.astype(float), np.nan)


def draw(table: pa.Table, labels: dict[str, str]) -> "Figure":
    """Draw panels for inner, inter and their difference; the legend gives each system's means over all batches.

    Args:
        table: what `numbers` gave.
        labels: system -> name in the legend, in its order.
    """
    from pyarrow import compute as pc

    with style.drawing():
        figure = style.new_figure(style.PAGE, 2.9)
        panels = figure.subplots(1, 3)
        for (system, label), look in zip(labels.items(), style.looks_of(labels).values(), strict=True):
            part = table.filter(pc.field("system") == system)
            for axes, name in zip(panels, PANELS, strict=True):
                _draw_line(axes, part, name, look, _described(part, label))
        for axes, title in zip(panels, PANELS.values(), strict=True):
            axes.set(title=title, xlabel="batch, in training order")
        panels[1].sharey(panels[0])
        panels[0].set_ylabel("mean cosine of [c; z]")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=2, title="mean over the batches, inner / inter",
            title_fontsize=7,
        )  # fmt: skip
    return figure


def _draw_line(axes: "Axes", part: pa.Table, name: str, look: style.Look, label: str) -> None:
    batch, mean, sd = (part[column].to_numpy() for column in ("batch", f"{name}_mean", f"{name}_sd"))
    axes.fill_between(batch, mean - sd, mean + sd, color=look.colour, alpha=0.12, lw=0)
    axes.plot(batch, mean, label=label, markevery=style.few(batch), **look.line(markers=True))


def _described(part: pa.Table, label: str) -> str:
    """Describe a system in the legend: its means, and how many batches had no example to show."""
    from pyarrow import compute as pc

    means = (pc.mean(part[name]).as_py() for name in ("inner", "inter"))
    text = f"{label}  " + " / ".join("–" if mean is None else f"{mean:.3f}" for mean in means)
    without = part["inner"].null_count
    return f"{text}  (no inner pair in {without} of {len(part)})" if without else text


def plot(systems: dict[str, str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure of these systems (name -> label), whose distances are ``files``, and its numbers."""
    table = numbers(dict(zip(systems, files, strict=True)))
    style.save(draw(table, systems), svg, png, csv, table)
