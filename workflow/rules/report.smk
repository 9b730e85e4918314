# One page with all of it, that opens without a network, and what this run was.

from itertools import product


def code_of_stages():
    """Return the fingerprint of every stage, one for each system and corpus with code of its own, as JSON."""
    code = {script.stem: code_of(script.stem) for script in sorted(SCRIPTS.glob("*.py"))}
    code["score_responses"] = code_of_metrics("score_responses", METRICS_SCORED)
    for stage in ("compare_systems", "make_score_table", "make_report"):
        code[stage] = code_of_metrics(stage, CONFIG.metrics_shown)
    for corpus, system in product(CONFIG.corpora, TRAINED):
        modules = modules_of_system(corpus, system)
        strategy = module_of_kind("pipeline_lib.decoding", CONFIG.decoding_of(corpus, system).kind)
        code[f"train_model {corpus}/{system}"] = code_of("train_model", *modules)
        code[f"generate_responses {corpus}/{system}"] = code_of("generate_responses", *modules, strategy)
    for units in VOCABULARIES:
        code[f"encode_examples {units}"] = code_of("encode_examples", module_of_units(units))
    for name in OF_SYSTEMS:
        code[f"analyse_system {name}"] = code_of("analyse_system", module_of_kind(ANALYSES, CONFIG.analyses[name].kind))
    for system in FUNCTIONS:
        code[f"call_function {system}"] = code_of("call_function", module_of_function(system))
    for corpus in CONFIG.corpora:
        code[f"extract_dialogues {corpus}"] = code_of("extract_dialogues", reader_of(corpus))
    return json.dumps(code)


def items_shown():
    """List the responses of every run that a table of the page shows, test before validation, each file once."""
    path = RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"
    of_table = {table: splits_of(table) for table in CONFIG.reported if CONFIG.report.items}
    first = ("test", "validation", "train")
    splits = [*first, *(split for split in get_args(ScoredSplit) if split not in first)]
    shown = [(table, split) for split in splits for table in of_table if split in of_table[table]]
    return list(dict.fromkeys(file for table, split in shown for file in runs_of(table, path, split=split)))


# Not an input of the tables: any change would remake them, and under ancient() Snakemake 9.27 does not look whether the
# tables' own settings changed when this rule has to run.
rule describe_run:
    """Record configuration, code, versions and checksums of the data: what makes two runs comparable."""
    input:
        raw=expand(
            RESULTS / "raw/{corpus}/manifest.json",
            corpus=[corpus for corpus in CONFIG.corpora if corpus in FETCHED],
        ),
        examples=expand(RESULTS / "filtered/{corpus}/{split}.parquet", corpus=CONFIG.corpora, split=SPLITS),
    output:
        RESULTS / "manifest.json",
    log:
        LOGS / "manifest.log",
    params:
        config=lambda wildcards: CONFIG.recorded(),  # it may hold braces, which are not wildcards here
        code=code_of_stages(),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/describe_run.py --config {params.config:q} --code {params.code:q} --raw {input.raw:q} "
        "--examples {input.examples:q} --out {output:q} &> {log:q}"


rule make_report:
    """Make one page of tables, figures, all responses and the record of the run; it opens without a network."""
    input:
        manifest=RESULTS / "manifest.json",
        tables=expand(RESULTS / "tables/{table}.json", table=CONFIG.reported),
        figures=[RESULTS / picture for figure in CONFIG.drawn for picture in CONFIG.pictures(figure)],
        per_item=items_shown(),
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
        code=code_of_metrics("make_report", CONFIG.metrics_shown),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_report.py --manifest {input.manifest:q} --tables {input.tables:q} "
        "--figures {input.figures:q} --per-item {input.per_item:q} --index {output.index:q} &> {log:q}"
