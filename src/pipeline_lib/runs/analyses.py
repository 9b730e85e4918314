"""Checks that tables and figures show analyses which make what they show, of systems which these can read."""

from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.papers import TableOfSystems, TextTable
from pipeline_lib.config.places import Place
from pipeline_lib.config.run import Config
from pipeline_lib.errors import PipelineError
from pipeline_lib.stage.declared import declared, derives, overrides
from pipeline_lib.stage.kinds import load
from pipeline_lib.stage.options import ANALYSES, FIGURES, options_of


def check_shown(config: Config, place: Place) -> None:
    """Check analyses by what they continue, and by the tables and figures that show them.

    Raises:
        PipelineError: names the file and the key.
    """
    for name, analysis in config.analyses.items():
        needs = needs_of(config, name)
        if analysis.corpus is not None and not needs.any_corpus:
            raise PipelineError(
                f"analyses.{name}.corpus: an analysis of kind {analysis.kind!r} reads no other corpus",
                where=place(["analyses", name, "corpus"]),
                expected="no `corpus:`; the examples are those of the system's own corpus, as it was trained on them",
                remedy="remove the key",
            )
        if needs.continues is not None:
            _check_kind(config, place, ("analyses", name, "of"), analysis.of, needs.continues)
    for name, table in config.tables.items():
        if not isinstance(table, TableOfSystems | TextTable):
            continue
        if (made := needs_of(config, table.from_).table) != table.kind:
            raise PipelineError(
                f"tables.{name}.from: no table of kind {table.kind!r} shows {table.from_!r}",
                where=place(["tables", name, "from"]),
                expected=f"an analysis for such tables; {table.from_!r} is for "
                + (f"those of kind {made!r}" if made else "figures"),
                remedy="name another analysis, or change the `kind:` of the table",
            )
    for name, figure in config.figures.items():
        if (drawn := getattr(load(FIGURES, figure.kind, "Options"), "DRAWS", None)) is not None:
            _check_kind(config, place, ("figures", name, "of"), figure.of, drawn)


def needs_of(config: Config, analysis: str) -> Needs:
    """Return what an analysis of a configuration needs."""
    spec = config.analyses[analysis]
    options = options_of(ANALYSES, spec.kind, spec.options, f"analyses.{analysis}")
    needs: Needs = load(ANALYSES, spec.kind, "needs").needs(options)
    return needs


def check_analysed(config: Config, place: Place, analysis: str, system: str) -> None:
    """Check that an analysis can read a system.

    Raises:
        PipelineError: the system's class is another, or it lacks a field.
    """
    needs, settings, kind = needs_of(config, analysis), config.systems[system], config.analyses[analysis].kind
    model = str(settings.model)
    if needs.models and not any(derives(declared(model), one) for one in needs.models):
        classes = [one.rpartition(":")[2] for one in needs.models]
        raise PipelineError(
            f"{system} is a {model.rpartition(':')[2]}, which an analysis of kind {kind!r} cannot read",
            where=f"{place(['systems', system, 'model'])}, analyses.{analysis}",
            expected=f"a system of the class {' or '.join(classes)}, or one that is derived from it",
            remedy=f"leave {system!r} out of `systems:` of the table or figure that shows {analysis!r}",
        )
    if needs.latent and not overrides(declared(model), "latent_use"):
        raise PipelineError(
            f"{system} has no latent variable, which an analysis of kind {kind!r} needs",
            where=f"{place(['systems', system, 'model'])}, analyses.{analysis}",
            expected="a system whose class has a method `latent_use`, as those with a latent variable do",
            remedy=f"leave {system!r} out of `systems:` of the table or figure that shows {analysis!r}",
        )
    if lacking := sorted(needs.fields - set(settings.reads)):
        raise PipelineError(
            f"{system} reads no {lacking[0]!r}, which an analysis of kind {kind!r} needs",
            where=f"{place(['systems', system, 'reads'])}, analyses.{analysis}",
            expected=f"a system that reads {', '.join(sorted(needs.fields))}",
            remedy=f"leave {system!r} out of `systems:` of the table or figure that shows {analysis!r}",
        )


def _check_kind(config: Config, place: Place, keys: tuple[str, ...], of: str | None, kind: str) -> None:
    found = config.analyses[of].kind if of is not None else None
    if found != kind:
        named = [name for name, spec in config.analyses.items() if spec.kind == kind]
        raise PipelineError(
            f"{'.'.join(keys)}: {'null' if of is None else f'{of!r}, which is of kind {found!r}'}",
            where=place(keys),
            expected=f"an analysis of kind {kind!r}" + (f", such as {named[0]!r}" if named else ""),
            remedy="name one" if named else f"declare one under `analyses:`, and name it in {'.'.join(keys)}",
        )
