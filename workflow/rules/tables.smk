# Tables. Which there are, and what each shows, is data of the paper; what a table of a kind reads is said here.


def shown(kind):
    """Return a file of a table, in Snakemake's report with the caption that the paper declares."""
    return report(
        RESULTS / f"tables/{{table}}.{kind}",
        caption="../report/table.rst",
        category="Tables",
        labels=lambda wildcards: {
            "table": CONFIG.tables[wildcards.table].number or wildcards.table,
            "format": kind,
        },
    )


# As JSON, and functions all of them: Snakemake takes braces in a plain text for wildcards.


def spec_of(wildcards):
    """Return what the paper declares of a table (pipeline_lib.config.papers), without defaults."""
    return CONFIG.tables[wildcards.table].model_dump_json(by_alias=True, exclude_defaults=True)


def layout_of(wildcards):
    """Return the rows of a table (pipeline_lib.config.layout.Layout)."""
    return CONFIG.layout(wildcards.table).model_dump_json(exclude_defaults=True)


def caption_of(wildcards):
    return CONFIG.tables[wildcards.table].caption


def script_of_kind(kind):
    """Return the name of the script, and of the rule, that makes the tables of a kind."""
    return f"make_{kind.removesuffix('s')}_table"


def script_of_table(wildcards):
    return script_of_kind(CONFIG.tables[wildcards.table].kind)


def code_of_table(wildcards):
    """Return the fingerprint of the script of a table, with the metrics of its columns."""
    metrics = getattr(CONFIG.tables[wildcards.table], "metrics", [])
    return code_of_metrics(script_of_table(wildcards), metrics)


# --- what tables read ---


def counts_of(wildcards):
    """Return the counts of every corpus."""
    return expand(RESULTS / "filtered/{corpus}/counts.json", corpus=CONFIG.corpora_of(wildcards.table))


def scores_of(wildcards):
    """Return the scores of every run of a table."""
    path = RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, split=CONFIG.tables[wildcards.table].read_splits)


def significance_of(wildcards):
    """Return the tests between the rows, where a table has any."""
    if wildcards.table not in CONFIG.tested:
        return []
    path = RESULTS / "significance/{corpus}/{table}.parquet"
    return expand(path, corpus=CONFIG.corpora_of(wildcards.table), table=wildcards.table)


def items_of(wildcards):
    """Return the values of every item, where each row is tested against the first."""
    spec = CONFIG.tables[wildcards.table]
    if spec.beside != "first row":
        return []
    path = RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, split=spec.read_splits)


def analysis_of(wildcards):
    """Return the analysis of each corpus that a table of texts shows."""
    path = RESULTS / "analyses/{corpus}/{analysis}.parquet"
    corpora = CONFIG.corpora_of(wildcards.table)
    return expand(path, corpus=corpora, analysis=CONFIG.tables[wildcards.table].from_)


def answers_of(wildcards):
    """Return every system's responses of the first run."""
    path = RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, seed=CONFIG.seeds[0], split=["validation", "test"])


def responses_of(wildcards):
    """Return what every system of the first run answers."""
    path = RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, seed=CONFIG.seeds[0], split=CONFIG.tables[wildcards.table].split)


def first_analyses_of(wildcards):
    """Return the analysis of the first run of every system of a table."""
    path = RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet"
    return runs_of(wildcards.table, path, seed=CONFIG.seeds[0], analysis=CONFIG.tables[wildcards.table].from_)


def split_of(stage):
    """Make an input: the files of a stage for the split of a table, one for each of its corpora."""
    path = RESULTS / stage / "{corpus}/{split}.parquet"
    return lambda wildcards: expand(
        path, corpus=CONFIG.corpora_of(wildcards.table), split=CONFIG.tables[wildcards.table].split
    )


def analyses_of_table(table):
    """Return the analysis of every run of a table."""
    path = RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet"
    return runs_of(table, path, analysis=CONFIG.tables[table].from_)


def analyses_of_runs(wildcards):
    """Return the analysis of every run of the table of a job."""
    return analyses_of_table(wildcards.table)


def beside_of(wildcards):
    """Return the table that one of decoded texts is compared with in a list, which is empty without one."""
    beside = CONFIG.tables[wildcards.table].beside
    return [beside] if beside else []


def analyses_beside(wildcards):
    """Return the analysis of every run of the table that a table of decoded texts is compared with."""
    return [file for table in beside_of(wildcards) for file in analyses_of_table(table)]


def layouts_beside(wildcards):
    """Return the rows of that table."""
    return [CONFIG.layout(table).model_dump_json(exclude_defaults=True) for table in beside_of(wildcards)]


# By kind, the files and settings of a table, each under the option of the script that takes it.
FILES_OF_TABLES = {
    "counts": {"counts": counts_of, "published": PUBLISHED_VALUES},
    "scores": {
        "scores": scores_of,
        "significance": significance_of,
        "per_item": items_of,
        "published": PUBLISHED_VALUES,
    },
    "texts": {"analysis": analysis_of, "per_item": answers_of},
    "responses": {"responses": responses_of},
    "transfer": {"transfer": first_analyses_of},
    "keyword_choice": {"choices": first_analyses_of},
    "negatives": {"negatives": split_of("negatives"), "examples": split_of("filtered")},
    "measures": {"measures": analyses_of_runs, "published": PUBLISHED_VALUES},
    "imputations": {"imputations": analyses_of_runs},
    "decoded": {"analysis": analyses_of_runs, "beside": analyses_beside},
    "ratings": {"ratings": filled_sheets, "drawn": keys_of_filled_sheets, "published": PUBLISHED_VALUES},
    "settings": {"published": PUBLISHED_VALUES},
}
SETTINGS_OF_TABLES = {
    "scores": {"test": lambda wildcards: [CONFIG.significance.model_dump_json()]},
    "decoded": {"others": layouts_beside},
    "ratings": {"level": lambda wildcards: [CONFIG.significance.level]},
    "settings": {"settings": lambda wildcards: [json.dumps(CONFIG.settings_of(wildcards.table))]},
}


def options_of_files(wildcards, input):
    """Return the files of a job, those of each input after its option."""
    return [
        word
        for name, files in input.items()
        for word in [option(name), *([files] if isinstance(files, str) else files)]
    ]


def options_of_settings(wildcards):
    """Return the settings of a job, each after its option."""
    settings = SETTINGS_OF_TABLES.get(CONFIG.tables[wildcards.table].kind, {})
    return [word for name, values in settings.items() for word in [option(name), *values(wildcards)]]


def option(name):
    return f"--{name.replace('_', '-')}"


for kind_, files_ in FILES_OF_TABLES.items():

    rule:
        """Make the table as CSV, Markdown, LaTeX and JSON."""
        name:
            script_of_kind(kind_)
        input:
            **files_,
        output:
            csv=shown("csv"),
            md=shown("md"),
            tex=shown("tex"),
            json=RESULTS / "tables/{table}.json",
        log:
            LOGS / "tables/{table}.log",
        benchmark:
            BENCHMARKS / "tables/{table}.tsv"
        wildcard_constraints:
            table=one_of(CONFIG.tables_of(kind_)),
        resources:
            mem_mb=attempts_of(4_000),
        params:
            spec=spec_of,
            layout=layout_of,
            script=script_of_table,
            files=options_of_files,
            settings=options_of_settings,
            caption=caption_of,
            code=code_of_table,
        shell:  # without the names of the loop, which Snakemake would look up when the job runs
            "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/{params.script}.py --name {wildcards.table} "
            "--spec {params.spec:q} --layout {params.layout:q} {params.files:q} {params.settings:q} "
            "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


# --- costs: of files that no stage of the run may wait for ---


def trained_in(path):
    """Expand ``path`` for every model of a table's systems; systems that differ in their decoding alone share one."""

    def files(wildcards):
        table, systems = wildcards.table, CONFIG.systems_of(wildcards.table)
        models = {corpus: CONFIG.models_of(corpus, systems) for corpus in CONFIG.corpora_of(table)}
        return [file for corpus in models for file in runs_of(table, path, corpus=corpus, system=models[corpus])]

    return files


def stages_of_costs(wildcards):
    """Return where the measurements of the table are (pipeline_lib.config.layout.Stages), as JSON."""
    measured = {rule: str(getattr(rules, rule).benchmark) for rule in MEASURED}
    return stages_of(
        CONFIG, wildcards.table, measured, f"{RESULTS}/models/{{corpus}}/{{system}}/seed{{seed}}"
    ).model_dump_json()


rule make_cost_table:
    """Make the table of runtime and memory of every stage and system of this run, from its benchmark files."""
    input:
        # The benchmark files are not inputs: Snakemake would train a model again for one that is not there.
        trained_in(RESULTS / "models/{corpus}/{system}/seed{seed}/summary.json"),
        trained_in(RESULTS / "models/{corpus}/{system}/seed{seed}/history.jsonl"),
        lambda wildcards: [
            RESULTS / f"significance/{corpus}/{table}.parquet"
            for corpus in CONFIG.corpora_of(wildcards.table)
            for table in CONFIG.tested_on(corpus)
        ],
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("costs")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        stages=stages_of_costs,
        code=code_of("make_cost_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_cost_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --stages {params.stages:q} --csv {output.csv:q} --md {output.md:q} "
        "--tex {output.tex:q} --json {output.json:q} &> {log:q}"
