"""Figure 5 of the SepaCVAE paper: where the posterior means of z lie, coloured by group, one panel a system."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.separation import Separation, plane, separation
from pipeline_lib.config.settings import Positive, Seed, Settings
from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.latents import latents_schema

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWS = "latents"  # kind of the analysis
_FEWEST = 4  # examples; t-SNE of fewer shows nothing
_PANELS_IN_ROW = 4
_ENTRIES = 2  # of the legend, on each inch of its width: numbers of two digits are the widest
Row = Mapping[str, float | None]  # of a map, by column
MAP = pa.schema(
    [
        pa.field("system", pa.string(), nullable=False),
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("group", pa.int16()),  # null where the system has no groups
        pa.field("label", pa.int32()),
        pa.field("x", pa.float32(), nullable=False),  # of t-SNE
        pa.field("y", pa.float32(), nullable=False),
        # of the system, the same in each of its rows
        pa.field("silhouette", pa.float64()),
        pa.field("nmi_clusters", pa.float64()),
        pa.field("nmi_labels", pa.float64()),
    ]
)


class Options(Settings):
    """t-SNE of posterior means."""

    examples: Positive = Field(default=2_000, description="examples at most")
    perplexity: float = Field(default=30.0, gt=1, description="perplexity of t-SNE")
    seed: Seed = Field(default=1, description="seed for t-SNE, and for the k-means that NMI compares with")


class Latents(NamedTuple):
    """Examples of one system: ids and groups (n,), labels (n,) or None, posterior means (n, Z) float32."""

    example_id: NDArray[np.int64]
    group: NDArray[np.int64] | None
    label: NDArray[np.int64] | None
    mean: NDArray[np.float32]

    def at(self, rows: NDArray[np.int64]) -> "Latents":
        """Return the latents of ``rows``."""
        group, label = (None if values is None else values[rows] for values in (self.group, self.label))
        return Latents(self.example_id[rows], group, label, self.mean[rows])


def read_latents(path: Path) -> Latents:
    """Read an analysis of kind `latents`.

    Raises:
        PipelineError: missing, damaged or something else.
    """
    table = read_parquet(path)
    kind = table.schema.field("posterior_mean").type if "posterior_mean" in table.column_names else pa.null()
    size = kind.list_size if pa.types.is_fixed_size_list(kind) else 1
    if table.schema.remove_metadata() != latents_schema(size):
        raise PipelineError(
            f"no latents_schema: columns are {', '.join(f'{f.name} ({f.type})' for f in table.schema)}",
            where=path,
            expected="example_id, group, label and posterior_mean (fixed-size list of float32)",
            remedy=REMAKE,
        )
    mean = table["posterior_mean"].combine_chunks().flatten().to_numpy().reshape(-1, size)
    group, label = (
        None if table[name].null_count else table[name].to_numpy().astype(np.int64) for name in ("group", "label")
    )
    return Latents(table["example_id"].to_numpy(), group, label, mean)


def numbers(systems: dict[str, Path], options: Options) -> pa.Table:
    """Return t-SNE and separation of each system, over the same examples.

    Args:
        systems: system -> its latents_schema.
    Returns:
        MAP table.
    Raises:
        PipelineError: the systems do not cover the same examples, or there are fewer than four.
    """
    remedy = "take another split in `analyses.latents.options.split`, or loosen `filtering:`"
    found = read_alike(systems, options.examples, options.seed, "examples", remedy)
    return pa.concat_tables(_mapped(system, own, options) for system, own in found.items())


def read_alike(files: Mapping[str, Path], most: int, seed: int, things: str, remedy: str) -> dict[str, Latents]:
    """Read the latents of several systems or runs, of ``most`` things at most, the same of each.

    Args:
        files: system or run -> its latents_schema.
        seed: seed of the draw of so many.
        things: what its rows are of; ``remedy``: what to do where there are too few of them.
    Raises:
        PipelineError: two files are not of the same things, or there are fewer than four.
    """
    found = {name: read_latents(path) for name, path in files.items()}
    first = next(iter(found.values())).example_id
    for name, path in files.items():
        if not np.array_equal(found[name].example_id, first):
            raise PipelineError(
                f"{name} was encoded on other {things} than the systems beside it",
                where=path,
                expected=f"the same {things} in the same order",
                remedy=REMAKE,
            )
    if len(first) < _FEWEST:
        raise PipelineError(
            f"{len(first)} {things}",
            where=next(iter(files.values())),
            expected=f"at least {_FEWEST}, to see anything on a map",
            remedy=remedy,
        )
    rows = np.sort(np.random.default_rng(seed).choice(len(first), min(most, len(first)), replace=False))
    return {name: own.at(rows) for name, own in found.items()}


def _measures(row: Row) -> list[str]:
    """List what is printed under a panel."""
    if row["silhouette"] is None:
        return ["no two groups"]
    lines = [f"silhouette {row['silhouette']:.3f}", f"NMI with k-means of z {row['nmi_clusters']:.3f}"]
    return [*lines, f"NMI with known labels {row['nmi_labels']:.3f}"] if row["nmi_labels"] is not None else lines


def draw(table: pa.Table, labels: dict[str, str], printed: Callable[[Row], list[str]] = _measures) -> "Figure":
    """Draw a panel for each system.

    Args:
        table: what `numbers` gave, or another with its columns system, group, x and y.
        labels: system -> title of its panel, in order.
        printed: returns what is printed under a panel, given one of its rows.
    """
    from pyarrow import compute as pc

    groups = sorted(set(table["group"].drop_null().to_pylist()))
    columns = min(len(labels), _PANELS_IN_ROW)
    rows = -(-len(labels) // columns)
    with style.drawing():
        width = max(style.PAGE * columns / _PANELS_IN_ROW, style.COLUMN)
        in_line = max(1, min(len(groups), int(_ENTRIES * width)))
        figure = style.new_figure(width, 2.25 * rows + 0.3 + 0.16 * -(-len(groups) // in_line))
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, (system, label) in zip(panels, labels.items(), strict=False):
            _draw_panel(axes, table.filter(pc.field("system") == system), label, printed)
        for axes in panels[len(labels) :]:
            axes.set_axis_off()
        if groups:
            _add_legend(figure, groups, in_line)
    return figure


def _mapped(system: str, drawn: Latents, options: Options) -> pa.Table:
    x, y = plane(drawn.mean, options.perplexity, options.seed).T
    measured = Separation(None, None, None)
    if drawn.group is not None:
        measured = separation(drawn.mean, drawn.group, drawn.label, options.seed)
    n = len(x)
    columns = {
        "system": pa.array([system] * n),
        "example_id": drawn.example_id,
        "group": pa.nulls(n, pa.int16()) if drawn.group is None else pa.array(drawn.group, pa.int16()),
        "label": pa.nulls(n, pa.int32()) if drawn.label is None else pa.array(drawn.label, pa.int32()),
        "x": x,
        "y": y,
    }
    columns |= {name: pa.array([value] * n, pa.float64()) for name, value in measured._asdict().items()}
    return pa.table(columns, schema=MAP)


def _draw_panel(axes: "Axes", table: pa.Table, label: str, printed: Callable[[Row], list[str]]) -> None:
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    group = np.array(table["group"].fill_null(-1).to_pylist())
    for i in np.unique(group):
        colour, marker = _look(int(i))
        axes.scatter(x[group == i], y[group == i], s=5, marker=marker, color=colour, linewidths=0, alpha=0.75)
    axes.set(title=label, xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)
    axes.set_box_aspect(1)
    row = table.slice(0, 1).to_pylist()[0]
    axes.set_ylabel("t-SNE 2", fontsize=7)
    axes.set_xlabel("\n".join(["t-SNE 1", *printed(row)]), fontsize=7, linespacing=1.35)


def _add_legend(figure: "Figure", groups: list[int], in_line: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=marker, color=colour, markersize=4, label=str(group))
        for group, (colour, marker) in ((group, _look(group)) for group in groups)
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=in_line, title="group", title_fontsize=7,
        handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip


def _look(group: int) -> tuple[str, str]:
    """Colour and marker of a group; -1 of examples without one. 64 groups look different."""
    if group < 0:
        return style.GREY, "o"
    number, colours = len(style.MARKERS), len(style.PALETTE)
    return style.PALETTE[group % colours], style.MARKERS[(group + group // colours) % number]


def plot(systems: dict[str, str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure of these systems (name -> label), whose latents are ``files``, and its numbers."""
    table = numbers(dict(zip(systems, files, strict=True)), options)
    style.save(draw(table, systems), svg, png, csv, table)
