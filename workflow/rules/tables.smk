# Tables: a rule for each sort of input. Which tables there are, and what each shows, is data of the paper.


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


# --- counts of corpora ---


rule make_count_table:
    """Counts of every corpus."""
    input:
        counts=lambda wildcards: expand(
            RESULTS / "filtered/{corpus}/counts.json",
            corpus=CONFIG.corpora_of(wildcards.table),
        ),
        published=PUBLISHED_VALUES,
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("counts")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_count_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_count_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --counts {input.counts:q} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


# --- scores of systems ---


def scores_of(wildcards):
    """Scores of every run of a table, from its responses or from the analysis that it names."""
    spec = CONFIG.tables[wildcards.table]
    if spec.from_ is not None:
        return runs_of(wildcards.table, RESULTS / f"analyses/{{corpus}}/{{system}}/seed{{seed}}/{spec.from_}.parquet")
    path = RESULTS / "scores/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, split=spec.read_splits)


def significance_of(wildcards):
    """Return the tests between the rows, where a table has any."""
    if wildcards.table not in CONFIG.tested:
        return []
    path = RESULTS / "significance/{corpus}/{table}.parquet"
    return expand(path, corpus=CONFIG.corpora_of(wildcards.table), table=wildcards.table)


def items_of(wildcards):
    """Return the values of every item, where each row is tested against the first."""
    spec = CONFIG.tables[wildcards.table]
    if spec.beside != "first row" or spec.from_ is not None:
        return []
    path = RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, split=spec.read_splits)


rule make_score_table:
    """Make the table of systems' metrics; below them the published values or the differences from the first row."""
    input:
        scores=scores_of,
        significance=significance_of,
        per_item=items_of,
        published=PUBLISHED_VALUES,
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
        table=one_of(CONFIG.tables_of("scores")),
    resources:
        mem_mb=attempts_of(4_000),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        test=lambda wildcards: CONFIG.significance.model_dump_json(),
        code=lambda wildcards: code_of_metrics("make_score_table", CONFIG.tables[wildcards.table].metrics),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_score_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --scores {input.scores:q} --significance {input.significance:q} "
        "--items {input.per_item:q} --test {params.test:q} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


# --- texts that an analysis picked or made ---


def analysis_of(wildcards):
    """Return the analysis that a table of texts shows: of each corpus, or of each system's first run."""
    name, corpora = CONFIG.tables[wildcards.table].from_, CONFIG.corpora_of(wildcards.table)
    if name in OF_CORPORA:
        return expand(RESULTS / "analyses/{corpus}/{analysis}.parquet", corpus=corpora, analysis=name)
    path = RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet"
    return runs_of(wildcards.table, path, seed=CONFIG.seeds[0], analysis=name)


def answers_of(wildcards):
    """Return every system's responses of the first run, where the analysis picked contexts of a corpus."""
    if CONFIG.tables[wildcards.table].from_ not in OF_CORPORA:
        return []
    path = RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet"
    return runs_of(wildcards.table, path, seed=CONFIG.seeds[0], split=["validation", "test"])


rule make_text_table:
    """Make the table of texts that an analysis picked or made, with every system's responses to them."""
    input:
        analysis=analysis_of,
        per_item=answers_of,
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("texts")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_text_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_text_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --analysis {input.analysis:q} --items {input.per_item:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


rule make_response_table:
    """Make the table of contexts drawn at random, with what every system of the first run answers."""
    input:
        lambda wildcards: runs_of(
            wildcards.table,
            RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
            seed=CONFIG.seeds[0],
            split=CONFIG.tables[wildcards.table].split,
        ),
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("responses")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_response_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_response_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --responses {input:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


rule make_transfer_table:
    """Make the table of contexts that each system of the first run answers as several users."""
    input:
        lambda wildcards: runs_of(
            wildcards.table,
            RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet",
            seed=CONFIG.seeds[0],
            analysis=CONFIG.tables[wildcards.table].from_,
        ),
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("transfer")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_transfer_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_transfer_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --transfer {input:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


rule make_keyword_table:
    """Make the table of contexts that each system of the first run answers with several keywords."""
    input:
        lambda wildcards: runs_of(
            wildcards.table,
            RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet",
            seed=CONFIG.seeds[0],
            analysis=CONFIG.tables[wildcards.table].from_,
        ),
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("keyword_choice")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_keyword_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_keyword_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --choices {input:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


def of_split_of(table, stage):
    """Return the files of a stage for the split of a table, one for each of its corpora."""
    path = RESULTS / f"{stage}/{{corpus}}/{CONFIG.tables[table].split}.parquet"
    return expand(path, corpus=CONFIG.corpora_of(table))


rule make_negative_table:
    """Make the table of negatives, and the sheet by which to audit them."""
    input:
        negatives=lambda wildcards: of_split_of(wildcards.table, "negatives"),
        examples=lambda wildcards: of_split_of(wildcards.table, "filtered"),
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("negatives")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_negative_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_negative_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --negatives {input.negatives:q} --examples {input.examples:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


# --- what analyses of systems measured, and the endings that systems imputed ---


def analyses_of_table(table):
    """Return the analysis of every run of a table."""
    path = RESULTS / "analyses/{corpus}/{system}/seed{seed}/{analysis}.parquet"
    return runs_of(table, path, analysis=CONFIG.tables[table].from_)


def analyses_of_runs(wildcards):
    """Return the analysis of every run of the table of a job."""
    return analyses_of_table(wildcards.table)


rule make_measure_table:
    """Make the table of values that an analysis measured, beside the published ones."""
    input:
        measures=analyses_of_runs,
        published=PUBLISHED_VALUES,
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("measures")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_measure_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_measure_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --measures {input.measures:q} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


rule make_imputation_table:
    """Make the table of sentences with the endings that each system imputed."""
    input:
        imputations=analyses_of_runs,
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("imputations")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        code=code_of("make_imputation_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_imputation_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --imputations {input.imputations:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


# --- texts that systems decoded from their latent spaces ---


def beside_of(wildcards):
    """Return the table that one of decoded texts is compared with in a list, which is empty without one."""
    beside = CONFIG.tables[wildcards.table].beside
    return [beside] if beside else []


rule make_decoded_table:
    """Make the table of texts that systems decoded, compared with those of another table where it names one."""
    input:
        analysis=analyses_of_runs,
        beside=lambda wildcards: [file for table in beside_of(wildcards) for file in analyses_of_table(table)],
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("decoded")),
    params:
        spec=spec_of,
        layout=layout_of,
        others=lambda wildcards: [
            CONFIG.layout(table).model_dump_json(exclude_defaults=True) for table in beside_of(wildcards)
        ],
        caption=caption_of,
        code=code_of("make_decoded_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_decoded_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --analysis {input.analysis:q} --others {params.others:q} --beside {input.beside:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


# --- ratings, settings, costs ---


rule make_rating_table:
    """Make the table of the filled sheets there are; without any it draws nothing and says that none were collected."""
    input:
        ratings=filled_sheets,
        draws=keys_of_filled_sheets,
        published=PUBLISHED_VALUES,
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("ratings")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        level=CONFIG.significance.level,
        code=code_of("make_rating_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_rating_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --ratings {input.ratings:q} --keys {input.draws:q} --level {params.level} "
        "--published {input.published:q} --csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} "
        "--json {output.json:q} &> {log:q}"


rule make_setting_table:
    """Make the table of systems' sizes, options and training settings, beside the published ones."""
    input:
        published=PUBLISHED_VALUES,
    output:
        csv=shown("csv"),
        md=shown("md"),
        tex=shown("tex"),
        json=RESULTS / "tables/{table}.json",
    log:
        LOGS / "tables/{table}.log",
    wildcard_constraints:
        table=one_of(CONFIG.tables_of("settings")),
    params:
        spec=spec_of,
        layout=layout_of,
        caption=caption_of,
        settings=lambda wildcards: json.dumps(CONFIG.settings_of(wildcards.table)),
        code=lambda wildcards: code_of("make_setting_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_setting_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --settings {params.settings:q} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"


def trained_in(path):
    """Expand ``path`` for every run of a table's trained systems."""

    def files(wildcards):
        trained = [system for system in CONFIG.systems_of(wildcards.table) if system in TRAINED]
        return runs_of(wildcards.table, path, system=trained)

    return files


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
        stages=lambda wildcards: CONFIG.stages(wildcards.table, BENCHMARKS, RESULTS / "models").model_dump_json(),
        code=code_of("make_cost_table"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_cost_table.py --name {wildcards.table} --spec {params.spec:q} "
        "--layout {params.layout:q} --stages {params.stages:q} --csv {output.csv:q} --md {output.md:q} "
        "--tex {output.tex:q} --json {output.json:q} &> {log:q}"
