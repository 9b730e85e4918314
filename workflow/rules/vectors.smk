# Word vectors: rows of a GloVe file, or vectors trained on the training split; then vocabulary and embedding matrix.

FROM_FILE = {
    corpus: config_of(corpus).embeddings for corpus in CORPORA if config_of(corpus).embeddings.source == "file"
}


def embeddings_of_name(name):
    """List the embedding settings, of any corpus, that name a vector file ``name``."""
    return [embeddings for embeddings in FROM_FILE.values() if embeddings.file.name == name]


def vectors_file(wildcards):
    return RESULTS / f"raw/glove/{config_of(wildcards.corpus).embeddings.file.name}"


def dimension_of(wildcards):
    """Return the option for the width that is wanted of a file with several (glove.6B.zip)."""
    dimension = config_of(wildcards.corpus).embeddings.dimension
    return f"--dimension {dimension}" if dimension else ""


rule fetch_vectors:
    """Fetch and verify a GloVe file."""
    output:
        RESULTS / "raw/glove/{name}",
    log:
        LOGS / "raw/glove/{name}.log",
    wildcard_constraints:
        name=one_of(embeddings.file.name for embeddings in FROM_FILE.values()),
    resources:
        embeddings=lambda wildcards: embeddings_of_name(wildcards.name)[0].model_dump_json(),
        mirrors=MIRRORS,
    params:
        sha256=lambda wildcards: [e.file.sha256 for e in embeddings_of_name(wildcards.name)][0],
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/fetch_vectors.py --settings {resources.embeddings:q} --mirrors {resources.mirrors} "
        "--out {output:q} &> {log:q}"


rule select_vectors:
    """Select the rows of a GloVe file that the corpus uses."""
    input:
        file=vectors_file,
        tokens=RESULTS / "examples/{corpus}/tokens.parquet",
    output:
        RESULTS / "vectors/{corpus}/file.parquet",
    log:
        LOGS / "vectors/{corpus}/file.log",
    benchmark:
        BENCHMARKS / "vectors/{corpus}/file.tsv"
    wildcard_constraints:
        corpus=one_of(FROM_FILE),
    resources:
        mem_mb=attempts_of(2_000),
    params:
        dimension=dimension_of,
        code=code_of("select_vectors"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/select_vectors.py --file {input.file:q} --tokens {input.tokens:q} {params.dimension} "
        "--out {output:q} &> {log:q}"


rule train_vectors:
    """Train GloVe on the training split."""
    input:
        dialogues=RESULTS / "dialogues/{corpus}/dialogues.parquet",
        tokens=RESULTS / "examples/{corpus}/tokens.parquet",
    output:
        RESULTS / "vectors/{corpus}/native.parquet",
    log:
        LOGS / "vectors/{corpus}/native.log",
    benchmark:
        BENCHMARKS / "vectors/{corpus}/native.tsv"
    threads: 2
    resources:
        mem_mb=attempts_of(4_000),
        runtime=240,
    params:
        settings=lambda wildcards: config_of(wildcards.corpus).embeddings.training.model_dump_json(),
        tokeniser=tokeniser_of,
        code=with_tokeniser("train_vectors"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/train_vectors.py --dialogues {input.dialogues:q} --tokens {input.tokens:q} "
        "--settings {params.settings:q} --tokeniser {params.tokeniser:q} --out {output:q} &> {log:q}"


rule train_vectors_with_package:
    """Train GloVe on the training split by glove-python-binary, in an environment of its own (Python 3.6-3.8)."""
    input:
        dialogues=RESULTS / "dialogues/{corpus}/dialogues.parquet",
        tokens=RESULTS / "examples/{corpus}/tokens.parquet",
    output:
        RESULTS / "vectors/{corpus}/package.parquet",
    log:
        LOGS / "vectors/{corpus}/package.log",
    benchmark:
        BENCHMARKS / "vectors/{corpus}/package.tsv"
    threads: 2
    resources:
        mem_mb=attempts_of(4_000),
        runtime=240,
    params:
        settings=lambda wildcards: config_of(wildcards.corpus).embeddings.training.model_dump_json(),
        tokeniser=tokeniser_of,
        code=with_tokeniser("train_vectors_with_package"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/train_vectors_with_package.py --dialogues {input.dialogues:q} --tokens {input.tokens:q} "
        "--settings {params.settings:q} --tokeniser {params.tokeniser:q} --environment .venv-glove --out {output:q} &> {log:q}"


def keeps_unknown(wildcards):
    return config_of(wildcards.corpus).filtering.unknown == "keep"


def counts_if_kept(wildcards):
    """Return the counts of tokens by which those are known again that filtering kept beside others."""
    return [RESULTS / f"examples/{wildcards.corpus}/tokens.parquet"] if keeps_unknown(wildcards) else []


def filtering_if_kept(wildcards):
    return config_of(wildcards.corpus).filtering.model_dump_json() if keeps_unknown(wildcards) else "{}"


rule build_vocabulary:
    """Number the tokens of the filtered training split and join their embeddings, if the corpus has word vectors."""
    input:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        tokens=counts_if_kept,
        vectors=vectors_if_any,
    output:
        RESULTS / "vocabulary/{corpus}/words.parquet",
    log:
        LOGS / "vocabulary/{corpus}/words.log",
    resources:
        mem_mb=attempts_of(2_000),
    params:
        settings=filtering_if_kept,
        code=code_of("build_vocabulary"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/build_vocabulary.py --train {input.train:q} --tokens {input.tokens:q} "
        "--vectors {input.vectors:q} --settings {params.settings:q} --out {output:q} &> {log:q}"


rule list_pieces:
    """List the word pieces of a corpus's systems, from the file that `units.pieces` names."""
    input:
        lambda wildcards: config_of(wildcards.corpus).units.pieces,
    output:
        RESULTS / "vocabulary/{corpus}/pieces.txt",
    log:
        LOGS / "vocabulary/{corpus}/pieces.log",
    params:
        code=code_of("list_pieces"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/list_pieces.py --pieces {input:q} --out {output:q} &> {log:q}"
