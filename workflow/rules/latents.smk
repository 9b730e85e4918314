# What the latent variables of trained systems hold.


rule measure_latent_distances:
    """Cosine of [c; z] within groups and between them, over the first batches of training."""
    input:
        model=RESULTS / "models/{corpus}/{system}/seed{seed}/model.safetensors",
        summary=RESULTS / "models/{corpus}/{system}/seed{seed}/summary.json",
        vocabulary=RESULTS / "vocabulary/{corpus}/vocabulary.parquet",
        train=RESULTS / "encoded/{corpus}/train.arrow",
        clusters=clusters_of,
    output:
        RESULTS / "latents/{corpus}/{system}/seed{seed}/distances.parquet",
    log:
        LOGS / "latents/{corpus}/{system}/seed{seed}/distances.log",
    benchmark:
        BENCHMARKS / "latents/{corpus}/{system}/seed{seed}/distances.tsv"
    wildcard_constraints:
        system=one_of(TRAINABLE),
    threads: 1
    resources:
        mem_mb=attempts_of(4_000),
        runtime=120,
        gpu=1,
    params:
        settings=how_to_draw("latent_distances"),
        training=lambda wildcards: CONFIG.training_of(wildcards.corpus, wildcards.system).model_dump_json(),
        code=lambda wildcards: code_of("measure_latent_distances", module_of(wildcards.system)),
    shell:
        "python $SCRIPTS/measure_latent_distances.py --model {input.model:q} --summary {input.summary:q} "
        "--vocabulary {input.vocabulary:q} --train {input.train:q} --clusters {input.clusters:q} "
        "--settings {params.settings:q} --training {params.training:q} --seed {wildcards.seed} --out {output:q} "
        "&> {log:q}"


rule encode_latents:
    """Group and posterior mean of z of every example of a split."""
    input:
        model=RESULTS / "models/{corpus}/{system}/seed{seed}/model.safetensors",
        vocabulary=RESULTS / "vocabulary/{corpus}/vocabulary.parquet",
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        clusters=clusters_of,
    output:
        RESULTS / "latents/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "latents/{corpus}/{system}/seed{seed}/{split}.log",
    benchmark:
        BENCHMARKS / "latents/{corpus}/{system}/seed{seed}/{split}.tsv"
    wildcard_constraints:
        system=one_of(TRAINABLE),
    threads: 1
    resources:
        mem_mb=attempts_of(4_000),
        runtime=120,
        gpu=1,
    params:
        device=lambda wildcards: CONFIG.training_of(wildcards.corpus, wildcards.system).device,
        code=lambda wildcards: code_of("encode_latents", module_of(wildcards.system)),
    shell:
        "python $SCRIPTS/encode_latents.py --model {input.model:q} --vocabulary {input.vocabulary:q} "
        "--examples {input.examples:q} --clusters {input.clusters:q} --device {params.device} --seed {wildcards.seed} "
        "--out {output:q} &> {log:q}"
