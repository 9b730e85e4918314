# Names and helpers that the rules share: the checked configuration, paths, what each stage's code is.

import json
import os
import re
import shlex
import sys
from functools import lru_cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline_lib.config import load, read_yaml
from pipeline_lib.errors import PipelineError
from pipeline_lib.fingerprint import stage_fingerprint
from pipeline_lib.schema import SPLITS


def in_order_of(base, values):
    """``values`` with the keys of ``base`` first: Snakemake puts those of an overlay before those of config.yaml."""
    if not (isinstance(base, dict) and isinstance(values, dict)):
        return values
    return {key: in_order_of(base.get(key), values[key]) for key in [*base, *values] if key in values}


try:
    CONFIG = load(in_order_of(read_yaml(Path("config.yaml")), config))
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
BASELINES = [name for name in SYSTEMS if name not in TRAINED + EXTERNAL]
FETCHED = [name for name in CONFIG.corpora if CONFIG.sources[name].reader != "synthetic"]

# jobs use the interpreter that runs the workflow, whether or not its environment is activated
shell.prefix(
    f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH "
    f"SCRIPTS={shlex.quote(os.path.relpath(SCRIPTS))}; "
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


def attempts_of(megabytes):
    """Memory that grows when a job is tried again."""
    return lambda wildcards, attempt: megabytes * attempt


def vectors_of(wildcards):
    source = config_of(wildcards.corpus).embeddings.source
    return RESULTS / f"vectors/{wildcards.corpus}/{source}.parquet"


def clusters_of(wildcards):
    method = TRAINABLE[wildcards.system].clusters
    return [RESULTS / f"clusters/{wildcards.corpus}/{method}.parquet"] if method else []


EMBEDDINGS_FROM_FILE = {
    corpus: config_of(corpus).embeddings for corpus in CONFIG.corpora if config_of(corpus).embeddings.source == "file"
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
    """``path`` with the split that a table of systems shows; Table 1 counts pairs and needs none."""

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
    """Rows of a table (pipeline_lib.tables.Layout), as JSON: what shows in it, so that nothing else remakes it."""
    of_systems = wildcards.table in SPLIT_OF_TABLE
    systems = {name: system.model_dump(include={"label", "model"}) for name, system in SYSTEMS.items()}
    return json.dumps(
        {
            "corpora": {name: CONFIG.sources[name].label for name in CONFIG.corpora},
            "systems": systems if of_systems else {},
            "seeds": CONFIG.seeds if of_systems else [],
        }
    )


def columns(wildcards):
    """Settings of one table (pipeline_lib.config.Tables), as JSON."""
    shown = {wildcards.table, "extra"} if wildcards.table in SPLIT_OF_TABLE else set()
    return CONFIG.tables.model_dump_json(include={"digits", *shown})
