# Examples: the windows of dialogues, those that known tokens and length limits leave, and their token ids.


def division_of(wildcards):
    """Return the argument that tells how windows are divided among the splits; none: with their dialogues."""
    division = CONFIG.sources[wildcards.corpus].division
    return [] if division is None else ["--division", division.model_dump_json()]


rule extract_examples:
    """Cut every dialogue into tokenised windows (T-1 single-turn examples of T turns), and count the tokens."""
    input:
        RESULTS / "dialogues/{corpus}/dialogues.parquet",
    output:
        train=RESULTS / "examples/{corpus}/train.parquet",
        validation=RESULTS / "examples/{corpus}/validation.parquet",
        test=RESULTS / "examples/{corpus}/test.parquet",
        tokens=RESULTS / "examples/{corpus}/tokens.parquet",
        report=RESULTS / "examples/{corpus}/report.json",
    log:
        LOGS / "examples/{corpus}.log",
    benchmark:
        BENCHMARKS / "examples/{corpus}.tsv"
    threads: 2
    resources:
        mem_mb=attempts_of(2_000),
    params:
        window=lambda wildcards: CONFIG.sources[wildcards.corpus].window.model_dump_json(),
        tokeniser=tokeniser_of,
        division=division_of,
        of_pairs=lambda wildcards: ["--of-pairs", "1"] if CONFIG.sources[wildcards.corpus].of_pairs else [],
        code=with_tokeniser("extract_examples"),
    shell:
        "PIPELINE_PLAN={params.plan:q} PIPELINE_SCREEN=3 python $SCRIPTS/extract_examples.py --dialogues {input:q} --window {params.window:q} "
        "--tokeniser {params.tokeniser:q} {params.division:q} {params.of_pairs:q} --out-train {output.train:q} "
        "--out-validation {output.validation:q} --out-test {output.test:q} --tokens {output.tokens:q} --report {output.report:q} 3>&2 &> {log:q}"


rule filter_examples:
    """Keep the examples whose tokens are known and whose lengths fit, by the configured policy."""
    input:
        train=RESULTS / "examples/{corpus}/train.parquet",
        validation=RESULTS / "examples/{corpus}/validation.parquet",
        test=RESULTS / "examples/{corpus}/test.parquet",
        tokens=RESULTS / "examples/{corpus}/tokens.parquet",
        windows=RESULTS / "examples/{corpus}/report.json",
        vectors=vectors_of_filter,
    output:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        validation=RESULTS / "filtered/{corpus}/validation.parquet",
        test=RESULTS / "filtered/{corpus}/test.parquet",
        report=RESULTS / "filtered/{corpus}/report.json",
    log:
        LOGS / "filtered/{corpus}.log",
    benchmark:
        BENCHMARKS / "filtered/{corpus}.tsv"
    threads: 2
    resources:
        mem_mb=attempts_of(2_000),
    params:
        settings=settings("filtering"),
        code=code_of("filter_examples"),
    shell:
        "PIPELINE_PLAN={params.plan:q} PIPELINE_SCREEN=3 python $SCRIPTS/filter_examples.py --train {input.train:q} --validation {input.validation:q} "
        "--test {input.test:q} --tokens {input.tokens:q} --windows {input.windows:q} "
        "--vectors {input.vectors:q} --settings {params.settings:q} "
        "--out-train {output.train:q} --out-validation {output.validation:q} --out-test {output.test:q} "
        "--report {output.report:q} 3>&2 &> {log:q}"


rule select_unseen:
    """Keep the held-out examples whose texts no training example has word for word."""
    input:
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        train=RESULTS / "filtered/{corpus}/train.parquet",
    output:
        RESULTS / "filtered/{corpus}/{split}_{part}.parquet",
    log:
        LOGS / "unseen/{corpus}/{split}_{part}.log",
    wildcard_constraints:
        split=one_of(HELD_OUT),
        part="unseen_pairs|unseen_contexts",
    threads: 2
    resources:
        mem_mb=attempts_of(4_000),
    params:
        code=code_of("select_unseen"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/select_unseen.py --examples {input.examples:q} --train {input.train:q} "
        "--part {wildcards.part:q} --out {output:q} &> {log:q}"


rule select_unknown_users:
    """Keep the held-out examples whose responder says too little in training to be known."""
    input:
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        users=RESULTS / "users/{corpus}/responding.parquet",
    output:
        RESULTS / "filtered/{corpus}/{split}_unknown_users.parquet",
    log:
        LOGS / "unknown_users/{corpus}/{split}.log",
    wildcard_constraints:
        split=one_of(HELD_OUT),
    params:
        code=code_of("select_unknown_users"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/select_unknown_users.py --examples {input.examples:q} --users {input.users:q} "
        "--out {output:q} &> {log:q}"


rule count_examples:
    """Count vocabulary, examples, one-to-many and many-to-one cases and their maxima in every split (Table 1)."""
    input:
        examples=expand(RESULTS / "filtered/{{corpus}}/{split}.parquet", split=SPLITS),
        vocabulary=RESULTS / "vocabulary/{corpus}/words.parquet",
        report=RESULTS / "filtered/{corpus}/report.json",
    output:
        RESULTS / "filtered/{corpus}/counts.json",
    log:
        LOGS / "counts/{corpus}.log",
    benchmark:
        BENCHMARKS / "counts/{corpus}.tsv"
    threads: 2
    resources:
        mem_mb=attempts_of(4_000),
    params:
        code=code_of("count_examples"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/count_examples.py --corpus {wildcards.corpus} --examples {input.examples:q} "
        "--vocabulary {input.vocabulary:q} --report {input.report:q} --out {output:q} &> {log:q}"


rule encode_examples:
    """Encode a split as token ids, which every job that reads it maps into memory."""
    input:
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        vocabulary=lambda wildcards: RESULTS / f"vocabulary/{wildcards.corpus}/{VOCABULARIES[wildcards.units]}",
    output:
        RESULTS / "encoded/{corpus}/{units}/{split}.arrow",
    log:
        LOGS / "encoded/{corpus}/{units}/{split}.log",
    benchmark:
        BENCHMARKS / "encoded/{corpus}/{units}/{split}.tsv"
    resources:
        mem_mb=attempts_of(2_000),
    params:
        code=lambda wildcards: code_of("encode_examples", module_of_units(wildcards.units)),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/encode_examples.py --examples {input.examples:q} --vocabulary {input.vocabulary:q} --out {output:q} "
        "&> {log:q}"


rule read_references:
    """Read further references to the contexts of a split from a file of the user."""
    input:
        references=lambda wildcards: CONFIG.sources[wildcards.corpus].references[wildcards.split],
        examples=RESULTS / "examples/{corpus}/{split}.parquet",
    output:
        RESULTS / "references/{corpus}/{split}.parquet",
    log:
        LOGS / "references/{corpus}/{split}.log",
    params:
        tokeniser=tokeniser_of,
        code=with_tokeniser("read_references"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/read_references.py --references {input.references:q} --examples {input.examples:q} "
        "--tokeniser {params.tokeniser:q} --out {output:q} &> {log:q}"


rule list_cluster_references:
    """List the other paraphrases of the cluster of each example, which metrics of clusters take for references."""
    input:
        RESULTS / "examples/{corpus}/{split}.parquet",
    output:
        RESULTS / "references/{corpus}/clusters/{split}.parquet",
    log:
        LOGS / "references/{corpus}/clusters/{split}.log",
    params:
        code=code_of("list_cluster_references"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/list_cluster_references.py --examples {input:q} --out {output:q} "
        "&> {log:q}"


rule list_users:
    """Number the users who respond, by what they say in training, and mark the turns of a context that are theirs."""
    input:
        dialogues=RESULTS / "dialogues/{corpus}/dialogues.parquet",
        train=RESULTS / "filtered/{corpus}/train.parquet",
        validation=RESULTS / "filtered/{corpus}/validation.parquet",
        test=RESULTS / "filtered/{corpus}/test.parquet",
    output:
        RESULTS / "users/{corpus}/responding.parquet",
    log:
        LOGS / "users/{corpus}.log",
    resources:
        mem_mb=attempts_of(4_000),
    params:
        turns=lambda wildcards: CONFIG.sources[wildcards.corpus].window.context,
        settings=settings("users"),
        code=code_of("list_users"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/list_users.py --dialogues {input.dialogues:q} --train {input.train:q} "
        "--validation {input.validation:q} --test {input.test:q} --turns {params.turns:q} --settings {params.settings:q} "
        "--out {output:q} &> {log:q}"


rule list_user_words:
    """List the words that tell each user best from the others."""
    input:
        users=RESULTS / "users/{corpus}/responding.parquet",
        train=RESULTS / "filtered/{corpus}/train.parquet",
        vocabulary=RESULTS / "vocabulary/{corpus}/words.parquet",
    output:
        RESULTS / "users/{corpus}/words.parquet",
    log:
        LOGS / "users/{corpus}_words.log",
    resources:
        mem_mb=attempts_of(4_000),
    params:
        code=code_of("list_user_words"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/list_user_words.py --users {input.users:q} --train {input.train:q} "
        "--vocabulary {input.vocabulary:q} --out {output:q} &> {log:q}"
