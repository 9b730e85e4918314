# Names and helpers that the rules share: the checked configuration, paths, what each stage's code is.

import re
import shlex
import sys
from functools import lru_cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline_lib.config import load
from pipeline_lib.errors import PipelineError
from pipeline_lib.fingerprint import stage_fingerprint
from pipeline_lib.schema import SPLITS

try:
    CONFIG = load(config)
except PipelineError as error:
    raise WorkflowError(str(error)) from None

SCRIPTS = Path(workflow.current_basedir).parent / "scripts"
RESULTS = Path(CONFIG.results)
LOGS = RESULTS / "logs"
BENCHMARKS = RESULTS / "benchmarks"
TABLES = ["table1", "table2", "table3"]
CLUSTERINGS = ["kmeans", "spectral", "agglomerative"]
MIRRORS = shlex.quote(CONFIG.mirror) if CONFIG.mirror else ""
TRAINED = [name for name, system in CONFIG.systems.items() if system.trained]
BASELINES = [name for name in CONFIG.systems if name not in TRAINED]

# jobs use the interpreter that runs the workflow, whether or not its environment is activated
shell.prefix(
    f"set -euo pipefail; export PATH={str(Path(sys.executable).parent)!r}:$PATH; "
)


def one_of(names):
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    corpus=one_of(CONFIG.corpora),
    system=one_of(CONFIG.systems),
    method=one_of(CLUSTERINGS),
    split=one_of(SPLITS),
    table=one_of(TABLES),
    seed=one_of(map(str, CONFIG.seeds)),


@lru_cache
def config_of(corpus):
    return CONFIG.for_corpus(corpus)


def settings(section):
    """A parameter: one section of a corpus's configuration as JSON."""
    return lambda wildcards: getattr(
        config_of(wildcards.corpus), section
    ).model_dump_json()


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
    method = CONFIG.systems[wildcards.system].clusters
    return [RESULTS / f"clusters/{wildcards.corpus}/{method}.parquet"] if method else []


def embeddings_of_name(name):
    """Embedding settings, of any corpus, that name a vector file ``name``."""
    every = [config_of(corpus).embeddings for corpus in CONFIG.corpora]
    return [e for e in every if e.source == "file" and e.file.name == name]
