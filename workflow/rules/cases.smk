# Table 5: training contexts with contradictory responses, and what every system makes of the contexts near them.


rule find_cases:
    """Find training contexts with contradictory responses, and the contexts nearest to them in the other splits."""
    input:
        train=RESULTS / "filtered/{corpus}/train.parquet",
        validation=RESULTS / "filtered/{corpus}/validation.parquet",
        test=RESULTS / "filtered/{corpus}/test.parquet",
        vectors=vectors_of,
    output:
        RESULTS / "cases/{corpus}/cases.parquet",
    log:
        LOGS / "cases/{corpus}.log",
    benchmark:
        BENCHMARKS / "cases/{corpus}.tsv"
    resources:
        mem_mb=attempts_of(4_000),
    params:
        settings=CONFIG.cases.model_dump_json(),
        tokeniser=tokeniser_of,
        code=with_tokeniser("find_cases"),
    shell:
        "python $SCRIPTS/find_cases.py --train {input.train:q} --validation {input.validation:q} --test {input.test:q} "
        "--vectors {input.vectors:q} --settings {params.settings:q} "
        "--tokeniser {params.tokeniser} --out {output:q} &> {log:q}"


rule make_case_table:
    """Table 5: the cases with every system's answers, of the runs with the first seed."""
    input:
        cases=expand(RESULTS / "cases/{corpus}/cases.parquet", corpus=CONFIG.corpora),
        answers=expand(
            RESULTS / "items/{corpus}/{system}/seed{seed}/{split}.parquet",
            corpus=CONFIG.corpora,
            system=ANSWERING,
            seed=CONFIG.seeds[0],
            split=["validation", "test"],
        ),
    output:
        csv=report(
            RESULTS / "tables/table5.csv",
            caption="../report/table5.rst",
            category="Tables",
            labels={"table": "5", "format": "csv"},
        ),
        md=report(
            RESULTS / "tables/table5.md",
            caption="../report/table5.rst",
            category="Tables",
            labels={"table": "5", "format": "md"},
        ),
        tex=report(
            RESULTS / "tables/table5.tex",
            caption="../report/table5.rst",
            category="Tables",
            labels={"table": "5", "format": "tex"},
        ),
    log:
        LOGS / "tables/table5.log",
    params:
        layout=rows_of(ANSWERING, CONFIG.seeds[:1]),
        contexts=CONFIG.cases.contexts,
        code=code_of("make_case_table"),
    shell:
        "python $SCRIPTS/make_case_table.py --cases {input.cases:q} --items {input.answers:q} --layout {params.layout:q} "
        "--contexts {params.contexts} --csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} &> {log:q}"
