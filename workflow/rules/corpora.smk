# Raw files, from a mirror folder or the net, each with its checksum; and the dialogues in them.


def pinned(wildcards):
    """Return what decides the content of a source's files, without their location: moving a mirror reruns nothing."""
    return json.dumps(CONFIG.sources[wildcards.corpus].files())


def mirrored_files(wildcards):
    """List files of a mirror without a checksum: tracked as inputs, since nothing else tells that they changed."""
    source = CONFIG.sources[wildcards.corpus]
    folders = [Path(folder) for folder in (source.mirror, CONFIG.mirror) if folder]
    unpinned = [file for bundle in source.bundles for file in bundle if file.sha256 is None]
    found = [folder / sub / file.name for file in unpinned for folder in folders for sub in ("", wildcards.corpus)]
    return [path for path in found if path.is_file()]


def manifest_of(wildcards):
    generated = CONFIG.sources[wildcards.corpus].generated
    return [] if generated else RESULTS / f"raw/{wildcards.corpus}/manifest.json"


def reader_of(corpus):
    return module_of_kind("pipeline_lib.corpora", CONFIG.sources[corpus].reader)


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
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/download_corpus.py --source {resources.source:q} --mirrors {resources.mirrors} "
        "--out {output:q} &> {log:q}"


rule extract_dialogues:
    """Read a corpus, whatever its format, into one table of utterances with their splits."""
    input:
        manifest_of,
    output:
        RESULTS / "dialogues/{corpus}/dialogues.parquet",
    log:
        LOGS / "dialogues/{corpus}.log",
    benchmark:
        BENCHMARKS / "dialogues/{corpus}.tsv"
    resources:
        mem_mb=attempts_of(2_000),
    params:
        source=lambda wildcards: CONFIG.sources[wildcards.corpus].content().model_dump_json(),
        manifest=lambda wildcards, input: f"--manifest {shlex.quote(input[0])}" if input else "",
        code=lambda wildcards: code_of("extract_dialogues", reader_of(wildcards.corpus)),
    shell:
        "PIPELINE_PLAN={params.plan:q} PIPELINE_SCREEN=3 python $SCRIPTS/extract_dialogues.py --source {params.source:q} {params.manifest} --out {output:q} "
        "3>&2 &> {log:q}"
