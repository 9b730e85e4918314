# Responses of every system to the contexts of a split.


def decoding_of(wildcards):
    return CONFIG.decoding_of(wildcards.corpus, wildcards.system).model_dump_json()


def samples_of(wildcards):
    """Return how many responses a reference row gives to each context: as many as the systems of the run."""
    return CONFIG.for_corpus(wildcards.corpus).decoding.samples


def module_of_strategy(wildcards):
    return module_of_kind("pipeline_lib.decoding", CONFIG.decoding_of(wildcards.corpus, wildcards.system).kind)


def module_of_function(system):
    return SYSTEMS[system].function.rpartition(".")[0]


def external_file(wildcards):
    """Return the file of responses; one that neither exists nor was read before is an error."""
    read = RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet".format(**wildcards)
    if not FILES_MAY_COME and not read.exists():
        try:
            check_responses(CONFIG, LAYERS, wildcards.system, wildcards.corpus, wildcards.split)
        except PipelineError as error:
            raise WorkflowError(str(error)) from None
    return SYSTEMS[wildcards.system].responses_to(wildcards.corpus, wildcards.split)


rule generate_responses:
    """Answer every context with a trained system, and score the references under it."""
    input:
        model=model_of,
        vocabulary=vocabulary_of,
        encoded=encoded(),
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        side_tables=side_tables_of,
    output:
        RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "responses/{corpus}/{system}/seed{seed}/{split}.log",
    benchmark:
        BENCHMARKS / "responses/{corpus}/{system}/seed{seed}/{split}.tsv"
    wildcard_constraints:
        system=one_of(TRAINED),
    threads: 1
    resources:
        mem_mb=attempts_of(4_000),
        runtime=120,
        gpu=1,
    params:
        settings=decoding_of,
        reads=reads_of,
        device=device_of,
        code=code_of_system("generate_responses", module_of_strategy),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/generate_responses.py --model {input.model:q} --vocabulary {input.vocabulary:q} "
        "--encoded {input.encoded:q} --examples {input.examples:q} --reads {params.reads:q} --split {wildcards.split} "
        "--settings {params.settings:q} --device {params.device} --seed {wildcards.seed} --out {output:q} &> {log:q}"


rule generate_baseline:
    """Make the rows without a model: the references (a ceiling), and random, constant or copied texts (floors)."""
    input:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
    output:
        RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "responses/{corpus}/{system}/seed{seed}/{split}.log",
    wildcard_constraints:
        system=one_of(BASELINES),
    params:
        kind=lambda wildcards: SYSTEMS[wildcards.system].baseline,
        samples=samples_of,
        code=code_of("generate_baseline"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/generate_baseline.py --kind {params.kind} --train {input.train:q} --examples {input.examples:q} "
        "--samples {params.samples:q} --seed {wildcards.seed} --out {output:q} &> {log:q}"


def examples_of_known(wildcards):
    """Return the examples of a split; without a distribution that is known, an error before anything runs."""
    try:
        check_exact_row(CONFIG, partial(place_of, LAYERS), wildcards.system, wildcards.corpus)
    except PipelineError as error:
        raise WorkflowError(str(error)) from None
    return RESULTS / "filtered/{corpus}/{split}.parquet".format(**wildcards)


rule generate_exact:
    """Make the reference rows of generated corpora: likelihoods under the distribution that they were drawn from."""
    input:
        examples_of_known,
    output:
        RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "responses/{corpus}/{system}/seed{seed}/{split}.log",
    wildcard_constraints:
        system=one_of(EXACT),
    params:
        kind=lambda wildcards: SYSTEMS[wildcards.system].baseline,
        source=lambda wildcards: CONFIG.sources[wildcards.corpus].content().model_dump_json(),
        code=code_of("generate_exact"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/generate_exact.py --kind {params.kind} --source {params.source:q} --examples {input:q} "
        "--split {wildcards.split} --out {output:q} &> {log:q}"


rule generate_oracle:
    """Answer as one who knows the distribution of a generated corpus: with draws, with the likeliest, as a stranger."""
    input:
        examples_of_known,
    output:
        RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "responses/{corpus}/{system}/seed{seed}/{split}.log",
    wildcard_constraints:
        system=one_of(ORACLES),
    params:
        kind=lambda wildcards: SYSTEMS[wildcards.system].baseline,
        source=lambda wildcards: CONFIG.sources[wildcards.corpus].content().model_dump_json(),
        samples=samples_of,
        code=code_of("generate_oracle"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/generate_oracle.py --kind {params.kind} --source {params.source:q} --examples {input:q} --samples {params.samples:q} "
        "--seed {wildcards.seed} --out {output:q} &> {log:q}"


rule call_function:
    """Call a system that is one function: no training, no likelihood."""
    input:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
        vectors=vectors_of,
    output:
        RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "responses/{corpus}/{system}/seed{seed}/{split}.log",
    benchmark:
        BENCHMARKS / "responses/{corpus}/{system}/seed{seed}/{split}.tsv"
    wildcard_constraints:
        system=one_of(FUNCTIONS),
    resources:
        mem_mb=attempts_of(4_000),
    params:
        function=lambda wildcards: SYSTEMS[wildcards.system].function,
        options=lambda wildcards: json.dumps(SYSTEMS[wildcards.system].options),
        tokeniser=tokeniser_of,
        code=with_tokeniser("call_function", lambda wildcards: [module_of_function(wildcards.system)]),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/call_function.py --function {params.function} --options {params.options:q} "
        "--train {input.train:q} --examples {input.examples:q} --vectors {input.vectors:q} "
        "--tokeniser {params.tokeniser:q} --seed {wildcards.seed} --out {output:q} &> {log:q}"


rule read_external_responses:
    """Read the responses of a system that was not trained here."""
    input:
        responses=external_file,
        examples=RESULTS / "filtered/{corpus}/{split}.parquet",
    output:
        RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
    log:
        LOGS / "responses/{corpus}/{system}/seed{seed}/{split}.log",
    wildcard_constraints:
        system=one_of(EXTERNAL),
    params:
        tokeniser=tokeniser_of,
        code=with_tokeniser("read_external_responses"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/read_external_responses.py --responses {input.responses:q} --examples {input.examples:q} "
        "--tokeniser {params.tokeniser:q} --out {output:q} &> {log:q}"
