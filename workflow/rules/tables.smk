# The published tables, with our figures, their spread and the published ones side by side.


rule make_table:
    """One published table as CSV, Markdown and LaTeX."""
    input:
        scores=of_table(RESULTS / "scores/{split}/scores.parquet"),
        significance=of_table(RESULTS / "significance/{corpus}/{split}.parquet"),
        counts=counts_of_table,
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
    log:
        LOGS / "tables/{table}.log",
    params:
        layout=layout,
        settings=columns,
        code=code_of("make_table"),
    shell:
        "python $SCRIPTS/make_table.py --table {wildcards.table} --scores {input.scores:q} "
        "--significance {input.significance:q} --counts {input.counts:q} --layout {params.layout:q} "
        "--settings {params.settings:q} --csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} &> {log:q}"
