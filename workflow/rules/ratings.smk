# Rating sheets for human judges; tables.smk makes their table from what they filled in.

from pipeline_lib.ratings.returned import sheets_in

RATED = CONFIG.tables_of("ratings")  # one at most
JUDGED = [system for table in RATED for system in CONFIG.systems_of(table)]
JUDGED_RUN = CONFIG.seeds[0] if CONFIG.ratings.run is None else CONFIG.ratings.run


def filled_sheets(wildcards):
    """List the CSV files that are in the folder of ratings when the workflow starts."""
    try:
        return sheets_in(Path(CONFIG.ratings.folder))
    except PipelineError as error:
        raise WorkflowError(str(error)) from None


def keys_of_filled_sheets(wildcards):
    """List the keys of the sheets, if any came back: without ratings, their table needs no model and no response.

    A key that was copied beside the ratings is taken instead of the current one, so that ratings outlive a retraining.
    """
    if not filled_sheets(wildcards):
        return []
    kept = {corpus: Path(CONFIG.ratings.folder) / f"{corpus}.json" for corpus in CONFIG.corpora_of(wildcards.table)}
    return [path if path.is_file() else RESULTS / f"ratings/keys/{corpus}.json" for corpus, path in kept.items()]


def responses_judged(wildcards):
    if not RATED:
        raise WorkflowError("tables: none is of kind `ratings`, so nobody is judged; declare one in paper.yaml")
    path = RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet"
    return expand(
        path,
        corpus=wildcards.corpus,
        system=JUDGED,
        seed=JUDGED_RUN,
        split=CONFIG.ratings.split,
    )


def examples_judged(wildcards):
    """Return the examples of the split and of training, if raters see what the ones who respond said."""
    shown = (CONFIG.ratings.split, "train") if CONFIG.ratings.history else ()
    return [RESULTS / f"filtered/{wildcards.corpus}/{split}.parquet" for split in shown]


rule draw_rating_items:
    """Draw the contexts that human judges see, and blind the systems' responses to them."""
    input:
        responses=responses_judged,
        examples=examples_judged,
    output:
        RESULTS / "ratings/keys/{corpus}.json",
    log:
        LOGS / "ratings/keys/{corpus}.log",
    params:
        systems=JUDGED,
        run=JUDGED_RUN,
        study=lambda wildcards: CONFIG.ratings.model_dump_json(exclude={"folder", "run"}),
        questions=lambda wildcards: CONFIG.tables[RATED[0]].model_dump_json(include={"aspects", "scale", "scales"}),
        examples=lambda wildcards, input: each_after(("--examples", "--train"), input.examples),
        # Snakemake deletes a key before it draws anew; sheets that are out could then be told apart by nobody
        keep=RESULTS / "ratings/keys/kept",
        code=code_of("draw_rating_items"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/draw_rating_items.py --corpus {wildcards.corpus} --systems {params.systems:q} "
        "--responses {input.responses:q} {params.examples:q} --run {params.run} --study {params.study:q} --questions {params.questions:q} "
        "--keep {params.keep:q} --key {output:q} &> {log:q}"


rule make_rating_sheets:
    """Write the sheets that raters fill in, as CSV and as a page for the browser."""
    input:
        [RESULTS / f"ratings/keys/{corpus}.json" for table in RATED for corpus in CONFIG.corpora_of(table)],
    output:
        directory(RESULTS / "ratings/sheets"),
    log:
        LOGS / "ratings/sheets.log",
    params:
        code=code_of("make_rating_sheets"),
    shell:
        "PIPELINE_PLAN={params.plan:q} python $SCRIPTS/make_rating_sheets.py --keys {input:q} --out {output:q} &> {log:q}"
