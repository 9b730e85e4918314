"""Published values that no table shows for a misspelt name: a run starts with a warning."""

from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from pipeline_lib.config.papers import ScoreTable
from pipeline_lib.config.run import Config
from pipeline_lib.errors import PipelineError
from pipeline_lib.tables.published import COLUMNS, Published

_CLOSE = 0.8  # of `difflib`: one letter of five is another


def unshown(config: Config, file: Path) -> Iterator[str]:
    """Yield a warning, one line each, for published rows and columns that a table of scores seems to call otherwise.

    A paper may print more than is rebuilt. So a name that is not found counts only if it is close to the name of a row
    or column without published values.

    Args:
        file: the ``published.csv`` of the paper.
    Raises:
        PipelineError: there is no such file, or it is not as `Published.read` wants it.
    """
    if not file.exists():
        raise PipelineError(
            "no such file",
            where=file,
            expected=f"the values that the paper prints, under the columns {', '.join(COLUMNS)}",
            remedy="write the file; for a paper without values, its first line alone",
        )
    published = Published.read(file)
    tables: dict[str, list[ScoreTable]] = defaultdict(list)
    for table in config.tables.values():
        if isinstance(table, ScoreTable) and table.number:
            tables[table.number].append(table)
    for number, own in tables.items():
        systems = {name for each in own for name in _rows(config, each)}
        columns = {each.as_.get(name, name) for each in own for name in [*each.columns, *each.extra]}
        for what, known, printed in (
            ("row", systems, published.systems(number)),
            ("column", columns, published.columns(number)),
        ):
            for name, meant in _misspelt(known, printed):
                yield (
                    f"Warning: {file}: table {number} has a {what} {name!r} that no table shows; "
                    f"did you mean {meant!r}?"
                )


def _rows(config: Config, table: ScoreTable) -> Iterator[str]:
    """Yield the names under which the paper may print the systems of a table, shown or left out."""
    labels = {name: system.label for name, system in config.systems.items()}
    labels |= table.systems if isinstance(table.systems, dict) else {}
    yield from (table.as_.get(name, label) for name, label in labels.items())


def _misspelt(known: set[str], printed: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each printed name that seems to be misspelt, with what may be meant."""
    without = sorted(known - set(printed))
    for name in (name for name in printed if name not in known):
        if close := get_close_matches(name, without, n=1, cutoff=_CLOSE):
            yield name, close[0]
