# The published tables, with our figures, their spread and the published ones side by side.

SPLIT_OF_TABLE = {"table2": "validation", "table3": "test"}


def of_table(path):
    """``path`` with the split that a table of systems shows; Table 1 counts pairs and needs none."""

    def files(wildcards):
        if wildcards.table not in SPLIT_OF_TABLE:
            return []
        return expand(
            path, corpus=CONFIG.corpora, split=SPLIT_OF_TABLE[wildcards.table]
        )

    return files


def counts_of_table(wildcards):
    if wildcards.table != "table1":
        return []
    return expand(RESULTS / "filtered/{corpus}/counts.json", corpus=CONFIG.corpora)


def layout(wildcards):
    """Rows of a table (pipeline_lib.tables.Layout), as JSON."""
    import json

    return json.dumps(
        {
            "corpora": {name: CONFIG.sources[name].label for name in CONFIG.corpora},
            "systems": {
                name: system.model_dump() for name, system in CONFIG.systems.items()
            },
            "seeds": CONFIG.seeds,
        }
    )


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
        settings=CONFIG.tables.model_dump_json(),
        code=code_of("make_table"),
    shell:
        "python {SCRIPTS}/make_table.py --table {wildcards.table} --scores {input.scores:q} "
        "--significance {input.significance:q} --counts {input.counts:q} --layout {params.layout:q} "
        "--settings {params.settings:q} --csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} &> {log:q}"
