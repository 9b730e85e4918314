"""Where the vectors of users lie, coloured by true group, a panel for each run of a system.

Under a panel is what the vectors show of the groups, and how far the run agrees with the system's other runs.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline_lib.analyses.separation import plane
from pipeline_lib.analyses.user_groups import Grouping, grouping, likeness
from pipeline_lib.config.settings import Positive, Seed, Settings
from pipeline_lib.figures import latent_map, style
from pipeline_lib.figures.latent_map import Latents, Row, read_alike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Run = tuple[str, int]  # system and seed
DRAWS = "users"  # kind of the analysis
USERS = pa.schema(
    [
        pa.field("system", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("user", pa.int64(), nullable=False),
        pa.field("group", pa.int16()),  # null where the users' styles are not known
        pa.field("x", pa.float32(), nullable=False),  # of t-SNE
        pa.field("y", pa.float32(), nullable=False),
        # of the run, the same in each of its rows (`analyses.user_groups`)
        pa.field("silhouette", pa.float64()),
        pa.field("ari", pa.float64()),
        pa.field("neighbours", pa.float64()),
        pa.field("likeness", pa.float64()),  # mean over the system's other runs; null where there is none
    ]
)
_PRINTED = {
    "silhouette": "silhouette",
    "ari": "ARI with k-means",
    "neighbours": "nearest neighbours",
    "likeness": "r with other seeds",
}


class Options(Settings):
    """t-SNE of the vectors of users."""

    users: Positive = Field(default=2_000, description="users at most")
    perplexity: float = Field(default=30.0, gt=1, description="perplexity of t-SNE")
    seed: Seed = Field(default=1, description="seed for t-SNE and k-means, and for the draw of so many users")


def numbers(runs: dict[Run, Path], options: Options) -> pa.Table:
    """Return t-SNE and measures of each run, over the same users.

    Args:
        runs: run -> what the analysis `users` made of it.
    Returns:
        USERS table.
    Raises:
        PipelineError: the runs do not cover the same users, or there are fewer than four.
    """
    files = {f"{system}, seed {seed}": path for (system, seed), path in runs.items()}
    found = read_alike(files, options.users, options.seed, "users", "lower `users: {least: …}`")
    latents = dict(zip(runs, found.values(), strict=True))
    return pa.concat_tables(_mapped(run, latents, options) for run in runs)


def draw(table: pa.Table, labels: dict[str, str]) -> "Figure":
    """Draw a panel for each run.

    Args:
        table: what `numbers` gave.
        labels: system -> label, in order.
    """
    seeds = pc.unique(table["seed"]).to_pylist()
    panels = {f"{system} {seed}": f"{label}, seed {seed}" for system, label in labels.items() for seed in seeds}
    runs = pc.binary_join_element_wise(table["system"], table["seed"].cast(pa.string()), " ")
    return latent_map.draw(table.set_column(0, USERS.field("system"), runs), panels, _printed)


def _mapped(run: Run, found: dict[Run, Latents], options: Options) -> pa.Table:
    own = found[run]
    x, y = plane(own.mean, options.perplexity, options.seed).T
    measured = Grouping(None, None, None)
    if own.group is not None:
        measured = grouping(own.mean, own.group, options.seed)
    others = [likeness(own.mean, other.mean) for name, other in found.items() if name[0] == run[0] and name != run]
    n = len(x)
    columns = {
        "system": pa.array([run[0]] * n),
        "seed": pa.array([run[1]] * n),
        "user": own.example_id,
        "group": pa.nulls(n, pa.int16()) if own.group is None else pa.array(own.group, pa.int16()),
        "x": x,
        "y": y,
    }
    values = measured._asdict() | {"likeness": float(np.mean(others)) if others else None}
    columns |= {name: pa.array([value] * n, pa.float64()) for name, value in values.items()}
    return pa.table(columns, schema=USERS)


def _printed(row: Row) -> list[str]:
    """List what is printed under a panel."""
    values = {label: row[name] for name, label in _PRINTED.items()}
    return [f"{label} {value:.3f}" for label, value in values.items() if value is not None]


def plot_runs(
    systems: dict[str, str], seeds: list[int], files: list[Path], options: Options, svg: Path, png: Path, csv: Path
) -> None:
    """Write the figure of these systems (name -> label), and its numbers.

    Args:
        files: what the analysis `users` made of the first system's runs, in the order of ``seeds``, then of the next.
    """
    runs = [(system, seed) for system in systems for seed in seeds]
    table = numbers(dict(zip(runs, files, strict=True)), options)
    style.save(draw(table, systems), svg, png, csv, table)
