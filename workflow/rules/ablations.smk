# SepaCVAE with one thing changed at a time; what `ablations:` lists is trained for this table alone.


rule make_ablation_table:
    """Every ablation beside the system that it changes, with the difference and whether it is real."""
    input:
        scores=of_ablations(RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet"),
        per_item=of_ablations(RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"),
    output:
        csv=report(
            RESULTS / "tables/ablations.csv",
            caption="../report/ablations.rst",
            category="Tables",
            labels={"table": "ablations", "format": "csv"},
        ),
        md=report(
            RESULTS / "tables/ablations.md",
            caption="../report/ablations.rst",
            category="Tables",
            labels={"table": "ablations", "format": "md"},
        ),
        tex=report(
            RESULTS / "tables/ablations.tex",
            caption="../report/ablations.rst",
            category="Tables",
            labels={"table": "ablations", "format": "tex"},
        ),
    log:
        LOGS / "tables/ablations.log",
    benchmark:
        BENCHMARKS / "tables/ablations.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        layout=rows_of(ablated(), CONFIG.seeds),
        significance=CONFIG.significance.model_dump_json(),
        digits=CONFIG.tables.digits,
        code=code_of("make_ablation_table"),
    shell:
        "python $SCRIPTS/make_ablation_table.py --scores {input.scores:q} --items {input.per_item:q} "
        "--layout {params.layout:q} --significance {params.significance:q} --digits {params.digits} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} &> {log:q}"
