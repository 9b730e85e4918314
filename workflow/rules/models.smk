# Training jobs: one per corpus, system and seed.


rule encode_examples:
    """The training split as token ids, which every training job of the corpus maps into memory."""
    input:
        examples=RESULTS / "filtered/{corpus}/train.parquet",
        vocabulary=RESULTS / "vocabulary/{corpus}/vocabulary.parquet",
    output:
        RESULTS / "encoded/{corpus}/train.arrow",
    log:
        LOGS / "encoded/{corpus}.log",
    benchmark:
        BENCHMARKS / "encoded/{corpus}.tsv"
    resources:
        mem_mb=attempts_of(2_000),
    params:
        code=code_of("encode_examples"),
    shell:
        "python $SCRIPTS/encode_examples.py --examples {input.examples:q} --vocabulary {input.vocabulary:q} --out {output:q} "
        "&> {log:q}"


rule train_model:
    """Train one system with one seed; the weights of the best validation are kept."""
    input:
        train=RESULTS / "encoded/{corpus}/train.arrow",
        validation=RESULTS / "filtered/{corpus}/validation.parquet",
        vocabulary=RESULTS / "vocabulary/{corpus}/vocabulary.parquet",
        clusters=clusters_of,
        start=start_of,
    output:
        model=RESULTS / "models/{corpus}/{system}/seed{seed}/model.safetensors",
        history=RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl",
        summary=RESULTS / "models/{corpus}/{system}/seed{seed}/summary.json",
    log:
        LOGS / "models/{corpus}/{system}/seed{seed}.log",
    benchmark:
        BENCHMARKS / "models/{corpus}/{system}/seed{seed}.tsv"
    wildcard_constraints:
        system=one_of(TRAINABLE),
    threads: 1
    resources:
        mem_mb=attempts_of(6_000),
        runtime=24 * 60,
        gpu=1,  # over all nodes; several, or several nodes: a process for each, and they share every batch
        nodes=1,
    params:
        description=description_of,
        settings=lambda wildcards: CONFIG.training_of(wildcards.corpus, wildcards.system).model_dump_json(),
        code=lambda wildcards: code_of("train_model", module_of(wildcards.system)),
        device=lambda wildcards: CONFIG.training_of(wildcards.corpus, wildcards.system).device,
        state=RESULTS / ".state",
        tensorboard=tensorboard_of,
    shell:
        "python -m pipeline_lib.compute.launch --gpu {resources.gpu} --nodes {resources.nodes} --threads {threads} "
        "--device {params.device} "
        "$SCRIPTS/train_model.py --train {input.train:q} --validation {input.validation:q} "
        "--vocabulary {input.vocabulary:q} --clusters {input.clusters:q} --starts-from {input.start:q} "
        "--description {params.description:q} "
        "--settings {params.settings:q} --seed {wildcards.seed} --code {params.code} "
        "--state {params.state:q} --tensorboard {params.tensorboard:q} "
        "--model {output.model:q} --history {output.history:q} --summary {output.summary:q} &> {log:q}"
