# Metrics of every system's responses, and paired tests between systems.


rule score_responses:
    """Every metric of one system's responses, with intervals, and the items' values for paired tests."""
    input:
        responses=RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
        vectors=vectors_of,
    output:
        scores=RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet",
        per_item=RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "scores/{corpus}/{system}/seed{seed}/{split}.log",
    benchmark:
        BENCHMARKS / "scores/{corpus}/{system}/seed{seed}/{split}.tsv"
    resources:
        mem_mb=attempts_of(2_000),
    params:
        settings=settings("metrics"),
        metrics=METRICS,
        code=code_of_metrics("score_responses", METRICS),
    shell:
        "python $SCRIPTS/score_responses.py --responses {input.responses:q} --vectors {input.vectors:q} "
        "--metrics {params.metrics:q} --settings {params.settings:q} --corpus {wildcards.corpus} --split {wildcards.split} "
        "--system {wildcards.system} --seed {wildcards.seed} --scores {output.scores:q} --items {output.per_item:q} "
        "&> {log:q}"


rule collect_scores:
    """All scores of a split in long form; a missing run is an error."""
    input:
        lambda wildcards: expand(
            RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet",
            corpus=CONFIG.corpora,
            system=SYSTEMS,
            seed=CONFIG.seeds,
            split=wildcards.split,
        ),
    output:
        RESULTS / "scores/{split}/scores.parquet",
    log:
        LOGS / "scores/{split}.log",
    params:
        expect=lambda wildcards: expand(
            "{corpus}/{split}/{system}/{seed}",
            corpus=CONFIG.corpora,
            split=wildcards.split,
            system=SYSTEMS,
            seed=CONFIG.seeds,
        ),
        code=code_of("collect_scores"),
    shell:
        "python $SCRIPTS/collect_scores.py --files {input:q} --expect {params.expect:q} --out {output:q} &> {log:q}"


rule compare_systems:
    """Test the best system of every column of a table against the others: paired over items, Holm-corrected."""
    input:
        lambda wildcards: expand(
            RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet",
            corpus=wildcards.corpus,
            system=SYSTEMS,
            seed=CONFIG.seeds,
            split=SPECS[wildcards.table].splits,
        ),
    output:
        RESULTS / "significance/{corpus}/{table}.parquet",
    log:
        LOGS / "significance/{corpus}/{table}.log",
    benchmark:
        BENCHMARKS / "significance/{corpus}/{table}.tsv"
    wildcard_constraints:
        table=one_of(SCORE_TABLES),
    resources:
        mem_mb=attempts_of(4_000),
    params:
        settings=settings("significance"),
        competing=TRAINED + FUNCTIONS + EXTERNAL,
        metrics=lambda wildcards: SPECS[wildcards.table].metrics,
        code=lambda wildcards: code_of_metrics("compare_systems", SPECS[wildcards.table].metrics),
    shell:
        "python $SCRIPTS/compare_systems.py --items {input:q} --competing {params.competing:q} "
        "--metrics {params.metrics:q} --settings {params.settings:q} --out {output:q} &> {log:q}"
