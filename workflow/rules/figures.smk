# The figures of the SepaCVAE paper and the training curves, each as SVG and PNG with the numbers that were drawn.


rule plot_latent_distances:
    """Figure 4: cosine of [c; z] within and between the groups of each system, batch by batch."""
    input:
        lambda wildcards: of_drawn(
            "latent_distances",
            RESULTS / "latents/{corpus}/{system}/seed{seed}/distances.parquet",
        ),
    output:
        svg=report(
            RESULTS / "figures/{corpus}/latent_distances.svg",
            caption="../report/latent_distances.rst",
            category="Figures",
            labels={"figure": "4. Distances in latent space", "corpus": "{corpus}"},
        ),
        png=RESULTS / "figures/{corpus}/latent_distances.png",
        csv=RESULTS / "figures/{corpus}/latent_distances.csv",
    log:
        LOGS / "figures/{corpus}/latent_distances.log",
    params:
        systems=DRAWN["latent_distances"],
        labels=labels_of(DRAWN["latent_distances"]),
        threshold=CONFIG.figures.latent_distances.threshold,  # the caption tells it
        code=code_of("plot_latent_distances"),
    shell:
        "python $SCRIPTS/plot_latent_distances.py --systems {params.systems:q} --labels {params.labels:q} "
        "--distances {input:q} --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} &> {log:q}"


rule plot_latent_map:
    """Figure 5: t-SNE of the posterior means of z by group, with silhouette and NMI."""
    input:
        lambda wildcards: of_drawn(
            "latent_map",
            RESULTS / f"latents/{{corpus}}/{{system}}/seed{{seed}}/{CONFIG.figures.latent_map.split}.parquet",
        ),
    output:
        svg=report(
            RESULTS / "figures/{corpus}/latent_map.svg",
            caption="../report/latent_map.rst",
            category="Figures",
            labels={"figure": "5. Map of the latent space", "corpus": "{corpus}"},
        ),
        png=RESULTS / "figures/{corpus}/latent_map.png",
        csv=RESULTS / "figures/{corpus}/latent_map.csv",
    log:
        LOGS / "figures/{corpus}/latent_map.log",
    benchmark:
        BENCHMARKS / "figures/{corpus}/latent_map.tsv"
    threads: 1
    resources:
        mem_mb=attempts_of(2_000),
    params:
        systems=DRAWN["latent_map"],
        labels=labels_of(DRAWN["latent_map"]),
        settings=how_to_draw("latent_map"),
        code=code_of("plot_latent_map"),
    shell:
        "python $SCRIPTS/plot_latent_map.py --systems {params.systems:q} --labels {params.labels:q} "
        "--latents {input:q} --settings {params.settings:q} --svg {output.svg:q} --png {output.png:q} "
        "--csv {output.csv:q} &> {log:q}"


rule plot_training:
    """Training curves of all systems in one figure, averaged over their runs."""
    input:
        expand(
            RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl",
            system=TRAINED,
            seed=CONFIG.seeds,
            allow_missing=True,
        ),
    output:
        svg=report(
            RESULTS / "figures/{corpus}/training.svg",
            caption="../report/training.rst",
            category="Figures",
            labels={"figure": "Training curves", "corpus": "{corpus}"},
        ),
        png=RESULTS / "figures/{corpus}/training.png",
        csv=RESULTS / "figures/{corpus}/training.csv",
    log:
        LOGS / "figures/{corpus}/training.log",
    params:
        systems=TRAINED,
        labels=labels_of(TRAINED),
        code=code_of("plot_training"),
    shell:
        "python $SCRIPTS/plot_training.py --systems {params.systems:q} --labels {params.labels:q} "
        "--histories {input:q} --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} &> {log:q}"


use rule plot_training as plot_training_of_system with:
    input:
        expand(
            RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl",
            seed=CONFIG.seeds,
            allow_missing=True,
        ),
    output:
        svg=report(
            RESULTS / "figures/{corpus}/training/{system}.svg",
            caption="../report/training.rst",
            category="Figures",
            subcategory="Training curves of each system",
            labels={"figure": "{system}", "corpus": "{corpus}"},
        ),
        png=RESULTS / "figures/{corpus}/training/{system}.png",
        csv=RESULTS / "figures/{corpus}/training/{system}.csv",
    log:
        LOGS / "figures/{corpus}/training/{system}.log",
    wildcard_constraints:
        system=one_of(TRAINABLE),
    params:
        systems=lambda wildcards: wildcards.system,
        labels=lambda wildcards: [TRAINABLE[wildcards.system].label],
        code=code_of("plot_training"),


rule plot_optimal_prior:
    """Figure 2 in numbers: what one prior costs where a context has two responses."""
    output:
        svg=report(
            RESULTS / "figures/optimal_prior.svg",
            caption="../report/optimal_prior.rst",
            category="Figures",
            labels={"figure": "2. Optimal prior", "corpus": "none"},
        ),
        png=RESULTS / "figures/optimal_prior.png",
        csv=RESULTS / "figures/optimal_prior.csv",
    log:
        LOGS / "figures/optimal_prior.log",
    params:
        code=code_of("plot_optimal_prior"),
    shell:
        "python $SCRIPTS/plot_optimal_prior.py --svg {output.svg:q} --png {output.png:q} --csv {output.csv:q} "
        "&> {log:q}"


rule figures:
    """Every figure of the run, the training curves of each system among them; not the sweep, which trains its own."""
    input:
        RESULTS / "figures/optimal_prior.svg",
        expand(
            RESULTS / "figures/{corpus}/{figure}.svg",
            corpus=CONFIG.corpora,
            figure=[*FIGURES_OF_CORPUS, *(f"training/{system}" for system in TRAINED)],
        ),
