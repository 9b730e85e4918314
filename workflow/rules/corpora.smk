# Raw files: from a mirror folder or the net into results/raw, each with its checksum.


rule download_corpus:
    """Fetch and verify the files of a corpus."""
    input:
        mirrored_files,
    output:
        RESULTS / "raw/{corpus}/manifest.json",
    log:
        LOGS / "raw/{corpus}.log",
    wildcard_constraints:
        corpus=one_of(FETCHED),
    resources:
        # a resource because, unlike a parameter, it triggers no rerun when it changes
        source=lambda wildcards: CONFIG.sources[wildcards.corpus].model_dump_json(),
        mirrors=MIRRORS,
    params:
        pinned=pinned,
        code=code_of("download_corpus"),
    shell:
        "python $SCRIPTS/download_corpus.py --source {resources.source:q} --mirrors {resources.mirrors} "
        "--out {output:q} &> {log:q}"
