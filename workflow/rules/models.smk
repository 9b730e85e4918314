# Training jobs: one per corpus, system and seed.


def description_of(wildcards):
    """Return what the network is built from (pipeline_lib.config.layout.Description), as JSON."""
    return CONFIG.description(wildcards.corpus, wildcards.system).model_dump_json()


def training_of(wildcards):
    return CONFIG.training_of(wildcards.corpus, wildcards.system).model_dump_json()


def device_of(wildcards):
    return CONFIG.training_of(wildcards.corpus, wildcards.system).device


def tensorboard_of(wildcards):
    return LOGS / f"tensorboard/{wildcards.corpus}/{wildcards.system}/seed{wildcards.seed}"


def trained_file(corpus, system, seed, file="model.safetensors"):
    """Return a file of the training of a system; systems that differ in their decoding alone share one training."""
    return RESULTS / f"models/{corpus}/{CONFIG.trained_as(corpus, system)}/seed{seed}/{file}"


def model_of(wildcards):
    return trained_file(wildcards.corpus, wildcards.system, wildcards.seed)


def summary_of(wildcards):
    return trained_file(wildcards.corpus, wildcards.system, wildcards.seed, "summary.json")


def start_of(wildcards):
    """Return the trained model whose weights a system begins with, of the same corpus and seed.

    A system that is still to be trained and lacks a package is an error before anything runs.
    """
    trained = RESULTS / "models/{corpus}/{system}/seed{seed}/model.safetensors".format(**wildcards)
    if not (workflow.dryrun or trained.exists()):
        try:
            check_package(CONFIG, LAYERS, wildcards.system)
        except PipelineError as error:
            raise WorkflowError(str(error)) from None
    first = SYSTEMS[wildcards.system].starts_from
    return [trained_file(wildcards.corpus, first, wildcards.seed)] if first else []


rule train_model:
    """Train one system with one seed; the weights of the best validation are kept."""
    input:
        train=encoded("train"),
        validation=encoded("validation"),
        vocabulary=vocabulary_of,
        side_tables=side_tables_of,
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
        system=one_of(TRAINED),
    threads: 1
    resources:
        mem_mb=attempts_of(6_000),
        runtime=24 * 60,
        gpu=1,  # over all nodes; several, or several nodes: a process for each, and they share every batch
        nodes=1,
    params:
        description=description_of,
        reads=reads_of,
        settings=training_of,
        code=code_of_system("train_model"),
        device=device_of,
        state=RESULTS / ".state",
        tensorboard=tensorboard_of,
    shell:
        "PIPELINE_PLAN={params.plan:q} python -m pipeline_lib.compute.launch --gpu {resources.gpu} --nodes {resources.nodes} --threads {threads} "
        "--device {params.device} "
        "$SCRIPTS/train_model.py --train {input.train:q} --validation {input.validation:q} "
        "--vocabulary {input.vocabulary:q} --reads {params.reads:q} --starts-from {input.start:q} "
        "--description {params.description:q} "
        "--settings {params.settings:q} --seed {wildcards.seed} --code {params.code} "
        "--state {params.state:q} --tensorboard {params.tensorboard:q} "
        "--model {output.model:q} --history {output.history:q} --summary {output.summary:q} &> {log:q}"
