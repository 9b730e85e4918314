# The published tables, with our values, their spread and the published ones side by side.


rule make_count_table:
    """Table 1 as CSV, Markdown, LaTeX and JSON."""
    input:
        counts=expand(RESULTS / "filtered/{corpus}/counts.json", corpus=CONFIG.corpora),
        published=PUBLISHED,
    output:
        csv=report(
            RESULTS / "tables/table1.csv",
            caption="../report/published_table.rst",
            category="Tables",
            labels={"table": "1", "format": "csv"},
        ),
        md=report(
            RESULTS / "tables/table1.md",
            caption="../report/published_table.rst",
            category="Tables",
            labels={"table": "1", "format": "md"},
        ),
        tex=report(
            RESULTS / "tables/table1.tex",
            caption="../report/published_table.rst",
            category="Tables",
            labels={"table": "1", "format": "tex"},
        ),
        json=RESULTS / "tables/table1.json",
    log:
        LOGS / "tables/table1.log",
    params:
        name="table1",
        spec=spec_of("table1"),
        layout=layout_of_corpora,
        code=code_of("make_count_table"),
    shell:
        "python $SCRIPTS/make_count_table.py --name {params.name} --spec {params.spec:q} --layout {params.layout:q} "
        "--counts {input.counts:q} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


rule make_score_table:
    """Scores of every system as CSV, Markdown, LaTeX and JSON."""
    input:
        scores=scores_of_table(RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet"),
        significance=expand(RESULTS / "significance/{corpus}/{{table}}.parquet", corpus=CONFIG.corpora),
        published=PUBLISHED,
    output:
        csv=report(
            RESULTS / "tables/{table}.csv",
            caption="../report/published_table.rst",
            category="Tables",
            labels=labels_of_table("csv"),
        ),
        md=report(
            RESULTS / "tables/{table}.md",
            caption="../report/published_table.rst",
            category="Tables",
            labels=labels_of_table("md"),
        ),
        tex=report(
            RESULTS / "tables/{table}.tex",
            caption="../report/published_table.rst",
            category="Tables",
            labels=labels_of_table("tex"),
        ),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table="table2|table3",
    params:
        spec=lambda wildcards: SPECS[wildcards.table].model_dump_json(by_alias=True),
        layout=layout,
        test=CONFIG.significance.model_dump_json(),
        code=lambda wildcards: code_of_metrics("make_score_table", SPECS[wildcards.table].metrics),
    shell:
        "python $SCRIPTS/make_score_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --scores {input.scores:q} --significance {input.significance:q} --items "
        "--test {params.test:q} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"
