"""The look of every figure, and its files: SVG, PNG, and the values that were drawn.

Sizes are those of a two-column paper, so that text is printed at the size that is set here. A system of SepaCVAE's
paper has the same colour, dashes and marker in every figure, another one in every figure of the same systems; dashes
and markers tell systems apart in grey print.
"""

from collections.abc import Iterable, Sequence, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline_lib.files.atomic import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib is imported in functions: the workflow's plans and most stages never draw

COLUMN, PAGE = 3.35, 6.9  # inches: widths of one column and of a page
GREY, RULE = "#595959", "#D9D9D9"  # for the background and grid lines

# Okabe and Ito (2008), safe for the colour-blind; their yellow is too faint for a line on white and darkened here.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#C9B400", "#0072B2", "#D55E00", "#CC79A7"
PALETTE = (VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY, YELLOW, BLACK)
# Colours of systems that a user adds, far from those above: four of Tol's (2021) muted scheme, and two between them.
ADDED = ("#332288", "#882255", "#999933", "#661100", "#6B6BD6", "#005F56")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SOLID, _DASHED, _DOTTED, _DASH_DOT = (0, ()), (0, (4, 1.6)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5))
_LONG, _SHORT, _DASH_DOT_DOT = (0, (8, 2)), (0, (2.2, 1.2)), (0, (5, 1.5, 1, 1.5, 1, 1.5))
Dashes = tuple[int, tuple[float, ...]]

_SETTINGS: dict[str, Any] = {
    "font.family": ["sans-serif"],  # DejaVu Sans, which comes with matplotlib: the same picture on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.xmargin": 0.02,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 300,
    "text.parse_math": False,  # a dollar in a label is a dollar
    "svg.fonttype": "none",  # text stays text: searchable, editable
    "svg.hashsalt": "pipeline_lib",  # ids of clip paths; random otherwise
}


@dataclass(frozen=True)
class Look:
    """The look of one system."""

    colour: str
    dashes: Dashes
    marker: str

    def line(self, markers: bool = False) -> dict[str, Any]:
        """Return arguments of ``Axes.plot``; a curve of many points has no markers, or a few (``markevery``)."""
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker if markers else ""}


_LOOKS = {
    "random": Look("#A0A0A0", _DASH_DOT, "X"),
    "human": Look(GREY, SOLID, "p"),
    "seq2seq": Look(GREY, _DOTTED, "X"),
    "cvae": Look(SKY, _DASH_DOT, "v"),
    "cvae_bow": Look(BLUE, _DASHED, "s"),
    "k_cvae_bow": Look(GREEN, _LONG, "^"),
    "s_cvae_bow": Look(ORANGE, _DASH_DOT_DOT, "D"),
    "a_cvae_bow": Look(PURPLE, _SHORT, "P"),
    "sepacvae": Look(VERMILLION, SOLID, "o"),
    "sepacvae_variant": Look(BLACK, _DASHED, "*"),
}


def looks_of(systems: Iterable[str]) -> dict[str, Look]:
    """Return the looks of systems that are drawn together, by their keys in the configuration.

    Those of SepaCVAE's paper keep theirs. Of the others, one whose colour or marker is taken gets the next that is not,
    as long as there are any.
    """
    names = list(systems)
    looks = {name: _LOOKS[name] for name in names if name in _LOOKS}
    for name in names:
        look = look_of(name)
        if name not in looks:
            colour = _free(look.colour, ADDED, {one.colour for one in looks.values()})
            marker = _free(look.marker, MARKERS, {one.marker for one in looks.values()})
            looks[name] = Look(colour, look.dashes, marker)
    return {name: looks[name] for name in names}


def _free(wanted: str, all_: Sequence[str], taken: set[str]) -> str:
    start = all_.index(wanted)
    return next((one for one in [*all_[start:], *all_[:start]] if one not in taken), wanted)


def look_of(system: str) -> Look:
    """Return the look of a system alone; that of one that is not SepaCVAE's paper's follows from its name."""
    if system in _LOOKS:
        return _LOOKS[system]
    number = int.from_bytes(sha256(system.encode()).digest()[:4], "big")
    number, colour = divmod(number, len(ADDED))
    marker, dashes = number % len(MARKERS), (SOLID, _DASHED, _DASH_DOT, _DASH_DOT_DOT, _LONG)
    return Look(ADDED[colour], dashes[number // len(MARKERS) % len(dashes)], MARKERS[marker])


def drawing() -> AbstractContextManager[None]:
    """Give the context in which a figure is made.

    Matplotlib reads settings part by part; the user's own do not count.
    """
    from matplotlib import style

    return style.context(["default", _SETTINGS])


def new_figure(width: float, height: float) -> "Figure":
    """Make an empty figure of that size in inches; its parts share the room (`constrained` layout)."""
    from matplotlib.figure import Figure  # not pyplot, which would look for a display

    return Figure(figsize=(width, height), layout="constrained")


def few(points: Sized) -> int:
    """Return the ``markevery`` that puts about five markers on a curve of these points."""
    return max(1, len(points) // 5)


def logarithmic(axes: "Axes", linear_below: float = 0) -> None:
    """Make the y axis logarithmic, with plain numbers (10, 20, 50) on it; linear from 0 to ``linear_below``, if any."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, SymmetricalLogLocator

    if linear_below:
        axes.set_yscale("symlog", linthresh=linear_below)
        axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear_below, subs=(1, 3)))
    else:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def save(figure: "Figure", svg: Path, png: Path, csv: Path, numbers: pa.Table) -> None:
    """Write the figure in both forms and the numbers that it shows, each atomically; same figure, same bytes."""
    from pyarrow import csv as arrow_csv

    with drawing():
        for path, metadata in ((svg, {"Date": None}), (png, {"Software": None})):
            with atomic(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
    with atomic(csv) as temporary:
        arrow_csv.write_csv(numbers, temporary)
