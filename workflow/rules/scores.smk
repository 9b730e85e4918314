# Metrics of every system's responses, and paired tests between systems.


rule score_responses:
    """Every metric of one system's responses, with intervals, and the items' values for paired tests."""
    input:
        responses=RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
        vectors=vectors_if_any,
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
        tokeniser=tokeniser_of,
        code=with_tokeniser("score_responses"),
    shell:
        "python $SCRIPTS/score_responses.py --responses {input.responses:q} --vectors {input.vectors:q} "
        "--settings {params.settings:q} --tokeniser {params.tokeniser} --corpus {wildcards.corpus} --split {wildcards.split} "
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
    """Is the best system of a column truly ahead? Paired tests over test items, Holm-corrected."""
    input:
        runs(RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"),
    output:
        RESULTS / "significance/{corpus}/{split}.parquet",
    log:
        LOGS / "significance/{corpus}/{split}.log",
    benchmark:
        BENCHMARKS / "significance/{corpus}/{split}.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        settings=settings("significance"),
        competing=TRAINED + FUNCTIONS + EXTERNAL,
        code=code_of("compare_systems"),
    shell:
        "python $SCRIPTS/compare_systems.py --items {input:q} --competing {params.competing:q} "
        "--settings {params.settings:q} --out {output:q} &> {log:q}"
