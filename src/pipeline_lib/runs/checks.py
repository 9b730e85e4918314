"""Checks of a configuration against the code and the folders that it names, before anything runs or is deleted."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from pipeline_lib.config.checking import validated
from pipeline_lib.config.loading import Layer, place_of
from pipeline_lib.config.papers import CountTable, ScoreTable, SettingTable, metric_of, whole_of
from pipeline_lib.config.places import Place, below, naming
from pipeline_lib.config.run import Config
from pipeline_lib.config.training import LAST
from pipeline_lib.corpora.paraphrases import check_meanings
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.examples.counting import count_paths
from pipeline_lib.metrics.named import expected_of, known_metric, metric_class
from pipeline_lib.runs.analyses import check_shown
from pipeline_lib.stage.declared import Declared, declared, overrides, parameters, phase_names
from pipeline_lib.stage.options import ANALYSES, FIGURES, check_options
from pipeline_lib.tables.settings import paths_in

# the perplexities of a validation: the least of its other values, such as the KL, is that of a model without a use for
# its latent variable; a system that tries responses gives measures of its own beside
SELECTABLE = ["ppl_bound", "ppl", "ppl_prior", LAST]
_SOURCES = {"src", "workflow", "papers", "config", "tests"}  # folders beside the Snakefile
# of `network:`: what decides the shape of weights, or what they mean, in every system of these networks
SHAPES = {"kind", "width", "layers", "heads", "feed_forward", "embedding", "hidden", "decoder_layers"}


def check_run(config: Config, layers: Sequence[Layer]) -> None:
    """Check that all kinds, classes, options and metrics of a run exist, and that its results may be written.

    Args:
        layers: those that the configuration was made of, for the file to name.
    Raises:
        PipelineError: names the file, the key, its value and the nearest valid one.
    """
    place = partial(place_of, layers)
    check_results(config.results, place)
    check_options(ANALYSES, config.analyses, place)
    check_audits(config, place)
    check_paths(config, place)
    check_vectors(config, place)
    check_vector_files(config, place)
    check_speakers(config, place)
    check_options(FIGURES, config.figures, place)
    check_shown(config, place)
    check_metrics(config, place)
    check_other_columns(config, place)
    check_models(config, place)
    check_training(config, place)
    check_decoding(config, place)
    check_judges(config, place)
    check_functions(config, place)
    check_exact_rows(config, place)
    check_generated(config, place)


def check_results(results: str, place: Place) -> None:
    """Check that a folder of this name can be made, and is not one of sources; errors as `check_run`."""
    longest = os.pathconf(".", "PC_NAME_MAX")  # bytes
    folders = [Path(results), *Path(results).parents]
    if too_long := [folder.name for folder in folders if len(os.fsencode(folder.name)) > longest]:
        raise PipelineError(
            f"results: a name of {len(os.fsencode(too_long[0]))} bytes, {too_long[0]!r}",
            where=place(["results"]),
            expected=f"names of at most {longest} bytes, which is what this file system takes",
            remedy="choose a shorter name",
        )
    if files := [folder for folder in folders if folder.exists() and not folder.is_dir()]:
        raise PipelineError(
            f"results: {results!r}, but {files[0]} is a file",
            where=place(["results"]),
            expected="a folder, which need not exist yet",
            remedy="choose another name, or move the file away",
        )
    folder, here = Path(results).resolve(), Path().resolve()
    if here.is_relative_to(folder) or (folder.is_relative_to(here) and folder.relative_to(here).parts[0] in _SOURCES):
        raise PipelineError(
            f"results: {results!r} holds the files of the project",
            where=place(["results"]),
            expected="a folder for the outputs of one run alone, such as `results/mine`",
            remedy="choose another name",
        )


def check_audits(config: Config, place: Place) -> None:
    """Check that no filled sheet of negatives is one that the run itself writes; errors as `check_run`."""
    for corpus in config.corpora_used:
        audit = config.for_corpus(corpus).contrasts.audit
        if audit is not None and Path(audit).resolve().is_relative_to(Path(config.results).resolve()):
            raise PipelineError(
                f"contrasts.audit: {audit!r} is below {config.results!r}",
                where=place(["contrasts", "audit"], ["sources", corpus, "override", "contrasts", "audit"]),
                expected="a file outside the results, which are made of the negatives",
                remedy="copy the filled sheet to another folder",
            )


def check_paths(config: Config, place: Place) -> None:
    """Check that every system that was made elsewhere names a file; errors as `check_run`."""
    for name, system in config.systems.items():
        if system.responses == "":
            raise _fault(
                place,
                ("systems", name, "responses"),
                "an empty path",
                "the path of a file of responses, such as mine/{split}.csv",
                "name the file, or remove the system",
            )


def check_files(config: Config, layers: Sequence[Layer]) -> None:
    """Check that the files of the user's own exist that corpora are read with, but responses (`check_responses`).

    Raises:
        PipelineError: one does not; names the configuration's file and the key.
    """
    for corpus in [*config.corpora_used, *config.corpora_probed]:
        own, source = config.for_corpus(corpus), config.sources[corpus]
        named = {
            _own_key(config, corpus, "contrasts", "audit"): own.contrasts.audit,
            _own_key(config, corpus, "units", "pieces"): own.units.pieces,
        } | {("sources", corpus, "references", split): path for split, path in source.references.items()}
        for keys, path in named.items():
            if path is not None and not Path(path).is_file():
                raise PipelineError(
                    f"{'.'.join(keys)}: {'a folder' if Path(path).is_dir() else 'no file'} {path!r}",
                    where=f"{place_of(layers, keys)}, looked for in {Path.cwd()}",
                    expected="a file that exists before the run",
                    remedy="correct the path, put the file there, or remove the key",
                )


def _own_key(config: Config, corpus: str, section: str, key: str) -> tuple[str, ...]:
    """Return where the value of a key is from for a corpus: its own override, or the section of the run."""
    override = config.sources[corpus].override.get(section, {})
    return ("sources", corpus, "override", section, key) if key in override else (section, key)


def _rows_on(config: Config, corpus: str) -> list[str]:
    """List the systems of the tables on a corpus that a run without a target makes."""
    tables = [table for table in config.reported if corpus in config.corpora_of(table)]
    return list(dict.fromkeys(name for table in tables for name in config.systems_of(table)))


def check_vectors(config: Config, place: Place) -> None:
    """Check that no corpus without word vectors is filtered by them, or has a row that needs them.

    Raises:
        PipelineError: as `check_run`.
    """
    for corpus in config.corpora_used:
        own = config.for_corpus(corpus)
        if own.embeddings.source != "none":
            continue
        rows = _rows_on(config, corpus)
        needed = {
            "filtering.known: vectors": own.filtering.known == "vectors",
            **{f"systems.{name}.function": config.systems[name].function is not None for name in rows},
            **{
                f"systems.{name}.reads.{field}: {table}": table.startswith(("clusters/", "contrasts/", "graph/"))
                for name in rows
                for field, table in config.systems[name].reads.items()
            },
        }
        if wanted := [what for what, needs in needed.items() if needs]:
            keys = _own_key(config, corpus, "embeddings", "source")
            raise _fault(
                place,
                keys,
                f"none, but {wanted[0]} needs word vectors of the corpus {corpus!r}",
                "a source of vectors, or nothing that needs them: "
                "functions, clusters, contrasts, the graph of keywords, `filtering: {known: vectors}`",
                "set `embeddings: {source: native}`"
                + (", or `filtering: {known: any}`" if own.filtering.known == "vectors" else ", or leave the row out"),
            )


def check_vector_files(config: Config, place: Place) -> None:
    """Check that vector files of one name are one file: it is fetched once for all corpora; errors as `check_run`."""
    first: dict[str, tuple[str, str | None]] = {}
    for corpus in config.corpora_used:
        embeddings = config.for_corpus(corpus).embeddings
        if embeddings.source != "file" or embeddings.file is None:
            continue
        name, sha256 = embeddings.file.name, embeddings.file.sha256
        other, expected = first.setdefault(name, (corpus, sha256))
        if sha256 != expected:
            raise _fault(
                place,
                _own_key(config, corpus, "embeddings", "file"),
                f"{name!r} with another checksum than for the corpus {other!r}",
                "one file of a name in a run",
                "give one of the files another name, or both the same checksum",
            )


def check_speakers(config: Config, place: Place) -> None:
    """Check that no row that reads users is on a table without a column of speakers; errors as `check_run`."""
    for corpus in config.corpora_used:
        source = config.sources[corpus]
        if source.reader != "table" or source.columns.get("speaker"):
            continue
        for name in _rows_on(config, corpus):
            if users := [table for table in config.systems[name].reads.values() if table.startswith("users/")]:
                raise _fault(
                    place,
                    ("sources", corpus, "columns"),
                    f"no `speaker`, but the row {name!r} reads {users[0]}",
                    "the column that says who speaks",
                    "name it under `columns: {speaker: …}`, or leave the row out",
                )


def check_metrics(config: Config, place: Place) -> None:
    """Check that every column of a table of scores is a metric, and how its class is written; errors as `check_run`."""
    for table, spec in config.tables.items():
        if not isinstance(spec, ScoreTable):
            continue
        for key, columns in (("columns", spec.columns), ("extra", spec.extra)):
            for metric in map(metric_of, columns):
                if not known_metric(metric):
                    raise _fault(
                        place,
                        ("tables", table, key),
                        f"no metric {metric!r}",
                        expected_of(metric),
                        "correct the name; docs/metrics.md lists every metric",
                    )
                metric_class(metric)


def check_other_columns(config: Config, place: Place) -> None:
    """Check that every column of a table of counts, or of settings, is one that there is; errors as `check_run`."""
    counts = count_paths()
    for table, spec in config.tables.items():
        if not isinstance(spec, CountTable | SettingTable):
            continue
        known = counts if isinstance(spec, CountTable) else paths_in(config.settings_of(table))
        for column, path in spec.columns.items():
            if path not in known:
                raise _fault(
                    place,
                    ("tables", table, "columns", column),
                    f"no {'count' if known is counts else 'setting'} {path!r}",
                    did_you_mean(path, known),
                    "correct the value",
                )


def check_models(config: Config, place: Place) -> None:
    """Check class, options and kind of network of every trained system on every corpus; errors as `check_run`."""
    for name, system in config.trainable.items():
        with naming(place, "systems", name, "model"):
            kind = declared(str(system.model))
        keys = ("systems", name, "options")
        for corpus in config.corpora_used:
            description = config.description(corpus, name)
            validated(kind.Options, description.options, below(place, *keys), ".".join(keys))
            if not isinstance(description.network, kind.Network):
                raise PipelineError(
                    f"systems.{name}: {system.model} is not built from sizes of kind {description.network.kind!r}",
                    where=place(["systems", name, "network"], ["network"]),
                    expected=f"`network:` with the keys of {kind.Network.__name__} (config/README.md)",
                    remedy="give the system a `network:` of its own, with a `kind:`",
                )


def check_training(config: Config, place: Place) -> None:
    """Check that the class of every trained row can do what its training asks of it; errors as `check_run`."""
    for corpus, name, kind in _trained_rows(config):
        training = config.training_of(corpus, name)
        if training.select not in SELECTABLE and not overrides(kind, "trial"):
            raise _unknown(place, _key_of(config, corpus, name, "training", "select"), training.select, SELECTABLE)
        phases = phase_names(kind)
        if phases is not None and (unknown := [phase for phase in training.phases if phase not in phases]):
            raise _unknown(place, _key_of(config, corpus, name, "training", "phases"), unknown[0], phases)
        reference = getattr(kind.Options, "reference", None)
        if reference is not None and config.systems[name].starts_from is None:
            raise _fault(
                place,
                ("systems", name, "starts_from"),
                f"null, but {name} compares itself with a frozen model",
                f"a trained system of the model {reference}, of the same network",
                "name such a system, or leave the row out",
            )
        check_start(config, place, corpus, name, takes_all=reference is not None or not overrides(kind, "start_from"))
        if getattr(config.network_of(corpus, name), "latent", 0) is None and overrides(kind, "latent_use"):
            raise _fault(
                place,
                _key_of(config, corpus, name, "network", "latent"),
                f"null, but {name} has a latent variable",
                "its number of dimensions; null is for systems without one, such as RNNLM",
                f"set `network: {{latent: …}}` of systems.{name}",
            )


def check_start(config: Config, place: Place, corpus: str, name: str, takes_all: bool) -> None:
    """Check that a system that begins with another's weights has networks of their sizes; errors as `check_run`.

    Args:
        takes_all: whether it takes all of them; another one may take those that fit.
    """
    first = config.systems[name].starts_from
    if first is None or not takes_all:
        return
    own, given = (config.network_of(corpus, one).model_dump(include=SHAPES) for one in (name, first))
    for key in own.keys() | given.keys():
        if own.get(key) != given.get(key):
            raise _fault(
                place,
                _key_of(config, corpus, name, "network", key),
                f"{own.get(key)}, but {name} begins with the weights of {first}, whose value is {given.get(key)}",
                "networks of the same sizes",
                f"give both the same value, or let systems.{name} start from another system",
            )


def check_decoding(config: Config, place: Place) -> None:
    """Check that the class of every trained row can do what its decoding asks of it; errors as `check_run`."""
    for corpus, name, kind in _trained_rows(config):
        decoding = config.decoding_of(corpus, name)
        if decoding.samples > 1 and not kind.draws and decoding.kind != "sampling":
            raise _fault(
                place,
                _key_of(config, corpus, name, "decoding", "samples"),
                f"{decoding.samples} of {name}, which would all be the same",
                "1 for a system without a latent variable, or words that are drawn",
                f"set `decoding: {{samples: 1}}` of systems.{name}, or `decoding: {{kind: sampling}}`",
            )
        if decoding.candidates > 1 and not overrides(kind, "closeness"):
            raise _fault(
                place,
                _key_of(config, corpus, name, "decoding", "candidates"),
                f"{name} cannot tell which of several responses is closest to its context",
                "1 for this system, or a system that implements `closeness`",
                f"set `decoding: {{candidates: 1}}` of systems.{name}",
            )


def _trained_rows(config: Config) -> Iterator[tuple[str, str, type[Declared]]]:
    """Yield corpus, system and what its class declares."""
    for corpus in config.corpora_used:
        for name in _rows_on(config, corpus):
            if config.systems[name].trained:
                yield corpus, name, declared(str(config.systems[name].model))


def check_judges(config: Config, place: Place) -> None:
    """Check that every model that says how likely texts are has no latent variable; errors as `check_run`.

    With one its likelihood is a bound, or that of a text whose code was read from the text itself.
    """
    for name, analysis in config.analyses.items():
        if analysis.judge is None:
            continue
        system = analysis.judge.system
        if overrides(declared(str(config.systems[system].model)), "latent_use"):
            raise _fault(
                place,
                ("analyses", name, "judge", "system"),
                f"{system} has a latent variable, so its likelihood of a text is not exact",
                "a system with an exact likelihood, such as a language model (RNNLM)",
                "name such a system",
            )


def _unknown(place: Place, keys: tuple[str, ...], name: str, known: list[str]) -> PipelineError:
    expected = f"one of {', '.join(known)}; {did_you_mean(name, known)}" if len(known) > 1 else f"{known[0]!r} alone"
    return _fault(place, keys, f"{name!r} is not known", expected, "correct the name")


def _fault(place: Place, keys: tuple[str, ...], problem: str, expected: str, remedy: str) -> PipelineError:
    return PipelineError(f"{'.'.join(keys)}: {problem}", where=place(keys), expected=expected, remedy=remedy)


def _key_of(config: Config, corpus: str, system: str, section: str, key: str) -> tuple[str, ...]:
    """Return where the value of a key is from for a system on a corpus."""
    own = key in getattr(config.systems[system], section)
    return ("systems", system, section, key) if own else _own_key(config, corpus, section, key)


def check_package(config: Config, layers: Sequence[Layer], system: str) -> None:
    """Check that the package is installed of whose classes a system is made, when it is to be trained.

    Raises:
        PipelineError: it is not.
    """
    model = str(config.systems[system].model)
    package = getattr(declared(model).Options, "package", None)
    if package is not None and find_spec(package) is None:
        raise PipelineError(
            f"{model} needs the package {package}, which is not installed",
            where=f"{place_of(layers, ('systems', system))}, systems.{system}",
            expected="the packages of requirements-pretrained.lock",
            remedy="make pretrained, or leave the system out (`rows:`)",
        )


def check_generated(config: Config, place: Place) -> None:
    """Check that generators can make as much as they are asked for; errors as `check_run`."""
    for corpus in config.corpora_used:
        if (paraphrases := config.sources[corpus].paraphrases) is not None:
            keys = ["sources", corpus, "paraphrases"]
            check_meanings(paraphrases, f"{place([*keys, 'meanings'], keys)}, {'.'.join(keys)}")


def check_functions(config: Config, place: Place) -> None:
    """Check name and options of every system that is a function; errors as `check_run`."""
    for name, system in config.systems.items():
        if system.function is None:
            continue
        with naming(place, "systems", name, "function"):
            known = parameters(system.function)
        if known is not None and (unknown := [option for option in system.options if option not in known]):
            raise PipelineError(
                f"unknown key 'systems.{name}.options.{unknown[0]}'",
                where=place(["systems", name, "options", unknown[0]]),
                expected=did_you_mean(unknown[0], known) if known else f"none: {system.function} takes no options",
                remedy="rename or remove the key, or let the function take it",
            )


def check_exact_rows(config: Config, place: Place) -> None:
    """Check that rows of a known distribution are only in tables of corpora that have one; errors as `check_run`."""
    for table in config.reported:
        for name in config.systems_of(table):
            for corpus in config.corpora_of(table):
                check_exact_row(config, place, name, corpus)


def check_exact_row(config: Config, place: Place, system: str, corpus: str) -> None:
    """Check that a row of a known distribution is of a corpus that has one; errors as `check_run`."""
    if not config.systems[system].of_truth or config.sources[corpus].has_row(str(config.systems[system].baseline)):
        return
    raise PipelineError(
        f"the row {system!r} needs a known distribution, and the distribution of {corpus!r} is not known",
        where=place(["rows"], ["tables"]),
        expected="a generated corpus that has such a row, with windows and tokeniser as in config/corpora.yaml",
        remedy=f"leave {system!r} out of `rows:`, or of `systems:` of the tables of this corpus",
    )


def check_responses(config: Config, layers: Sequence[Layer], system: str, corpus: str, split: str) -> None:
    """Check that the responses of a system exist that were made elsewhere.

    Args:
        corpus, split: what the responses are needed for now.
    Raises:
        PipelineError: they do not; names all missing files that the tables need, so that they can be made at once.
    """
    settings = config.systems[system]
    if Path(settings.responses_to(corpus, split)).exists():
        return
    needed = {(corpus, split): None} | {
        (one, whole_of(split)): None
        for name in config.reported
        if isinstance(spec := config.tables[name], ScoreTable) and system in config.systems_of(name)
        for one in config.corpora_of(name)
        for split in spec.read_splits
    }
    missing = {
        path: f"{config.results}/filtered/{one}/{part}.parquet"
        for one, part in needed
        if not Path(path := settings.responses_to(one, part)).exists()
    }
    raise PipelineError(
        f"no file {', '.join(missing)}",
        where=f"{place_of(layers, ('systems', system, 'responses'))}, systems.{system}.responses: "
        f"{settings.responses!r}, looked for in {Path.cwd()}",
        expected="CSV, JSON lines or Parquet with columns context and response: an answer to every context of "
        + ", ".join(missing.values()),
        remedy=f"make the contexts with `snakemake --cores 2 -- {' '.join(missing.values())}` and the same options, "
        "answer them (docs/adding-a-model.md), then run the same command again",
    )
