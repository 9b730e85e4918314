# Keywords of every utterance.


rule extract_keywords:
    """Extract TextRank keywords of contexts and responses, best first, at least one each."""
    input:
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        train=RESULTS / "filtered/{corpus}/train.parquet",
    output:
        RESULTS / "keywords/{corpus}/{split}.parquet",
    log:
        LOGS / "keywords/{corpus}/{split}.log",
    benchmark:
        BENCHMARKS / "keywords/{corpus}/{split}.tsv"
    threads: 8
    resources:
        mem_mb=attempts_of(4_000),
    params:
        settings=settings("keywords"),
        tokeniser=tokeniser_of,
        code=with_tokeniser("extract_keywords"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/extract_keywords.py --examples {input.examples:q} --train {input.train:q} "
        "--settings {params.settings:q} --tokeniser {params.tokeniser:q} --threads {threads} --out {output:q} &> {log:q}"
