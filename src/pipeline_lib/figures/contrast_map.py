"""Figure 3 of Li et al. (2022): inputs, positives and negatives and their keywords, in two spaces that never mix."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.measures import standard_error
from pipeline_lib.analyses.separation import plane
from pipeline_lib.config.settings import Positive, Seed, Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.contrast_space import SIDES, SPACES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWS = "contrast_space"  # kind of the analysis
_TITLES = {"width": "encoded texts and nodes", "latent": "latent space"}
_MARKERS = {"input": "s", "positive": "o", "negative": "^"}
_KINDS = ("keyword", "sentence")
_FEWEST = 2
MAP = pa.schema(
    [
        pa.field("system", pa.string(), nullable=False),
        pa.field("space", pa.string(), nullable=False),
        pa.field("trained", pa.bool_(), nullable=False),
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("x", pa.float32()),  # of t-SNE; null for examples that are not drawn
        pa.field("y", pa.float32()),
        # of a panel and kind, the same in each of its rows
        pa.field("nearer", pa.float64(), nullable=False),  # share of examples whose input is nearer to the positive
        pa.field("nearer_error", pa.float64(), nullable=False),  # its standard error
        pa.field("silhouette", pa.float64(), nullable=False),  # of positives against negatives
    ]
)


class Options(Settings):
    """t-SNE of each panel."""

    examples: Positive = Field(default=40, description="examples that are drawn; measures are of all")
    perplexity: float = Field(default=15.0, gt=1, description="perplexity of t-SNE")
    seed: Seed = Field(default=1, description="seed of t-SNE")


def numbers(systems: dict[str, Path], options: Options) -> pa.Table:
    """Return the points of every panel, with t-SNE and measures.

    Args:
        systems: system -> its analysis of kind `contrast_space`.
    Returns:
        MAP table.
    Raises:
        PipelineError: a file is something else.
    """
    parts = []
    for system, path in systems.items():
        table = read_parquet(path)
        if not {"space", "trained", "kind", "side", "point"} <= set(table.column_names):
            raise PipelineError(
                f"not an analysis of kind `contrast_space`: columns are {', '.join(table.column_names)}",
                where=path,
                expected="space, trained, kind, side and point",
                remedy="correct `of:` of the figure, or delete the file and run the same command again",
            )
        if (n := len(table["example_id"].unique())) < _FEWEST:
            raise PipelineError(
                f"points of {n} example(s)",
                where=path,
                expected=f"at least {_FEWEST}, to tell how far positives and negatives stand apart",
                remedy="raise `examples:` of the analysis, or loosen `filtering:`",
            )
        for space in SPACES:
            for trained in (False, True):
                parts.append(_panel(system, _of(table, space=space, trained=trained), options))
    return pa.concat_tables(parts)


def _of(table: pa.Table, **values: object) -> pa.Table:
    """Return the rows of ``table`` that have these values."""
    chosen = [np.array(table[name].to_pylist()) == value for name, value in values.items()]
    return table.filter(pa.array(np.logical_and.reduce(chosen)))


def _panel(system: str, table: pa.Table, options: Options) -> pa.Table:
    points = table["point"].combine_chunks()
    matrix = points.flatten().to_numpy().reshape(len(table), -1).astype(np.float32)
    shown = table["example_id"].to_numpy() <= np.unique(table["example_id"].to_numpy())[: options.examples].max()
    flat = np.full((len(table), 2), np.nan, np.float32)
    flat[shown] = plane(matrix[shown], options.perplexity, options.seed)
    measures = {kind: _measured(table, matrix, kind) for kind in _KINDS}
    columns = {name: table[name] for name in ("space", "trained", "example_id", "kind", "side")}
    columns |= {"system": pa.repeat(system, len(table))}
    columns |= {name: pa.array(flat[:, axis], from_pandas=True) for axis, name in enumerate(("x", "y"))}
    for place, name in enumerate(("nearer", "nearer_error", "silhouette")):
        columns[name] = pa.array([measures[kind][place] for kind in table["kind"].to_pylist()])
    return pa.table({name: columns[name] for name in MAP.names}, schema=MAP)


def _measured(table: pa.Table, matrix: NDArray[np.float32], kind: str) -> tuple[float, float, float]:
    """Return the share of inputs that are nearer to their positive, its standard error, and the silhouette."""
    from sklearn.metrics import silhouette_score

    kinds, sides = (np.array(table[name].to_pylist()) for name in ("kind", "side"))
    asked, positive, negative = (matrix[(kinds == kind) & (sides == side)] for side in SIDES)
    near, far = (np.linalg.norm(asked - other, axis=1) for other in (positive, negative))
    nearer = (near < far) + (near == far) / 2
    groups = np.repeat([0, 1], len(positive))
    return (
        float(nearer.mean()),
        standard_error(nearer) or 0.0,
        float(silhouette_score(np.concatenate([positive, negative]), groups)),
    )


def draw(table: pa.Table, labels: dict[str, str]) -> "Figure":
    """Draw for each system a row of four panels: both spaces, before and after training.

    Args:
        table: what `numbers` gave.
        labels: system -> its name.
    """
    with style.drawing():
        figure = style.new_figure(style.PAGE, 2.5 * len(labels) + 0.5)
        panels = figure.subplots(len(labels), 4, squeeze=False)
        for row, (system, label) in enumerate(labels.items()):
            places = [(space, trained) for space in SPACES for trained in (False, True)]
            for axes, (space, trained) in zip(panels[row], places, strict=True):
                part = _of(table, system=system, space=space, trained=trained)
                _draw_panel(axes, part)
                axes.set_title(f"{_TITLES[space]},\n{'after' if trained else 'before'} training", fontsize=7)
            panels[row][0].set_ylabel(label)
        _add_legend(figure)
    return figure


def _draw_panel(axes: "Axes", part: pa.Table) -> None:
    lines = []
    for colour, kind in zip(style.PALETTE, _KINDS, strict=False):
        for side, marker in _MARKERS.items():
            x, y = (_of(part, kind=kind, side=side)[name].to_numpy() for name in ("x", "y"))
            axes.scatter(x, y, s=7, marker=marker, color=colour, linewidths=0, alpha=0.8)
        first = _of(part, kind=kind).slice(0, 1).to_pylist()[0]
        share = f"{first['nearer']:.2f} ± {first['nearer_error']:.2f}"
        lines += [
            f"{kind}s: {share} nearer,",
            f"silhouette {round(first['silhouette'], 2) or 0.0:.2f}".replace("-", "−"),
        ]
    axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)
    axes.set_box_aspect(1)
    axes.set_xlabel("\n".join(lines), fontsize=6, linespacing=1.3)


def _add_legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=marker, color=colour, markersize=4, label=f"{kind} of the {side}")
        for colour, kind in zip(style.PALETTE, _KINDS, strict=False)
        for side, marker in _MARKERS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handletextpad=0.1, columnspacing=1.0)


def plot(systems: dict[str, str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure of these systems (name -> label), whose analyses are ``files``, and its numbers."""
    table = numbers(dict(zip(systems, files, strict=True)), options)
    style.save(draw(table, systems), svg, png, csv, table)
