# Figures, each as SVG and PNG with the values that were drawn: a rule for each sort of input, whatever the kind.

SWEPT = {name: spec.of for name, spec in CONFIG.figures.items() if spec.of in SWEEP_POINTS}
OF_RUNS = [name for name, spec in CONFIG.figures.items() if spec.of and spec.kind in kinds_of(FIGURES, "plot_runs")]
OF_ANALYSES = [name for name, spec in CONFIG.figures.items() if spec.of is not None and name not in [*SWEPT, *OF_RUNS]]
OF_HISTORIES = [name for name, spec in CONFIG.figures.items() if spec.of is None and spec.kind == "histories"]
ALONE = [name for name in CONFIG.figures if name not in [*SWEPT, *OF_RUNS, *OF_ANALYSES, *OF_HISTORIES]]


def drawn(path, corpus, **places):
    """Return the picture of a figure, in Snakemake's report with the caption that the paper declares."""

    def labels(wildcards):
        spec = CONFIG.figures[wildcards.figure]
        name = getattr(wildcards, "system", f"{spec.number}. {spec.title}" if spec.number else spec.title)
        return {"figure": name, "corpus": getattr(wildcards, "corpus", corpus)}

    return report(
        RESULTS / f"figures/{path}.svg",
        caption="../report/figure.rst",
        category="Figures",
        labels=labels,
        **places,
    )


def systems_drawn(wildcards):
    return CONFIG.systems_drawn(wildcards.figure)


def labels_drawn(wildcards):
    return [SYSTEMS[system].label for system in systems_drawn(wildcards)]


def options_of_figure(wildcards):
    return json.dumps(CONFIG.figures[wildcards.figure].options)


def caption_of_figure(wildcards):
    return CONFIG.figures[wildcards.figure].caption


def code_of_figure(script):
    return lambda wildcards: code_of(script, module_of_kind(FIGURES, CONFIG.figures[wildcards.figure].kind))


rule plot_analyses:
    """Draw the figure of an analysis of several systems, of the runs with the first seed."""
    input:
        lambda wildcards: expand(
            RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet",
            corpus=wildcards.corpus,
            system=systems_drawn(wildcards),
            seed=CONFIG.seeds[0],
            analysis=CONFIG.figures[wildcards.figure].of,
        ),
    output:
        svg=drawn("{corpus}/{figure}", "{corpus}"),
        png=RESULTS / "figures/{corpus}/{figure}.png",
        csv=RESULTS / "figures/{corpus}/{figure}.csv",
    log:
        LOGS / "figures/{corpus}/{figure}.log",
    benchmark:
        BENCHMARKS / "figures/{corpus}/{figure}.tsv"
    wildcard_constraints:
        figure=one_of(OF_ANALYSES),
    threads: 1
    resources:
        mem_mb=attempts_of(2_000),
    params:
        kind=lambda wildcards: CONFIG.figures[wildcards.figure].kind,
        options=options_of_figure,
        systems=systems_drawn,
        labels=labels_drawn,
        caption=caption_of_figure,
        code=code_of_figure("plot_analyses"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/plot_analyses.py --kind {params.kind} --options {params.options:q} "
        "--systems {params.systems:q} --labels {params.labels:q} --files {input:q} --svg {output.svg:q} "
        "--png {output.png:q} --csv {output.csv:q} &> {log:q}"


rule plot_runs:
    """Draw the figure of an analysis of all runs of several systems."""
    input:
        lambda wildcards: expand(
            RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet",
            corpus=wildcards.corpus,
            system=systems_drawn(wildcards),
            seed=CONFIG.seeds,
            analysis=CONFIG.figures[wildcards.figure].of,
        ),
    output:
        svg=drawn("{corpus}/{figure}", "{corpus}"),
        png=RESULTS / "figures/{corpus}/{figure}.png",
        csv=RESULTS / "figures/{corpus}/{figure}.csv",
    log:
        LOGS / "figures/{corpus}/{figure}.log",
    wildcard_constraints:
        figure=one_of(OF_RUNS),
    params:
        kind=lambda wildcards: CONFIG.figures[wildcards.figure].kind,
        options=options_of_figure,
        systems=systems_drawn,
        labels=labels_drawn,
        seeds=CONFIG.seeds,
        caption=caption_of_figure,
        code=code_of_figure("plot_runs"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/plot_runs.py --kind {params.kind} --options {params.options:q} "
        "--systems {params.systems:q} --labels {params.labels:q} --seeds {params.seeds:q} --files {input:q} --svg {output.svg:q} "
        "--png {output.png:q} --csv {output.csv:q} &> {log:q}"


rule plot_histories:
    """Draw what the training jobs of several systems recorded, averaged over their runs."""
    input:
        lambda wildcards: expand(
            RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl",
            corpus=wildcards.corpus,
            system=systems_drawn(wildcards),
            seed=CONFIG.seeds,
        ),
    output:
        svg=drawn("{corpus}/{figure}", "{corpus}"),
        png=RESULTS / "figures/{corpus}/{figure}.png",
        csv=RESULTS / "figures/{corpus}/{figure}.csv",
    log:
        LOGS / "figures/{corpus}/{figure}.log",
    wildcard_constraints:
        figure=one_of(OF_HISTORIES),
    params:
        options=options_of_figure,
        systems=systems_drawn,
        labels=labels_drawn,
        caption=caption_of_figure,
        code=code_of("plot_histories"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/plot_histories.py --systems {params.systems:q} --labels {params.labels:q} --files {input:q} "
        "--options {params.options:q} --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} &> {log:q}"


use rule plot_histories as plot_histories_of_system with:
    input:
        expand(
            RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl",
            seed=CONFIG.seeds,
            allow_missing=True,
        ),
    output:
        svg=drawn("{corpus}/{figure}/{system}", "{corpus}", subcategory="Training curves of each system"),
        png=RESULTS / "figures/{corpus}/{figure}/{system}.png",
        csv=RESULTS / "figures/{corpus}/{figure}/{system}.csv",
    log:
        LOGS / "figures/{corpus}/{figure}/{system}.log",
    wildcard_constraints:
        figure=one_of(OF_HISTORIES),
        system=one_of(TRAINED),
    params:
        options=options_of_figure,
        systems=lambda wildcards: wildcards.system,
        labels=lambda wildcards: [SYSTEMS[wildcards.system].label],
        caption=caption_of_figure,
        code=code_of("plot_histories"),


rule plot_sweep:
    """Draw relevance, diversity, KL, group recovery and perplexity of each system against either rate."""
    input:
        lambda wildcards: [
            RESULTS / f"analyses/{point.corpus}/{SWEPT[wildcards.figure]}.parquet"
            for point in SWEEP_POINTS[SWEPT[wildcards.figure]]
        ],
    output:
        svg=drawn("{figure}", "generated"),
        png=RESULTS / "figures/{figure}.png",
        csv=RESULTS / "figures/{figure}.csv",
    log:
        LOGS / "figures/{figure}.log",
    wildcard_constraints:
        figure=one_of(SWEPT),
    params:
        axes=lambda wildcards: [point.axis for point in SWEEP_POINTS[SWEPT[wildcards.figure]]],
        rates=lambda wildcards: [point.rate for point in SWEEP_POINTS[SWEPT[wildcards.figure]]],
        systems=lambda wildcards: swept_systems(SWEPT[wildcards.figure]),
        labels=lambda wildcards: [SYSTEMS[name].label for name in swept_systems(SWEPT[wildcards.figure])],
        caption=caption_of_figure,
        code=code_of("plot_sweep"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/plot_sweep.py --axes {params.axes:q} --rates {params.rates:q} --points {input:q} "
        "--systems {params.systems:q} --labels {params.labels:q} --svg {output.svg:q} --png {output.png:q} "
        "--csv {output.csv:q} &> {log:q}"


rule plot_alone:
    """Draw a figure that needs no result of the run."""
    output:
        svg=drawn("{figure}", "none"),
        png=RESULTS / "figures/{figure}.png",
        csv=RESULTS / "figures/{figure}.csv",
    log:
        LOGS / "figures/{figure}.log",
    wildcard_constraints:
        figure=one_of(ALONE),
    params:
        kind=lambda wildcards: CONFIG.figures[wildcards.figure].kind,
        options=options_of_figure,
        caption=caption_of_figure,
        code=code_of_figure("plot_alone"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/plot_alone.py --kind {params.kind} --options {params.options:q} --svg {output.svg:q} "
        "--png {output.png:q} --csv {output.csv:q} &> {log:q}"


rule figures:
    """Draw every figure of the page, and the training histories of each of their systems by itself."""
    input:
        [RESULTS / picture for figure in CONFIG.drawn for picture in CONFIG.pictures(figure)],
        [
            RESULTS / f"figures/{corpus}/{figure}/{system}.svg"
            for figure in CONFIG.drawn
            if figure in OF_HISTORIES
            for corpus in CONFIG.corpora
            for system in CONFIG.systems_drawn(figure)
        ],
