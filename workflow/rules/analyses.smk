# What is computed beside the scores: from a trained system, from a corpus, or from the runs on generated corpora.

OF_CORPORA = [name for name in CONFIG.analyses if needs_of(CONFIG, name).of_corpus]
OF_SYSTEMS = [name for name in CONFIG.analyses if name not in [*OF_CORPORA, *SWEEP_POINTS]]


def options_of_analysis(wildcards):
    """Return an analysis's options as JSON; a function, since Snakemake takes braces in a plain text for wildcards."""
    return json.dumps(CONFIG.analyses[wildcards.analysis].options)


def module_of_analysis(wildcards):
    return module_of_kind(ANALYSES, CONFIG.analyses[wildcards.analysis].kind)


def system_of_analysis(wildcards):
    """Return the trained model that an analysis is about; one that it cannot read is an error before anything runs."""
    try:
        check_analysed(CONFIG, partial(place_of, LAYERS), wildcards.analysis, wildcards.system)
    except PipelineError as error:
        raise WorkflowError(str(error)) from None
    return model_of(wildcards)


def continued_by(wildcards):
    """Return the analysis that another one continues, if it does."""
    path = RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet"
    other = CONFIG.analyses[wildcards.analysis].of
    return expand(path, analysis=other, allow_missing=True) if other else []


def examples_of_analysis(wildcards):
    """Return the examples that an analysis reads; of another corpus all of them, as they were tokenised."""
    other = CONFIG.analyses[wildcards.analysis].corpus
    folder = f"examples/{other}" if other else f"filtered/{wildcards.corpus}"
    return expand(RESULTS / f"{folder}/{{split}}.parquet", split=SPLITS)


def source_of_analysis(wildcards):
    """Return the corpus that the examples of an analysis are of, as JSON."""
    corpus = CONFIG.analyses[wildcards.analysis].corpus or wildcards.corpus
    return CONFIG.sources[corpus].content().model_dump_json()


def judge_of(wildcards):
    """Return model and vocabulary of the further trained system that an analysis reads, if it does."""
    judge = CONFIG.analyses[wildcards.analysis].judge
    if judge is None:
        return []
    units = VOCABULARIES[CONFIG.units_of(wildcards.corpus, judge.system)]
    return [
        trained_file(wildcards.corpus, judge.system, judge.seed),
        RESULTS / f"vocabulary/{wildcards.corpus}/{units}",
    ]


def responds(wildcards):
    return needs_of(CONFIG, wildcards.analysis).decodes


def decoding_of_analysis(wildcards):
    """Return the decoding of an analysis in which the system responds to contexts: the one of its other tables."""
    return [decoding_of(wildcards)] if responds(wildcards) else []


def code_of_analysis(wildcards):
    """Return the fingerprint of an analysis with the system that it is about, and the one that it reads beside it."""
    judge = CONFIG.analyses[wildcards.analysis].judge
    systems = [wildcards.system, *([judge.system] if judge else [])]
    modules = [module for system in systems for module in modules_of_system(wildcards.corpus, system)]
    modules += [module_of_analysis(wildcards), *([module_of_strategy(wildcards)] if responds(wildcards) else [])]
    return code_of("analyse_system", *dict.fromkeys(modules))


rule analyse_system:
    """Run an analysis of one trained system, whatever its kind."""
    input:
        model=system_of_analysis,
        summary=summary_of,
        vocabulary=vocabulary_of,
        encoded=encoded(*SPLITS),
        examples=examples_of_analysis,
        side_tables=side_tables_of,
        continued=continued_by,
        judge=judge_of,
    output:
        RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet",
    log:
        LOGS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.log",
    benchmark:
        BENCHMARKS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.tsv"
    wildcard_constraints:
        system=one_of(TRAINED),
        analysis=one_of(OF_SYSTEMS),
    threads: 1
    resources:
        mem_mb=attempts_of(4_000),
        runtime=120,
        gpu=1,
    params:
        kind=lambda wildcards: CONFIG.analyses[wildcards.analysis].kind,
        options=options_of_analysis,
        reads=reads_of,
        training=training_of,
        decoding=decoding_of_analysis,
        source=source_of_analysis,
        code=code_of_analysis,
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/analyse_system.py --kind {params.kind} --options {params.options:q} --model {input.model:q} "
        "--summary {input.summary:q} --vocabulary {input.vocabulary:q} --encoded {input.encoded:q} "
        "--examples {input.examples:q} --reads {params.reads:q} --continued {input.continued:q} --judge {input.judge:q} --decoding {params.decoding:q} --source {params.source:q} --training {params.training:q} "
        "--seed {wildcards.seed} --out {output:q} &> {log:q}"


rule find_contradictions:
    """Find training contexts with contradictory responses, and the contexts nearest to them in the other splits."""
    input:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        validation=RESULTS / "filtered/{corpus}/validation.parquet",
        test=RESULTS / "filtered/{corpus}/test.parquet",
        vectors=vectors_of,
    output:
        RESULTS / "analyses/{corpus}/{analysis}.parquet",
    log:
        LOGS / "analyses/{corpus}/{analysis}.log",
    benchmark:
        BENCHMARKS / "analyses/{corpus}/{analysis}.tsv"
    wildcard_constraints:
        analysis=one_of(OF_CORPORA),
    resources:
        mem_mb=attempts_of(4_000),
    params:
        options=options_of_analysis,
        tokeniser=tokeniser_of,
        code=with_tokeniser("find_contradictions"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/find_contradictions.py --train {input.train:q} --validation {input.validation:q} "
        "--test {input.test:q} --vectors {input.vectors:q} --options {params.options:q} --tokeniser {params.tokeniser:q} --out {output:q} "
        "&> {log:q}"


# --- what one-to-many and many-to-one data do to each system, on generated corpora ---


def swept_systems(sweep):
    """List the systems of a sweep, after its reference rows."""
    return [*(name for name in GUIDES if name in BASELINES), *CONFIG.sweeps[sweep].systems]


def with_groups(systems):
    """List the systems that have groups of their own: they are given clusters, or told how many groups to form."""
    trained = [name for name in systems if name in TRAINED]
    return [name for name in trained if "group" in SYSTEMS[name].reads or "groups" in SYSTEMS[name].options]


def swept(path, chosen=list):
    """Expand ``path`` for every run of one point of a sweep; ``chosen`` picks from its systems."""

    def files(wildcards):
        systems, seeds = swept_systems(wildcards.analysis), CONFIG.sweeps[wildcards.analysis].seeds
        continued = CONFIG.analyses[wildcards.analysis].of
        return expand(path, corpus=wildcards.corpus, system=chosen(systems), seed=seeds, analysis=continued)

    return files


rule collect_sweep:
    """Collect the results of each swept system on one generated corpus, and how one-to-many that corpus truly is."""
    input:
        scores=swept(RESULTS / "scores/{corpus}/{system}/seed{seed}/test.parquet"),
        per_item=swept(RESULTS / "items/{corpus}/{system}/seed{seed}/test.parquet"),
        latents=swept(RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet", with_groups),
        counts=RESULTS / "filtered/{corpus}/counts.json",
    output:
        RESULTS / "analyses/{corpus}/{analysis}.parquet",
    log:
        LOGS / "analyses/{corpus}/{analysis}.log",
    wildcard_constraints:
        analysis=one_of(SWEEP_POINTS),
        corpus=one_of(point.corpus for points in SWEEP_POINTS.values() for point in points),
    params:
        expect=swept("{corpus}/test/{system}/{seed}"),
        grouped=lambda wildcards: with_groups(swept_systems(wildcards.analysis)),
        code=code_of("collect_sweep"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/collect_sweep.py --scores {input.scores:q} --expect {params.expect:q} "
        "--per-item {input.per_item:q} --grouped {params.grouped:q} --latents {input.latents:q} "
        "--counts {input.counts:q} --out {output:q} &> {log:q}"
