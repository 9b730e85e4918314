"""From a raw corpus to the tables of a paper on text generators with latent variables."""

import atexit
import gc

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from pipeline_lib.config.loading import read_yaml
from pipeline_lib.errors import PipelineError

min_version("9.0")
atexit.register(gc.freeze)  # a process that ends need not look for cycles: .3 s of a dry run


try:  # before Snakemake does: its own errors about this file name neither it nor the line
    Path("config.yaml").is_file() and read_yaml(Path("config.yaml"))
except PipelineError as error:
    raise WorkflowError(str(error)) from None


configfile: "config.yaml"


container: "docker://python:3.12-slim"


include: "workflow/rules/common.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/vectors.smk"
include: "workflow/rules/keywords.smk"
include: "workflow/rules/clusters.smk"
include: "workflow/rules/contrasts.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/responses.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/analyses.smk"
include: "workflow/rules/ratings.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/provenance.smk"


onstart:
    hold_results()


onsuccess:
    forget_finished(RESULTS / ".state")


onerror:
    report_full_disk(RESULTS)


rule all:
    """Make the tables that the paper declares for a run without a target, all scores, and the record of the run."""
    default_target: True
    input:
        expand(RESULTS / "tables/{table}.csv", table=CONFIG.reported),
        expand(RESULTS / "scores/{split}/scores.parquet", split=SPLITS_SCORED),
        RESULTS / "manifest.json",


rule keywords:
    """Extract the TextRank keywords of every utterance."""
    input:
        expand(
            RESULTS / "keywords/{corpus}/{split}.parquet",
            corpus=CONFIG.corpora,
            split=SPLITS,
        ),


include: "workflow/rules/unknown.smk"  # last: it compares the targets with all rules
