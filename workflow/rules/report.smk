# One page with all of it, that opens without a network, and what this run was.


# Not an input of the tables: any change would remake them, and under ancient() Snakemake 9.27 does not look whether the
# tables' own settings changed when this rule has to run.
rule describe_run:
    """Configuration, code, versions and checksums of the data: what makes two runs comparable."""
    input:
        raw=expand(RESULTS / "raw/{corpus}/manifest.json", corpus=FETCHED),
        examples=expand(RESULTS / "filtered/{corpus}/{split}.parquet", corpus=CONFIG.corpora, split=SPLITS),
    output:
        RESULTS / "manifest.json",
    log:
        LOGS / "manifest.log",
    params:
        config=lambda wildcards: CONFIG.recorded(),  # it may hold braces, which are no wildcards here
        code=code_of_stages(),
    shell:
        "python $SCRIPTS/describe_run.py --config {params.config:q} --code {params.code:q} --raw {input.raw:q} "
        "--examples {input.examples:q} --out {output:q} &> {log:q}"


rule make_report:
    """Tables, figures, all responses and the record of the run as one page that opens without a network."""
    input:
        manifest=RESULTS / "manifest.json",
        tables=in_report("tables"),
        figures=in_report("figures"),
        per_item=in_report("items"),
    output:
        index=RESULTS / "report/index.html",
        files=directory(RESULTS / "report/files"),
    log:
        LOGS / "report.log",
    benchmark:
        BENCHMARKS / "report.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        specs=figure_specs,
        code=code_of_metrics("make_report", METRICS),
    shell:
        "python $SCRIPTS/make_report.py --manifest {input.manifest:q} --tables {input.tables:q} "
        "--figures {input.figures:q} --specs {params.specs:q} --items {input.per_item:q} "
        "--index {output.index:q} &> {log:q}"
