# Names and helpers that the rules share: the checked configuration, paths, what each stage's code is.

import json
import os
import re
import shlex
import sys
from functools import lru_cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline_lib.config.loading import load, read_yaml
from pipeline_lib.errors import PipelineError
from pipeline_lib.stage.fingerprint import stage_fingerprint
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.files.disk import report_full_disk
from pipeline_lib.training.state import forget_finished


def in_order_of(base, values):
    """``values`` with the keys of ``base`` first: Snakemake puts those of an overlay before those of config.yaml."""
    if not (isinstance(base, dict) and isinstance(values, dict)):
        return values
    return {key: in_order_of(base.get(key), values[key]) for key in [*base, *values] if key in values}


AS_MODULE = not workflow.modifier.is_main_snakefile()  # of another workflow, whose configuration is the whole of ours


def own_config():
    """What Snakemake has read and joined, every file of it read once more by us, who refuse keys that stand twice."""
    files = {str(file): read_yaml(Path(file)) for file in ["config.yaml", *workflow.configfiles]}
    return in_order_of(files["config.yaml"], config)


try:
    CONFIG = load(config if AS_MODULE else own_config())
except PipelineError as error:
    raise WorkflowError(str(error)) from None

SCRIPTS = Path(workflow.current_basedir).parent / "scripts"
RESULTS = Path(CONFIG.results)
LOGS = RESULTS / "logs"
BENCHMARKS = RESULTS / "benchmarks"
TABLES = ["table1", "table2", "table3"]
CORPORA = list(dict.fromkeys([*CONFIG.corpora, *(point.corpus for point in CONFIG.sweep_points)]))
SEEDS = list(dict.fromkeys([*CONFIG.seeds, *(CONFIG.sweep.seeds if CONFIG.sweep else [])]))
CLUSTERINGS = ["kmeans", "spectral", "agglomerative"]
MIRRORS = shlex.quote(CONFIG.mirror) if CONFIG.mirror else ""
SYSTEMS = CONFIG.rows  # of the tables of systems
TRAINABLE = CONFIG.trainable  # ablations too
TRAINED = [name for name in SYSTEMS if name in TRAINABLE]
EXTERNAL = list(CONFIG.external_systems)
FUNCTIONS = [name for name in SYSTEMS if SYSTEMS[name].model.startswith("function:")]
BASELINES = [name for name in SYSTEMS if name not in TRAINED + EXTERNAL + FUNCTIONS]
FETCHED = [name for name in CONFIG.corpora if CONFIG.sources[name].reader != "synthetic"]

# jobs use the interpreter that runs the workflow, whether or not its environment is activated, and end with it
shell.prefix(
    f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH "
    f"SCRIPTS={shlex.quote(os.path.relpath(SCRIPTS))} PIPELINE_SCHEDULER=$HOSTNAME:$PPID; "
)


def one_of(names):
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    corpus=one_of(CORPORA),
    system=one_of([*SYSTEMS, *CONFIG.ablations]),
    method=one_of(CLUSTERINGS),
    split=one_of(SPLITS),
    table=one_of(TABLES),
    seed=one_of(map(str, SEEDS)),


@lru_cache
def config_of(corpus):
    return CONFIG.for_corpus(corpus)


def settings(section):
    """A parameter: one section of a corpus's configuration as JSON."""
    return lambda wildcards: getattr(config_of(wildcards.corpus), section).model_dump_json()


def code_of(script, *modules):
    """Fingerprint of the code that a stage runs; ``modules`` are those that it imports by name at run time."""
    return stage_fingerprint(SCRIPTS / f"{script}.py", modules)


def tokeniser_of(wildcards):
    """Name of the tokeniser of a corpus: texts that are made or brought later are tokenised alike."""
    return CONFIG.sources[wildcards.corpus].tokeniser


def with_tokeniser(script, modules=lambda wildcards: []):
    """Fingerprint of a stage that uses the corpus's tokeniser, and what else it imports by name."""
    return lambda wildcards: code_of(
        script, f"pipeline_lib.text.tokenisers.{tokeniser_of(wildcards)}", *modules(wildcards)
    )


def attempts_of(megabytes):
    """Memory that grows when a job is tried again."""
    return lambda wildcards, attempt: megabytes * attempt


def vectors_if_any(wildcards):
    """Word vectors of a corpus, in a list; an empty one where its systems learn their own."""
    source = config_of(wildcards.corpus).embeddings.source
    return [] if source == "none" else [RESULTS / f"vectors/{wildcards.corpus}/{source}.parquet"]


def vectors_of(wildcards):
    """Word vectors of a corpus, for what cannot do without."""
    if not (vectors := vectors_if_any(wildcards)):
        raise WorkflowError(
            f"corpus {wildcards.corpus!r} has no word vectors (embeddings.source: none), which this needs: clusters, "
            "functions, contradictions, and `filtering: {known: vectors}`"
        )
    return vectors


def vectors_of_filter(wildcards):
    return vectors_of(wildcards) if config_of(wildcards.corpus).filtering.known == "vectors" else []


def clusters_of(wildcards):
    method = TRAINABLE[wildcards.system].clusters
    return [RESULTS / f"clusters/{wildcards.corpus}/{method}.parquet"] if method else []


EMBEDDINGS_FROM_FILE = {
    corpus: config_of(corpus).embeddings for corpus in CORPORA if config_of(corpus).embeddings.source == "file"
}


def embeddings_of_name(name):
    """Embedding settings, of any corpus, that name a vector file ``name``."""
    return [embeddings for embeddings in EMBEDDINGS_FROM_FILE.values() if embeddings.file.name == name]


# --- downloads ---


def pinned(wildcards):
    """What decides the content of a source's files; where they are fetched from is left out, so moving a mirror reruns nothing."""
    return CONFIG.sources[wildcards.corpus].content().model_dump_json()


def mirrored_files(wildcards):
    """Files without a checksum that lie in a mirror: tracked as inputs, since nothing else tells that they changed."""
    source = CONFIG.sources[wildcards.corpus]
    folders = [Path(folder) for folder in (source.mirror, CONFIG.mirror) if folder]
    unpinned = [file for bundle in source.bundles for file in bundle if file.sha256 is None]
    found = [folder / sub / file.name for file in unpinned for folder in folders for sub in ("", wildcards.corpus)]
    return [path for path in found if path.is_file()]


# --- extraction ---


def manifest_of(wildcards):
    generated = CONFIG.sources[wildcards.corpus].reader == "synthetic"
    return [] if generated else RESULTS / f"raw/{wildcards.corpus}/manifest.json"


# --- word vectors ---


def vectors_file(wildcards):
    return RESULTS / f"raw/glove/{config_of(wildcards.corpus).embeddings.file.name}"


def dimension_of(wildcards):
    """The width that a file with several (glove.6B.zip) is asked for."""
    dimension = config_of(wildcards.corpus).embeddings.dimension
    return f"--dimension {dimension}" if dimension else ""


# --- clusters ---


def keywords_of(wildcards):
    """Keyword tables, where clusters are built over keywords."""
    if config_of(wildcards.corpus).clustering.words == "all":
        return []
    return expand(
        RESULTS / "keywords/{corpus}/{split}.parquet",
        corpus=wildcards.corpus,
        split=SPLITS,
    )


# --- training ---


def module_of(system):
    return TRAINABLE[system].model.partition(":")[0]


def description_of(wildcards):
    """What the network is built from (pipeline_lib.models.saved.Description), as JSON."""
    system = TRAINABLE[wildcards.system]
    return json.dumps(
        {
            "model": system.model,
            "options": system.options,
            "network": CONFIG.network_of(wildcards.corpus, wildcards.system).model_dump(),
            # of no matter, and so no cause to train again, where a system knows no clusters
            "groups": config_of(wildcards.corpus).clustering.groups if system.clusters else 0,
        }
    )


def tensorboard_of(wildcards):
    return LOGS / f"tensorboard/{wildcards.corpus}/{wildcards.system}/seed{wildcards.seed}"


# --- responses ---


def function_of(system):
    """``module.name`` of a system that is a function."""
    return SYSTEMS[system].model.removeprefix("function:")


def module_of_function(system):
    return function_of(system).rpartition(".")[0]


def external_file(wildcards):
    pattern = CONFIG.external_systems[wildcards.system].responses
    return pattern.format(corpus=wildcards.corpus, split=wildcards.split)


# --- evaluation ---


def runs(path):
    """``path`` for every system and seed."""
    return lambda wildcards: expand(path, system=SYSTEMS, seed=CONFIG.seeds, allow_missing=True)


# --- tables ---

SPLIT_OF_TABLE = {"table2": "validation", "table3": "test"}


def of_table(path):
    """``path`` with the split that a table of systems shows; Table 1 counts examples and needs none."""

    def files(wildcards):
        if wildcards.table not in SPLIT_OF_TABLE:
            return []
        return expand(path, corpus=CONFIG.corpora, split=SPLIT_OF_TABLE[wildcards.table])

    return files


def counts_of_table(wildcards):
    if wildcards.table != "table1":
        return []
    return expand(RESULTS / "filtered/{corpus}/counts.json", corpus=CONFIG.corpora)


def layout(wildcards):
    """Rows of a table (pipeline_lib.tables.cells.Layout), as JSON: what shows in it, so that nothing else remakes it."""
    of_systems = wildcards.table in SPLIT_OF_TABLE
    systems = {name: system.model_dump(include={"label", "model"}) for name, system in SYSTEMS.items()}
    return json.dumps(
        {
            "corpora": {name: CONFIG.sources[name].label for name in CONFIG.corpora},
            "systems": systems if of_systems else {},
            "seeds": CONFIG.seeds if of_systems else [],
        }
    )


def labels_of_table(kind):
    """How a table is called in Snakemake's report."""
    return lambda wildcards: {"table": wildcards.table.removeprefix("table"), "format": kind}


def columns(wildcards):
    """Settings of one table (pipeline_lib.config.Tables), as JSON."""
    shown = {wildcards.table, "extra"} if wildcards.table in SPLIT_OF_TABLE else set()
    return CONFIG.tables.model_dump_json(include={"digits", *shown})


# --- latents and figures ---

DRAWN = {
    figure: [system for system in getattr(CONFIG.figures, figure).systems if system in TRAINABLE]
    for figure in ("latent_distances", "latent_map")
} | {"training": TRAINED}
FIGURES_OF_CORPUS = [figure for figure, systems in DRAWN.items() if systems]


def labels_of(systems):
    """Labels as a parameter: a function, since Snakemake takes braces in a plain text for wildcards."""
    return lambda wildcards: [TRAINABLE[system].label for system in systems]


def of_drawn(figure, path):
    """``path`` for each system of a figure, of the run that figures show."""
    seed = CONFIG.seeds[0] if CONFIG.figures.run is None else CONFIG.figures.run
    if not DRAWN[figure]:
        raise WorkflowError(f"figures.{figure}.systems: none of them is trained in this run; name one of `systems:`")
    if seed not in CONFIG.seeds:
        raise WorkflowError(f"figures.run: there is no run with seed {seed}; `seeds:` are {CONFIG.seeds}")
    return expand(path, system=DRAWN[figure], seed=seed, allow_missing=True)


def how_to_draw(figure):
    """Settings of a figure without the systems, which the rule passes by themselves, as JSON."""
    return getattr(CONFIG.figures, figure).model_dump_json(exclude={"systems"})


# --- report ---


CAPTIONS = sorted(os.path.relpath(path) for path in (SCRIPTS.parent / "report").glob("*.rst"))


def in_report(kind):
    """Files of the parts that the configuration wants in the report, in the order of the page."""
    files = {
        "tables": {
            "tables": [RESULTS / f"tables/{table}.csv" for table in TABLES],
            "human": [RESULTS / "tables/table4.csv"],
            "cases": [RESULTS / "tables/table5.csv"],
            "ablations": [RESULTS / "tables/ablations.csv"],
            "costs": [RESULTS / "tables/costs.csv"],
        },
        "figures": {
            "figures": [
                RESULTS / "figures/optimal_prior.svg",
                *expand(RESULTS / "figures/{corpus}/{figure}.svg", corpus=CONFIG.corpora, figure=FIGURES_OF_CORPUS),
            ],
            "sweep": [RESULTS / "figures/sweep.svg"],
        },
        "items": {
            "items": expand(
                RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet",
                corpus=CONFIG.corpora,
                split=["test", "validation"],
                seed=CONFIG.seeds,
                system=SYSTEMS,
            )
        },
    }
    return [file for part, own in files[kind].items() if part in CONFIG.report.parts for file in own]


def code_of_stages():
    """Fingerprint of every stage, apart for each system and corpus that brings code of its own, as JSON."""
    code = {script.stem: code_of(script.stem) for script in sorted(SCRIPTS.glob("*.py"))}
    for stage in ("train_model", "generate_responses"):
        code |= {f"{stage} {system}": code_of(stage, module_of(system)) for system in TRAINED}
    for system in FUNCTIONS:
        code[f"call_function {system}"] = code_of("call_function", module_of_function(system))
    for corpus in CONFIG.corpora:
        reader = f"pipeline_lib.corpora.{CONFIG.sources[corpus].reader}"
        code[f"extract_dialogues {corpus}"] = code_of("extract_dialogues", reader)
    return json.dumps(code)


# --- human judgement ---

JUDGED = CONFIG.judged
JUDGED_RUN = CONFIG.seeds[0] if CONFIG.human.run is None else CONFIG.human.run


def filled_sheets(wildcards):
    """The CSV files in the folder of ratings, as many as there are when the workflow starts."""
    return sorted(path for path in Path(CONFIG.human.ratings).glob("*") if path.suffix.lower() == ".csv")


def keys_of_filled_sheets(wildcards):
    """Keys of the sheets, if any came back: without ratings, Table 4 asks for no model and no response.

    A key that was copied beside the ratings is taken instead of the current one, so that ratings outlive a retraining.
    """
    if not filled_sheets(wildcards):
        return []
    kept = {corpus: Path(CONFIG.human.ratings) / f"{corpus}.json" for corpus in CONFIG.corpora}
    return [path if path.is_file() else RESULTS / f"human/keys/{corpus}.json" for corpus, path in kept.items()]


def settings_of_draw():
    return lambda wildcards: CONFIG.human.model_dump_json(exclude={"ratings", "systems", "run"})


def judged_layout():
    """Rows of Table 4 (pipeline_lib.tables.cells.Layout), as JSON."""
    systems = {name: SYSTEMS[name].model_dump(include={"label", "model"}) for name in JUDGED}
    corpora = {name: CONFIG.sources[name].label for name in CONFIG.corpora}
    return lambda wildcards: json.dumps({"corpora": corpora, "systems": systems, "seeds": []})


# --- sweep ---


def swept_points():
    if not CONFIG.sweep_points:
        raise WorkflowError("sweep: nothing is swept; give the section two lists of rates, as config.yaml does")
    return CONFIG.sweep_points


def swept_systems():
    """Systems of the sweep, after the baselines that frame them."""
    asked = CONFIG.sweep.systems
    if unknown := [system for system in asked if system not in TRAINABLE]:
        raise WorkflowError(f"sweep.systems: no trained system is named {unknown[0]!r}; known: {', '.join(TRAINABLE)}")
    return [*BASELINES, *asked]


def swept_labels():
    return [(SYSTEMS | TRAINABLE)[system].label for system in swept_systems()]


def with_groups(systems):
    """Those that have groups of their own: they are given clusters, or told how many groups to form."""
    trained = [name for name in systems if name in TRAINABLE]
    return [name for name in trained if TRAINABLE[name].clusters or "groups" in TRAINABLE[name].options]


def swept(path, chosen=list):
    """``path`` for every run of one point of the sweep; ``chosen`` picks from its systems."""
    return lambda wildcards: expand(
        path, corpus=wildcards.corpus, system=chosen(swept_systems()), seed=CONFIG.sweep.seeds
    )


# --- cases, costs and ablations ---

# the human reference stands beside every answer already
ANSWERING = {name: system for name, system in SYSTEMS.items() if system.model != "baseline:human"}


def rows_of(systems, seeds):
    """Rows of a table (pipeline_lib.tables.cells.Layout) with options, as JSON; a label may hold braces, which mean nothing."""
    shown = {name: system.model_dump(include={"label", "model", "options"}) for name, system in systems.items()}
    corpora = {name: CONFIG.sources[name].label for name in CONFIG.corpora}
    return lambda wildcards: json.dumps({"corpora": corpora, "systems": shown, "seeds": seeds})


def measured_stages(wildcards):
    """Where the benchmark files of this run lie (pipeline_lib.tables.costs.Stages), as JSON."""

    def of_corpus(corpus):
        methods = dict.fromkeys(SYSTEMS[name].clusters for name in TRAINED)
        return {
            "dialogues": BENCHMARKS / f"dialogues/{corpus}.tsv",
            "examples": BENCHMARKS / f"examples/{corpus}.tsv",
            "word vectors": BENCHMARKS / f"vectors/{corpus}/{config_of(corpus).embeddings.source}.tsv",
            "filtering": BENCHMARKS / f"filtered/{corpus}.tsv",
            "encoding": BENCHMARKS / f"encoded/{corpus}.tsv",
            **{f"clusters, {m}": BENCHMARKS / f"clusters/{corpus}/{m}.tsv" for m in methods if m},
            **{f"paired tests, {split}": BENCHMARKS / f"significance/{corpus}/{split}.tsv" for split in SPLITS[1:]},
        }

    run = "{corpus}/{system}/seed{seed}"
    of_systems = {"training": BENCHMARKS / f"models/{run}.tsv"}
    for stage, folder in {"responses": "responses", "scores": "scores"}.items():
        of_systems |= {f"{stage}, {split}": BENCHMARKS / folder / f"{run}/{split}.tsv" for split in SPLITS[1:]}
    return json.dumps(
        {
            "shared": {corpus: of_corpus(corpus) for corpus in CONFIG.corpora},
            "of_systems": of_systems,
            "summary": RESULTS / f"models/{run}/summary.json",
            "history": RESULTS / f"models/{run}/history.jsonl",
        },
        default=str,
    )


def ablated():
    """The systems that have an ablation, each followed by those of its model; the first is what they are held against."""
    models = dict.fromkeys(ablation.model for ablation in CONFIG.ablations.values())
    return {name: system for model in models for name, system in TRAINABLE.items() if system.model == model}


def of_ablations(path):
    """``path`` for every row of the table of ablations."""

    def files(wildcards):
        if not CONFIG.ablations:
            raise WorkflowError("ablations: there are none; give the section an entry or two, as config.yaml does")
        splits = ["validation", "test"]
        return expand(path, corpus=CONFIG.corpora, system=ablated(), seed=CONFIG.seeds, split=splits)

    return files
