# What examples are contrasted with: negatives, and the graph of keywords.


def audit_of(wildcards):
    """Return the filled sheet of negatives, where there is one."""
    return config_of(wildcards.corpus).contrasts.audit or []


rule choose_negatives:
    """Choose for every example a text that is like its context and means something else."""
    input:
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        keywords=RESULTS / "keywords/{corpus}/{split}.parquet",
        train=RESULTS / "filtered/{corpus}/train.parquet",
        dialogues=RESULTS / "dialogues/{corpus}/dialogues.parquet",
        audit=audit_of,
    output:
        RESULTS / "negatives/{corpus}/{split}.parquet",
    log:
        LOGS / "negatives/{corpus}/{split}.log",
    benchmark:
        BENCHMARKS / "negatives/{corpus}/{split}.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        turns=lambda wildcards: CONFIG.sources[wildcards.corpus].window.context,
        tokeniser=tokeniser_of,
        ranking=settings("keywords"),
        settings=settings("contrasts"),
        code=with_tokeniser("choose_negatives"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/choose_negatives.py --examples {input.examples:q} --keywords {input.keywords:q} "
        "--train {input.train:q} --dialogues {input.dialogues:q} --turns {params.turns:q} --tokeniser {params.tokeniser:q} --ranking {params.ranking:q} "
        "--settings {params.settings:q} --out {output:q} &> {log:q}"


rule build_graph:
    """Build the graph of keywords: which of them answer the same keyword, and which do not."""
    input:
        contrasts=expand(RESULTS / "negatives/{{corpus}}/{split}.parquet", split=SPLITS),
        examples=expand(RESULTS / "filtered/{{corpus}}/{split}.parquet", split=SPLITS),
        vectors=vectors_of,
    output:
        RESULTS / "graph/{corpus}/keywords.parquet",
    log:
        LOGS / "graph/{corpus}.log",
    benchmark:
        BENCHMARKS / "graph/{corpus}.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        neighbours=lambda wildcards: config_of(wildcards.corpus).contrasts.neighbours,
        code=code_of("build_graph"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/build_graph.py --contrasts {input.contrasts:q} --examples {input.examples:q} "
        "--vectors {input.vectors:q} --neighbours {params.neighbours:q} --out {output:q} &> {log:q}"


rule encode_contrasts:
    """Turn negatives and keywords into what a network reads."""
    input:
        contrasts=expand(RESULTS / "negatives/{{corpus}}/{split}.parquet", split=SPLITS),
        keywords=expand(RESULTS / "keywords/{{corpus}}/{split}.parquet", split=SPLITS),
        graph=RESULTS / "graph/{corpus}/keywords.parquet",
        vocabulary=lambda wildcards: RESULTS / f"vocabulary/{wildcards.corpus}/{VOCABULARIES[wildcards.units]}",
    output:
        RESULTS / "contrasts/{corpus}/{units}.parquet",
    log:
        LOGS / "contrasts/{corpus}/{units}.log",
    resources:
        mem_mb=attempts_of(2_000),
    params:
        code=lambda wildcards: code_of("encode_contrasts", module_of_units(wildcards.units)),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/encode_contrasts.py --contrasts {input.contrasts:q} --keywords {input.keywords:q} "
        "--graph {input.graph:q} --vocabulary {input.vocabulary:q} --out {output:q} &> {log:q}"
