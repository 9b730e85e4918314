# Rating sheets for human judges, and Table 4 from what they filled in.


rule draw_rating_items:
    """Draw the contexts that human judges see, and blind the systems' responses to them."""
    input:
        lambda wildcards: expand(
            RESULTS / "responses/{corpus}/{system}/seed{seed}/{split}.parquet",
            corpus=wildcards.corpus,
            system=JUDGED,
            seed=JUDGED_RUN,
            split=CONFIG.human.split,
        ),
    output:
        RESULTS / "human/keys/{corpus}.json",
    log:
        LOGS / "human/keys/{corpus}.log",
    params:
        systems=JUDGED,
        run=JUDGED_RUN,
        settings=settings_of_draw(),
        # Snakemake deletes a key before it draws anew; sheets that are out could then be told apart by nobody
        keep=RESULTS / "human/keys/kept",
        code=code_of("draw_rating_items"),
    shell:
        "python $SCRIPTS/draw_rating_items.py --corpus {wildcards.corpus} --systems {params.systems:q} "
        "--responses {input:q} --run {params.run} --settings {params.settings:q} --keep {params.keep:q} "
        "--key {output:q} &> {log:q}"


rule make_rating_sheets:
    """Write the sheets that raters fill in, as CSV and as a page for the browser."""
    input:
        expand(RESULTS / "human/keys/{corpus}.json", corpus=CONFIG.corpora),
    output:
        directory(RESULTS / "human/sheets"),
    log:
        LOGS / "human/sheets.log",
    params:
        code=code_of("make_rating_sheets"),
    shell:
        "python $SCRIPTS/make_rating_sheets.py --keys {input:q} --out {output:q} &> {log:q}"


rule make_human_table:
    """Table 4 of whatever filled sheets there are; without any it draws nothing and says that none were collected."""
    input:
        ratings=filled_sheets,
        draws=keys_of_filled_sheets,
        published=PUBLISHED,
    output:
        csv=report(
            RESULTS / "tables/table4.csv",
            caption="../report/table4.rst",
            category="Tables",
            labels={"table": "4", "format": "csv"},
        ),
        md=report(
            RESULTS / "tables/table4.md",
            caption="../report/table4.rst",
            category="Tables",
            labels={"table": "4", "format": "md"},
        ),
        tex=report(
            RESULTS / "tables/table4.tex",
            caption="../report/table4.rst",
            category="Tables",
            labels={"table": "4", "format": "tex"},
        ),
        json=RESULTS / "tables/table4.json",
    log:
        LOGS / "tables/table4.log",
    params:
        spec=spec_of("table4"),
        layout=judged_layout(),
        level=CONFIG.significance.level,
        code=code_of("make_rating_table"),
    shell:
        "python $SCRIPTS/make_rating_table.py --name table4 --spec {params.spec:q} --layout {params.layout:q} "
        "--ratings {input.ratings:q} --keys {input.draws:q} --level {params.level} --published {input.published:q} "
        "--csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} --json {output.json:q} &> {log:q}"
