# Metrics of every system's responses, and tests between systems.


METRICS_SCORED = [*recorded(CONFIG.metrics_shown), *APART]


def splits_of(table):
    """List the splits whose responses a table scores."""
    return CONFIG.tables[table].read_splits if table in CONFIG.tables_of("scores") else []


SPLITS_SCORED = [
    split for split in get_args(ScoredSplit) if any(split in splits_of(table) for table in CONFIG.reported)
]


def runs_scored(path):
    """Expand ``path`` for every run that a table of a run without a target shows on a split, each once."""

    def files(wildcards):
        tables = [table for table in CONFIG.reported if wildcards.split in splits_of(table)]
        return list(dict.fromkeys(file for table in tables for file in runs_of(table, path, split=wildcards.split)))

    return files


def competing_in(wildcards):
    """List the systems of a table that are compared, without its reference rows."""
    return [system for system in CONFIG.systems_of(wildcards.table) if not SYSTEMS[system].baseline]


def references_if_any(wildcards):
    """Return further references of a split in a list, which is empty if there are none."""
    split = whole_of(wildcards.split)
    brought = split in CONFIG.sources[wildcards.corpus].references
    return [RESULTS / f"references/{wildcards.corpus}/{split}.parquet"] if brought else []


def clusters_if_any(wildcards):
    """Return the paraphrases of clusters in a list, which is empty for a corpus without such, or if no table asks."""
    asked = CLUSTERS_SCORED and CONFIG.sources[wildcards.corpus].has_paraphrases
    return [RESULTS / f"references/{wildcards.corpus}/clusters/{whole_of(wildcards.split)}.parquet"] if asked else []


def responses_scored(wildcards):
    """Return the responses to a split, or to the whole of which it is a part."""
    run = "{corpus}/{system}/seed{seed}".format(**wildcards)
    return RESULTS / f"responses/{run}/{whole_of(wildcards.split)}.parquet"


def examples_of_part(wildcards):
    """Return the examples of a part of a split in a list, which is empty for a whole one."""
    is_whole = wildcards.split in SPLITS
    return [] if is_whole else [RESULTS / f"filtered/{wildcards.corpus}/{wildcards.split}.parquet"]


def spoken_if_any(wildcards):
    """Return who responds and the training examples, for metrics that compare responses with what users said."""
    tables = [table for table in CONFIG.tables if wildcards.corpus in CONFIG.corpora_of(table)]
    asked = any(needs_users(CONFIG.metrics_of(table)) for table in tables)
    files = ("users/{corpus}/responding", "filtered/{corpus}/train") if asked else ()
    return [RESULTS / f"{file.format(**wildcards)}.parquet" for file in files]


rule score_responses:
    """Score one system's responses by the tables' metrics, with intervals, and give items' values for tests."""
    input:
        responses=responses_scored,
        examples=lambda wildcards: RESULTS / f"filtered/{wildcards.corpus}/{whole_of(wildcards.split)}.parquet",
        only=examples_of_part,
        vectors=vectors_if_any if VECTORS_SCORED else [],
        references=references_if_any,
        spoken=spoken_if_any,
        clusters=clusters_if_any,
    output:
        scores=RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet",
        per_item=RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "scores/{corpus}/{system}/seed{seed}/{split}.log",
    benchmark:
        BENCHMARKS / "scores/{corpus}/{system}/seed{seed}/{split}.tsv"
    wildcard_constraints:
        split=one_of(get_args(ScoredSplit)),
    resources:
        mem_mb=attempts_of(2_000),
    params:
        settings=settings("metrics"),
        metrics=CONFIG.metrics_shown,
        tokeniser=tokeniser_of,
        optional=if_any("only", "vectors", "references", "clusters"),
        users=lambda wildcards, input: each_after(("--users", "--train"), input.spoken),
        importance_samples=lambda wildcards: CONFIG.decoding_of(wildcards.corpus, wildcards.system).importance_samples,
        code=with_tokeniser("score_responses", lambda wildcards: modules_of_metrics(METRICS_SCORED)),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/score_responses.py --responses {input.responses:q} "
        "--examples {input.examples:q} {params.optional:q} {params.users:q} "
        "--settings {params.settings:q} --metrics {params.metrics:q} --tokeniser {params.tokeniser:q} "
        "--importance-samples {params.importance_samples:q} --corpus {wildcards.corpus} --split {wildcards.split} "
        "--system {wildcards.system} --seed {wildcards.seed} --scores {output.scores:q} --per-item {output.per_item:q} "
        "&> {log:q}"


rule collect_scores:
    """Collect all scores of a split in long form; a missing run is an error."""
    input:
        runs_scored(RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet"),
    output:
        RESULTS / "scores/{split}/scores.parquet",
    log:
        LOGS / "scores/{split}.log",
    wildcard_constraints:
        split=one_of(get_args(ScoredSplit)),
    params:
        expect=runs_scored("{corpus}/{split}/{system}/{seed}"),
        code=code_of("collect_scores"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/collect_scores.py --files {input:q} --expect {params.expect:q} --out {output:q} &> {log:q}"


rule compare_systems:
    """Compare the best system of each column of a table with the others, over training runs and items."""
    input:
        lambda wildcards: runs_of(
            wildcards.table,
            RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet",
            corpus=wildcards.corpus,
            split=CONFIG.tables[wildcards.table].splits,
        ),
    output:
        RESULTS / "significance/{corpus}/{table}.parquet",
    log:
        LOGS / "significance/{corpus}/{table}.log",
    benchmark:
        BENCHMARKS / "significance/{corpus}/{table}.tsv"
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("scores")),
    resources:
        mem_mb=attempts_of(4_000),
    params:
        settings=settings("significance"),
        competing=competing_in,
        metrics=lambda wildcards: CONFIG.metrics_of(wildcards.table),
        code=lambda wildcards: code_of_metrics("compare_systems", CONFIG.metrics_of(wildcards.table)),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/compare_systems.py --per-item {input:q} --competing {params.competing:q} "
        "--metrics {params.metrics:q} --settings {params.settings:q} --out {output:q} &> {log:q}"
