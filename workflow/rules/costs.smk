# What every stage and every system cost.


rule make_cost_table:
    """Runtime and memory of every stage and system of this run, from its benchmark files."""
    input:
        # The benchmark files are not inputs: Snakemake would train a model again for one that is not there.
        expand(
            RESULTS / "models/{corpus}/{system}/seed{seed}/summary.json",
            corpus=CONFIG.corpora,
            system=TRAINED,
            seed=CONFIG.seeds,
        ),
        expand(
            RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl",
            corpus=CONFIG.corpora,
            system=TRAINED,
            seed=CONFIG.seeds,
        ),
        expand(RESULTS / "significance/{corpus}/{table}.parquet", corpus=CONFIG.corpora, table=["table2", "table3"]),
    output:
        csv=report(
            RESULTS / "tables/costs.csv",
            caption="../report/costs.rst",
            category="Tables",
            labels={"table": "costs", "format": "csv"},
        ),
        md=report(
            RESULTS / "tables/costs.md",
            caption="../report/costs.rst",
            category="Tables",
            labels={"table": "costs", "format": "md"},
        ),
        tex=report(
            RESULTS / "tables/costs.tex",
            caption="../report/costs.rst",
            category="Tables",
            labels={"table": "costs", "format": "tex"},
        ),
        json=RESULTS / "tables/costs.json",
    log:
        LOGS / "tables/costs.log",
    params:
        spec=spec_of("costs"),
        layout=rows_of(SYSTEMS, CONFIG.seeds),
        stages=measured_stages,
        code=code_of("make_cost_table"),
    shell:
        "python $SCRIPTS/make_cost_table.py --name costs --spec {params.spec:q} --layout {params.layout:q} "
        "--stages {params.stages:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"
