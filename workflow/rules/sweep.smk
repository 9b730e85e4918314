# What one-to-many and many-to-one data do to each system, on generated corpora.


rule collect_sweep:
    """What each swept system made of one generated corpus, over its runs, and how one-to-many that corpus truly is."""
    input:
        scores=swept(RESULTS / "scores/{corpus}/{system}/seed{seed}/test.parquet"),
        per_item=swept(RESULTS / "items/{corpus}/{system}/seed{seed}/test.parquet"),
        latents=swept(RESULTS / "latents/{corpus}/{system}/seed{seed}/test.parquet", with_groups),
        counts=RESULTS / "filtered/{corpus}/counts.json",
    output:
        RESULTS / "sweep/{corpus}.parquet",
    log:
        LOGS / "sweep/{corpus}.log",
    wildcard_constraints:
        corpus=one_of(point.corpus for point in CONFIG.sweep_points),
    params:
        expect=swept("{corpus}/test/{system}/{seed}"),
        grouped=lambda wildcards: with_groups(swept_systems()),
        code=code_of("collect_sweep"),
    shell:
        "python $SCRIPTS/collect_sweep.py --scores {input.scores:q} --expect {params.expect:q} "
        "--items {input.per_item:q} --grouped {params.grouped:q} --latents {input.latents:q} "
        "--counts {input.counts:q} --out {output:q} &> {log:q}"


rule plot_sweep:
    """Relevance, diversity, KL, group recovery and perplexity of each system against either rate."""
    input:
        lambda wildcards: [RESULTS / f"sweep/{point.corpus}.parquet" for point in swept_points()],
    output:
        svg=report(
            RESULTS / "figures/sweep.svg",
            caption="../report/sweep.rst",
            category="Figures",
            labels={"figure": "One-to-many and many-to-one", "corpus": "generated"},
        ),
        png=RESULTS / "figures/sweep.png",
        csv=RESULTS / "figures/sweep.csv",
    log:
        LOGS / "figures/sweep.log",
    params:
        axes=[point.axis for point in CONFIG.sweep_points],
        rates=[point.rate for point in CONFIG.sweep_points],
        systems=lambda wildcards: swept_systems(),
        labels=lambda wildcards: swept_labels(),
        code=code_of("plot_sweep"),
    shell:
        "python $SCRIPTS/plot_sweep.py --axes {params.axes:q} --rates {params.rates:q} --points {input:q} "
        "--systems {params.systems:q} --labels {params.labels:q} --svg {output.svg:q} --png {output.png:q} "
        "--csv {output.csv:q} &> {log:q}"
