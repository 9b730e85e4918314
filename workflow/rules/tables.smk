# The published tables, with our figures, their spread and the published ones side by side.


rule make_table:
    """One published table as CSV, Markdown and LaTeX."""
    input:
        scores=of_table(RESULTS / "scores/{split}/scores.parquet"),
        significance=of_table(RESULTS / "significance/{corpus}/{split}.parquet"),
        counts=counts_of_table,
    output:
        csv=RESULTS / "tables/{table}.csv",
        md=RESULTS / "tables/{table}.md",
        tex=RESULTS / "tables/{table}.tex",
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
