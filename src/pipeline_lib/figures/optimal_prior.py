"""Figure 2 of the SepaCVAE paper in numbers: one prior for a context with two responses, or one prior per group."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline_lib.analyses.optimal_prior import UnivariateGaussian, kl, optimal_prior
from pipeline_lib.config.settings import Settings
from pipeline_lib.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POSTERIORS = [UnivariateGaussian(-2.0, 0.5), UnivariateGaussian(2.0, 0.8)]  # of the two responses
_Z = np.linspace(-6, 6, 481)
_APART = np.linspace(0, 8, 81)
_COLOURS = (style.BLUE, style.ORANGE)


class Options(Settings):
    """Nothing may be chosen."""


def cost(posteriors: list[UnivariateGaussian], priors: list[UnivariateGaussian]) -> float:
    """Return the mean KL of the posteriors to their priors, nats per response."""
    return float(np.mean([kl(q, p) for q, p in zip(posteriors, priors, strict=True)]))


def numbers() -> pa.Table:
    """Return every curve of the figure in long form: panel, curve, x, y."""
    shared = optimal_prior(POSTERIORS)
    densities = {"posterior 1": POSTERIORS[0], "posterior 2": POSTERIORS[1]}
    curves = [("shared", name, _Z, g.density(_Z)) for name, g in (densities | {"prior": shared}).items()]
    grouped = densities | {"prior 1": POSTERIORS[0], "prior 2": POSTERIORS[1]}
    curves += [("grouped", name, _Z, g.density(_Z)) for name, g in grouped.items()]
    apart = [
        [UnivariateGaussian(-d / 2, POSTERIORS[0].sd), UnivariateGaussian(d / 2, POSTERIORS[1].sd)] for d in _APART
    ]
    costs = {
        "one prior": np.array([cost(pair, [optimal_prior(pair)] * 2) for pair in apart]),
        "one prior per group": np.array([cost(pair, pair) for pair in apart]),
    }
    curves += [("cost", name, _APART, values) for name, values in costs.items()]
    rows = [
        {"panel": p, "curve": c, "x": float(x), "y": float(y)}
        for p, c, xs, ys in curves
        for x, y in zip(xs, ys, strict=True)
    ]
    return pa.Table.from_pylist(rows)


def draw(table: pa.Table) -> "Figure":
    """Draw three panels: densities under a shared prior and under one per group, and what each costs."""
    with style.drawing():
        figure = style.new_figure(style.PAGE, 2.35)
        shared, grouped, cost_axes = figure.subplots(1, 3)
        _draw_densities(shared, table, "shared", "a  one prior for the context")
        _draw_densities(grouped, table, "grouped", "b  one prior per group")
        shared.set_ylabel("density")
        _draw_cost(cost_axes, table)
    return figure


def _curve(table: pa.Table, panel: str, curve: str) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow.compute as pc

    part = table.filter((pc.field("panel") == panel) & (pc.field("curve") == curve))
    return part["x"].to_numpy(), part["y"].to_numpy()


def _draw_densities(axes: "Axes", table: pa.Table, panel: str, title: str) -> None:
    for i, (colour, hatch) in enumerate(zip(_COLOURS, ("////", "\\\\\\\\"), strict=True), 1):
        z, density = _curve(table, panel, f"posterior {i}")
        axes.fill_between(
            z, density, facecolor=colour, alpha=0.25, hatch=hatch, edgecolor=colour, lw=0, label=f"posterior {i}"
        )
    names = ["prior"] if panel == "shared" else ["prior 1", "prior 2"]
    for i, name in enumerate(names):
        axes.plot(*_curve(table, panel, name), color=style.BLACK, ls="--", label="prior" if i == 0 else None)
    axes.set(xlabel="latent variable z", title=title, xlim=(_Z[0], _Z[-1]), ylim=(0, 1.05))
    axes.legend(loc="upper right", handlelength=1.6)
    priors = POSTERIORS if panel == "grouped" else [optimal_prior(POSTERIORS)] * 2
    axes.text(-5.8, 0.88, f"KL {cost(POSTERIORS, priors):.2f} nats", fontsize=7)


def _draw_cost(axes: "Axes", table: pa.Table) -> None:
    axes.plot(*_curve(table, "cost", "one prior"), color=style.BLACK, label="one prior")
    axes.plot(
        *_curve(table, "cost", "one prior per group"), color=style.VERMILLION, ls="--", label="one prior per group"
    )
    apart = POSTERIORS[1].mean - POSTERIORS[0].mean
    for letter, priors, colour in (
        ("a", [optimal_prior(POSTERIORS)] * 2, style.BLACK),
        ("b", POSTERIORS, style.VERMILLION),
    ):
        point = apart, cost(POSTERIORS, priors)
        axes.plot(*point, "o", color=colour)
        axes.annotate(letter, point, (-3, 5), textcoords="offset points")
    axes.set(xlabel="distance of the posteriors' means", ylabel="KL left, nats per response", title="c  what it costs")
    axes.legend(loc=(0.31, 0.3), handlelength=1.8)


def plot(options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure and its numbers."""
    table = numbers()
    style.save(draw(table), svg, png, csv, table)
