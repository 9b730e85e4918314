# Clusters of examples: the knowledge of the K-, S- and A-CVAE systems.


def keywords_of(wildcards):
    """Return the keyword tables, where clusters are built over keywords."""
    if config_of(wildcards.corpus).clustering.words == "all":
        return []
    return expand(RESULTS / "keywords/{corpus}/{split}.parquet", corpus=wildcards.corpus, split=SPLITS)


rule cluster_examples:
    """Give every example the id of its cluster; the clusters are fitted on the training split alone."""
    input:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        validation=RESULTS / "filtered/{corpus}/validation.parquet",
        test=RESULTS / "filtered/{corpus}/test.parquet",
        keywords=keywords_of,
        vectors=vectors_of,
    output:
        RESULTS / "clusters/{corpus}/{method}.parquet",
    log:
        LOGS / "clusters/{corpus}/{method}.log",
    benchmark:
        BENCHMARKS / "clusters/{corpus}/{method}.tsv"
    threads: 2
    resources:
        mem_mb=attempts_of(8_000),
        runtime=240,
    params:
        settings=settings("clustering"),
        code=code_of("cluster_examples"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/cluster_examples.py --train {input.train:q} --validation {input.validation:q} "
        "--test {input.test:q} --keywords {input.keywords:q} --vectors {input.vectors:q} "
        "--method {wildcards.method} --settings {params.settings:q} --out {output:q} &> {log:q}"
