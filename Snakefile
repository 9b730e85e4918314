"""From a raw dialogue corpus to the tables of four papers on response generators with latent variables."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


container: "docker://python:3.12-slim"


include: "workflow/rules/common.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/vectors.smk"
include: "workflow/rules/keywords.smk"
include: "workflow/rules/clusters.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/responses.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/ratings.smk"
include: "workflow/rules/cases.smk"
include: "workflow/rules/latents.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/ablations.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/costs.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/unknown.smk"


onsuccess:
    forget_finished(RESULTS / ".state")


onerror:
    report_full_disk(RESULTS)


rule all:
    """Tables 1-3 of the SepaCVAE paper for the run that the configuration describes, and the record of that run."""
    default_target: True
    input:
        expand(RESULTS / "tables/{table}.csv", table=TABLES),
        expand(RESULTS / "scores/{split}/scores.parquet", split=["validation", "test"]),
        RESULTS / "manifest.json",


rule keywords:
    """TextRank keywords of every utterance."""
    input:
        expand(
            RESULTS / "keywords/{corpus}/{split}.parquet",
            corpus=CONFIG.corpora,
            split=SPLITS,
        ),
