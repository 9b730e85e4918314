"""New users: likelihood of what they say next against the number of exchanges that their vectors were fitted to."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.settings import Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.figures import style
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.measures import MEASURES, SYSTEM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS = "adaptation"  # kind of the analysis
CURVES = pa.schema(
    [
        pa.field("system", pa.string(), nullable=False),  # as it is named in the figure
        pa.field("exchanges", pa.int64(), nullable=False),
        pa.field("nats", pa.float64(), nullable=False),  # mean log p of a response
        pa.field("error", pa.float64()),  # standard error over users
        pa.field("n", pa.int64(), nullable=False),  # responses
    ]
)


class Options(Settings):
    """Nothing may be chosen."""


def numbers(systems: dict[str, str], files: list[Path]) -> pa.Table:
    """Return a curve of each system, then that of the optimum, which is the same for all of them.

    Args:
        systems: name -> label; ``files``: `MEASURES` of analysis `adaptation` of each.
    """
    rows = []
    for number, (label, path) in enumerate(zip(systems.values(), files, strict=True)):
        for row in read_parquet(path, MEASURES).to_pylist():
            if row["row"] == SYSTEM or number == len(files) - 1:
                name = label if row["row"] == SYSTEM else row["row"]
                k = _exchanges(row["column"], path)
                rows.append(
                    {"system": name, "exchanges": k, "nats": row["value"], "error": row["error"], "n": row["n"]}
                )
    order = {label: number for number, label in enumerate(systems.values())}
    rows.sort(key=lambda row: (order.get(row["system"], len(order)), row["exchanges"]))
    return pa.Table.from_pylist(rows, CURVES)


def _exchanges(column: str, path: Path) -> int:
    number = column.removeprefix("k = ")
    if not number.isdigit():
        raise PipelineError(
            f"a value named {column!r}",
            where=path,
            expected="values after k exchanges (`k = 5`), as an analysis of kind `adaptation` measures them",
            remedy="name such an analysis as `of:` of the figure",
        )
    return int(number)


def draw(table: pa.Table, systems: dict[str, str]) -> "Figure":
    """Draw a line for each system, with standard errors; the optimum is black.

    Args:
        table: what `numbers` gave of the same ``systems``, name -> label.
    """
    looks = dict(zip(systems.values(), style.looks_of(systems).values(), strict=True))
    optimum = style.Look(style.BLACK, style.SOLID, "")
    names = list(dict.fromkeys(table["system"].to_pylist()))
    with style.drawing():
        figure = style.new_figure(style.COLUMN, 2.6)
        axes = figure.subplots()
        places = sorted(set(table["exchanges"].to_pylist()))
        for name in names:
            own = table.filter(pc.equal(table["system"], name))
            x = [places.index(k) for k in own["exchanges"].to_pylist()]
            error = [value or 0.0 for value in own["error"].to_pylist()]
            look = looks.get(name, optimum)
            axes.errorbar(x, own["nats"].to_pylist(), error, label=name, **look.line(markers=True))
        axes.set(xlabel="exchanges with the new user", ylabel="log p of a response, nats")
        axes.set_xticks(range(len(places)), [str(k) for k in places])
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def plot(systems: dict[str, str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path) -> None:
    """Write the figure of these systems (name -> label), whose adaptations are ``files``, and its numbers."""
    table = numbers(systems, files)
    style.save(draw(table, systems), svg, png, csv, table)
