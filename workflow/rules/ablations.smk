# SepaCVAE with one thing changed at a time; what `ablations:` lists is trained for this table alone.


rule make_ablation_table:
    """Every ablation beside the system that it changes, with the difference and whether it is significant."""
    input:
        scores=of_ablations(RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet"),
        per_item=of_ablations(RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"),
        published=PUBLISHED,
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
        json=RESULTS / "tables/ablations.json",
    log:
        LOGS / "tables/ablations.log",
    benchmark:
        BENCHMARKS / "tables/ablations.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        spec=spec_of("ablations"),
        layout=rows_of(ablated(), CONFIG.seeds),
        test=CONFIG.significance.model_dump_json(),
        code=code_of_metrics("make_score_table", SPECS["ablations"].metrics),
    shell:
        "python $SCRIPTS/make_score_table.py --name ablations --spec {params.spec:q} --layout {params.layout:q} "
        "--scores {input.scores:q} --significance --items {input.per_item:q} --test {params.test:q} "
        "--published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"
