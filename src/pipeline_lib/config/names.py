"""The names by which the sections of a configuration refer to one another."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from pipeline_lib.config.papers import DecodedTable, Judge, RatingTable, TableOfSystems, TextTable
from pipeline_lib.errors import did_you_mean

if TYPE_CHECKING:
    from pipeline_lib.config.run import Config


def check_names(config: "Config") -> None:
    """Check that every name stands for something in the configuration, and that no two rows have one label.

    Raises:
        ValueError: the name and where it stands, with the nearest that there is.
    """
    _check("corpora", config.corpora, "source", config.sources)
    _check("rows", config.rows or (), "system", config.systems)
    for name, system in config.systems.items():
        _check(f"systems.{name}.options.seen", [str(corpus) for corpus in system.seen], "source", config.sources)
    _check_labels(config)
    _check_tables(config)
    _check_figures(config)
    _check_analyses(config)
    for name in config.trainable:
        _check_beginnings(config, name)
    _check("report.tables", config.report.tables or (), "table", config.tables)
    _check("report.figures", config.report.figures or (), "figure", config.figures)
    if config.ratings.run is not None and config.ratings.run not in config.seeds:
        raise ValueError(f"ratings.run: there is no run with seed {config.ratings.run}; `seeds:` are {config.seeds}")


def _check(where: str, names: Collection[str], what: str, known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: no {what} {name!r}; {did_you_mean(name, list(known))}")


def _check_labels(config: "Config") -> None:
    first: dict[str, str] = {}
    for name, system in config.systems.items():
        if (other := first.setdefault(system.label, name)) != name:
            raise ValueError(
                f"systems.{name}.label, systems.{other}.label: both are {system.label!r}; tables could not tell "
                "the two apart, give each a label of its own"
            )
    for name, table in config.tables.items():
        labels = list(table.systems.values()) if isinstance(table.systems, dict) else []
        if repeated := [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"tables.{name}.systems: {repeated[0]!r} is the label of two rows")


def _check_tables(config: "Config") -> None:
    decoded = [name for name, table in config.tables.items() if isinstance(table, DecodedTable)]
    for name, table in config.tables.items():
        where = f"tables.{name}"
        _check(f"{where}.corpora", table.corpora or (), "source", config.sources)
        _check(f"{where}.systems", table.systems or (), "system", config.systems)
        if isinstance(table, TextTable | TableOfSystems):
            _check(f"{where}.from", [table.from_], "analysis", config.analyses)
        if isinstance(table, TableOfSystems):
            _check(f"{where}.systems", table.systems or (), "trained system", config.trainable)
        if isinstance(table, DecodedTable) and table.beside is not None:
            _check(f"{where}.beside", [table.beside], "table of kind decoded", decoded)
    if len(rated := [name for name, table in config.tables.items() if isinstance(table, RatingTable)]) > 1:
        raise ValueError(f"tables.{rated[1]}: {rated[0]} is of kind 'ratings' too; a run draws one set of sheets")


def _check_figures(config: "Config") -> None:
    for name, figure in config.figures.items():
        _check(f"figures.{name}.systems", figure.systems or (), "trained system", config.trainable)
        _check(f"figures.{name}.of", [figure.of] if figure.of else (), "analysis", config.analyses)


def _check_analyses(config: "Config") -> None:
    for name, analysis in config.analyses.items():
        _check(f"analyses.{name}.of", [analysis.of] if analysis.of else (), "analysis", config.analyses)
        _check(f"analyses.{name}.corpus", [analysis.corpus] if analysis.corpus else (), "source", config.sources)
        if analysis.judge is not None:
            _check_judge(config, f"analyses.{name}.judge", analysis.judge)
    generated = [source for source, settings in config.sources.items() if settings.synthetic]
    for name, sweep in config.sweeps.items():
        _check(f"analyses.{name}.options.source", [sweep.source], "generated source", generated)
        _check(f"analyses.{name}.options.systems", sweep.systems, "trained system", config.trainable)


def _check_judge(config: "Config", where: str, judge: Judge) -> None:
    _check(f"{where}.system", [judge.system], "trained system", config.trainable)
    if config.systems[judge.system].reads:
        raise ValueError(f"{where}.system: {judge.system!r} has `reads:`; a judge is given texts alone")
    if judge.seed in config.seeds:
        raise ValueError(f"{where}.seed: {judge.seed} is one of `seeds:`; a judge is none of the runs it judges")


def _check_beginnings(config: "Config", name: str) -> None:
    """Check that a system begins with the weights of one that is trained, and at last of one that draws its own."""
    chain = [name]
    while first := config.systems[chain[-1]].starts_from:
        _check(f"systems.{chain[-1]}.starts_from", [first], "trained system", config.trainable)
        if first in chain:
            circle = " from ".join([*chain[chain.index(first) :], first])
            raise ValueError(f"systems.{first}.starts_from: a circle, {circle}; one of them draws its weights")
        chain.append(first)
