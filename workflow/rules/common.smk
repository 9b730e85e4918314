# What all rules share: the checked configuration, paths, wildcards, and the fingerprint of a stage's code.

import atexit
import json
import os
import re
import shlex
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import get_args

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from pipeline_lib.config.loading import PUBLISHED, layers_of_run, load, place_of
from pipeline_lib.config.papers import Part, ScoredSplit, whole_of
from pipeline_lib.config.stages import MEASURED, stages_of
from pipeline_lib.config.sweep import GUIDES
from pipeline_lib.config.unusual import unusual
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.disk import check_temporary_folder, report_full_disk, report_full_temporary_folder
from pipeline_lib.metrics.suite import needs_clusters, needs_users, needs_vectors, recorded
from pipeline_lib.runs.analyses import check_analysed, needs_of
from pipeline_lib.runs.checks import check_exact_row, check_files, check_package, check_responses, check_run
from pipeline_lib.runs.unshown import unshown
from pipeline_lib.schemas.dialogues import HELD_OUT, SPLITS
from pipeline_lib.schemas.responses import APART
from pipeline_lib.stage.fingerprint import stage_fingerprint
from pipeline_lib.stage.kinds import kinds as kinds_of
from pipeline_lib.stage.kinds import module_of as module_of_kind
from pipeline_lib.stage.options import ANALYSES, FIGURES
from pipeline_lib.training.state import forget_finished

AS_MODULE = not workflow.modifier.is_main_snakefile()  # of another workflow, whose configuration is the whole of ours
# a file that is named may be made by a rule of that workflow, or lie in a bucket
FILES_MAY_COME = AS_MODULE or workflow.storage_settings.default_storage_provider is not None
SCRIPTS = Path(workflow.current_basedir).parent / "scripts"
ROOT = SCRIPTS.parents[1]


def files_of_configuration():
    """List config.yaml and what the command line names; a later file takes precedence."""
    return [Path("config.yaml"), *(file for file in map(Path, workflow.configfiles) if file != Path("config.yaml"))]


try:
    check_temporary_folder()
    LAYERS = layers_of_run(ROOT, config, [] if AS_MODULE else files_of_configuration())
    CONFIG = load(LAYERS, ROOT / "papers")
    check_run(CONFIG, LAYERS)
    if not FILES_MAY_COME:
        check_files(CONFIG, LAYERS)
    MISSPELT = list(unshown(CONFIG, ROOT / "papers" / CONFIG.paper / PUBLISHED))
except PipelineError as error:
    raise WorkflowError(str(error)) from None
if not workflow.remote_exec:  # a job on a cluster reads all of this again
    for warning in [*unusual(CONFIG, partial(place_of, LAYERS)), *MISSPELT]:
        logger.warning(warning)
atexit.register(report_full_temporary_folder)  # what fills up meanwhile ends in a traceback of Snakemake's own

RESULTS = Path(CONFIG.results)
LOGS = RESULTS / "logs"
BENCHMARKS = RESULTS / "benchmarks"
# a file of the project, beside the rules: never in a bucket
PUBLISHED_VALUES = local(os.path.normpath(os.path.join(os.path.relpath(ROOT), "papers", CONFIG.paper, PUBLISHED)))
MIRRORS = shlex.quote(CONFIG.mirror) if CONFIG.mirror else ""
VOCABULARIES = {"words": "words.parquet", "pieces": "pieces.txt"}  # by the units that they are of
CLUSTERINGS = ["kmeans", "spectral", "agglomerative"]
SWEEP_POINTS = {name: CONFIG.sweep_points(name) for name in CONFIG.sweeps}
CORPORA = list(
    dict.fromkeys(
        [
            *CONFIG.corpora_used,
            *(point.corpus for points in SWEEP_POINTS.values() for point in points),
            *CONFIG.corpora_probed,
        ]
    )
)
VECTORS_SCORED = needs_vectors(CONFIG.metrics_shown)
CLUSTERS_SCORED = needs_clusters(CONFIG.metrics_shown)
SEEDS = list(
    dict.fromkeys(
        [
            *CONFIG.seeds,
            *(seed for sweep in CONFIG.sweeps.values() for seed in sweep.seeds),
            *(analysis.judge.seed for analysis in CONFIG.analyses.values() if analysis.judge),
        ]
    )
)
SYSTEMS = CONFIG.systems
TRAINED = list(CONFIG.trainable)
FUNCTIONS = [name for name, system in SYSTEMS.items() if system.function]
EXTERNAL = [name for name, system in SYSTEMS.items() if system.responses]
BASELINES = [name for name, system in SYSTEMS.items() if system.baseline in ("random", "constant", "copy", "human")]
ORACLES = [name for name, system in SYSTEMS.items() if system.of_truth and not system.exact]
EXACT = [name for name, system in SYSTEMS.items() if system.exact]
FETCHED = [name for name in CORPORA if not CONFIG.sources[name].generated]

# jobs use the interpreter that runs the workflow, whether or not its environment is activated, and end with it
shell.prefix(
    f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH "
    f"SCRIPTS={shlex.quote(os.path.relpath(SCRIPTS))} PIPELINE_SCHEDULER=$HOSTNAME:{os.getpid()} PIPELINE_STORE={CONFIG.store}; "
)


def one_of(names):
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    corpus=one_of(CORPORA),
    system=one_of(SYSTEMS),
    method=one_of(CLUSTERINGS),
    units=one_of(VOCABULARIES),
    split=one_of(SPLITS),
    part=one_of(get_args(Part)),
    table=one_of(CONFIG.tables),
    figure=one_of(CONFIG.figures),
    analysis=one_of(CONFIG.analyses),
    seed=one_of(map(str, SEEDS)),


@lru_cache
def config_of(corpus):
    return CONFIG.for_corpus(corpus)


def settings(section):
    """Make a parameter of one section of a corpus's configuration, as JSON."""
    return lambda wildcards: getattr(config_of(wildcards.corpus), section).model_dump_json()


def code_of(script, *modules):
    """Return the fingerprint of a stage's code; ``modules`` are those that it imports by name at run time."""
    return stage_fingerprint(SCRIPTS / f"{script}.py", modules)


def modules_of_metrics(metrics):
    """List the modules of metrics, which a stage loads by their names."""
    return sorted({module_of_kind("pipeline_lib.metrics", metric) for metric in metrics})


def code_of_metrics(script, metrics):
    """Return the fingerprint of a stage that loads these metrics."""
    return code_of(script, *modules_of_metrics(metrics))


def module_of_units(units):
    """Return the module of words, or of word pieces."""
    return module_of_kind("pipeline_lib.text", units)


def modules_of_system(corpus, system):
    """List the modules of a trained system's class and of the units that it reads and writes."""
    return [SYSTEMS[system].model.partition(":")[0], module_of_units(CONFIG.units_of(corpus, system))]


def tokeniser_of(wildcards):
    """Name of the tokeniser of a corpus: texts that are made or brought later are tokenised alike."""
    return CONFIG.sources[wildcards.corpus].tokeniser


def with_tokeniser(script, modules=lambda wildcards: []):
    """Return the fingerprint of a stage that uses the corpus's tokeniser, and what else it imports by name."""
    return lambda wildcards: code_of(
        script, f"pipeline_lib.text.tokenisers.{tokeniser_of(wildcards)}", *modules(wildcards)
    )


def attempts_of(megabytes):
    """Return a memory limit that grows when a job is tried again."""
    return lambda wildcards, attempt: megabytes * attempt


def vectors_if_any(wildcards):
    """Return the word vectors of a corpus in a list, which is empty if its systems learn their own."""
    source = config_of(wildcards.corpus).embeddings.source
    return [] if source == "none" else [RESULTS / f"vectors/{wildcards.corpus}/{source}.parquet"]


def vectors_of(wildcards):
    """Return the word vectors of a corpus, for stages that need them."""
    if not (vectors := vectors_if_any(wildcards)):
        fault = PipelineError(
            f"the corpus {wildcards.corpus!r} has no word vectors (embeddings.source: none), which this needs",
            where=place_of(LAYERS, ("embeddings", "source")),
            expected="vectors for clusters, functions, contradictions, and `filtering: {known: vectors}`",
            remedy="set `embeddings: {source: native}`, or leave out what needs them",
        )
        raise WorkflowError(str(fault))
    return vectors


def vectors_of_filter(wildcards):
    return vectors_of(wildcards) if config_of(wildcards.corpus).filtering.known == "vectors" else []


def vocabulary_of(wildcards):
    """Return the vocabulary of the units that a system reads and writes."""
    units = CONFIG.units_of(wildcards.corpus, wildcards.system)
    return RESULTS / f"vocabulary/{wildcards.corpus}/{VOCABULARIES[units]}"


def code_of_system(script, *kinds):
    """Make a parameter: the fingerprint of a stage that builds a trained system, with what it loads by name."""
    return lambda wildcards: code_of(
        script, *modules_of_system(wildcards.corpus, wildcards.system), *(kind(wildcards) for kind in kinds)
    )


def encoded(*splits):
    """Make an input of splits in the units of a system; without ``splits``, of the job's own."""
    path = RESULTS / "encoded/{corpus}/{units}/{split}.arrow"
    return lambda wildcards: expand(
        path,
        units=CONFIG.units_of(wildcards.corpus, wildcards.system),
        split=splits or wildcards.split,
        corpus=wildcards.corpus,
    )


def side_tables_of(wildcards):
    """List the tables that a system reads in addition to the examples."""
    tables = [table.split("/") for table in SYSTEMS[wildcards.system].reads.values()]
    return [RESULTS / f"{stage}/{wildcards.corpus}/{file}.parquet" for stage, file in tables]


def reads_of(wildcards, input):
    """List the same tables, each after the field of the batch that it fills."""
    return [f"{field}={file}" for field, file in zip(SYSTEMS[wildcards.system].reads, input.side_tables)]


def each_after(options, files):
    """Return each file after its option; nothing if there are no files."""
    return [word for pair in zip(options, files) for word in pair]


def if_any(*names):
    """Make a parameter: the inputs of these names that have a file, each after its option."""
    return lambda wildcards, input: [word for name in names for word in each_after([f"--{name}"], input.get(name))]


def runs_of(table, path, **wildcards):
    """Expand ``path`` for every run of a table: its systems with every seed, on its corpora if they are not given."""
    fixed = {"corpus": CONFIG.corpora_of(table), "system": CONFIG.systems_of(table), "seed": CONFIG.seeds}
    return expand(path, **fixed | wildcards)
