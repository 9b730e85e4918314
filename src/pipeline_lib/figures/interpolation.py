"""One path through a latent space: the sentence that is decoded at each point, and its log-probability."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.decoded import DECODED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWS = "paths"  # kind of the analysis
_CHARACTERS = 76  # of a line of a sentence
_POINT = 0.22  # inches of height for a point and, if it has two lines, for each


class Options(Settings):
    """The path that is drawn."""

    path: Positive = Field(default=1, description="which of the paths, as the table of them counts")


def numbers(systems: dict[str, Path], path: int) -> pa.Table:
    """Return the points of one path of every system: ``system``, ``t``, ``text``, ``log_p`` and ``nll_lm``.

    Raises:
        PipelineError: there is no such path.
    """
    tables = []
    for system, file in systems.items():
        table = read_parquet(file, DECODED)
        own = table.filter((pc.field("item") == path) & (pc.field("kind") == "point"))
        if not len(own):
            raise PipelineError(
                f"no path {path}",
                where=f"{file}, figures.<name>.options.path",
                expected=f"a path of an analysis of kind paths, from 1 to {pc.max(table['item'])}",
                remedy="correct the number",
            )
        shown = own.select(["t", "text", "log_p", "nll_lm"])
        tables.append(shown.add_column(0, "system", pa.array([system] * len(own))))
    return pa.concat_tables(tables)


def draw(table: pa.Table, labels: dict[str, str]) -> "Figure":
    """Draw a panel for each system: t downwards, beside it the sentence, and log p to the right.

    Args:
        table: what `numbers` gave.
        labels: system -> title of its panel, in order.
    """
    parts = [table.filter(pc.field("system") == system) for system in labels]
    texts = [[textwrap.fill(text or "(empty)", _CHARACTERS) for text in part["text"].to_pylist()] for part in parts]
    lines = sum(text.count("\n") + 1 for of_panel in texts for text in of_panel)
    with style.drawing():
        figure = style.new_figure(style.PAGE, _POINT * lines + 0.9 * len(parts) + 0.4)
        panels = figure.subplots(len(parts), 1, squeeze=False, sharex=True)[:, 0]
        for axes, part, of_panel, label in zip(panels, parts, texts, labels.values(), strict=True):
            _draw_panel(axes, part, of_panel)
            axes.set_title(label)
        panels[-1].set_xlabel("log-probability (nats)")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_panel(axes: "Axes", part: pa.Table, texts: list[str]) -> None:
    t = part["t"].to_pylist()
    axes.plot(part["log_p"], t, color=style.BLUE, marker="o", label="given z, by the decoder")
    if part["nll_lm"].null_count < len(part):
        axes.plot(
            pc.negate(part["nll_lm"]), t, color=style.ORANGE, linestyle="--", marker="s", label="by a language model"
        )
    axes.set_yticks(t, [f"{text}   {point:.3f}" for text, point in zip(texts, t, strict=True)])
    axes.invert_yaxis()


def plot(systems: dict[str, str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure of these systems (name -> label), whose paths are ``files``, and its numbers."""
    table = numbers(dict(zip(systems, files, strict=True)), options.path)
    style.save(draw(table, systems), svg, png, csv, table)
