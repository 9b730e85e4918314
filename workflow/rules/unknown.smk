# A target below the results folder that no rule makes: say what there is instead of "no rule to produce".


def explain(wildcards):
    raise WorkflowError(
        f"Error: no stage makes {RESULTS / wildcards.anything}, or one of its inputs cannot be made\n"
        f"  corpora:  {', '.join(CONFIG.corpora)}\n"
        f"  systems:  {', '.join(CONFIG.systems)}\n"
        f"  seeds:    {', '.join(map(str, CONFIG.seeds))}\n"
        f"  splits:   {', '.join(SPLITS)}\n"
        f"  clusters: {', '.join(CLUSTERINGS)}\n"
        f"  tables:   {', '.join(TABLES)}\n"
        "  remedy:   correct the name (README, `Rerun one stage`), or add it to the configuration"
    )


rule unknown_target:
    """Never run: its input function raises."""
    input:
        explain,
    output:
        RESULTS / "{anything}",
    log:
        LOGS / "unknown/{anything}.log",
    shell:
        "false &> {log:q}"


ruleorder:
    download_corpus
    > extract_dialogues
    > extract_pairs
    > filter_pairs
    > count_pairs
    > fetch_vectors
    > select_vectors
    > train_vectors
    > train_vectors_with_package
    > build_vocabulary
    > extract_keywords
    > cluster_pairs
    > train_model
    > generate_responses
    > generate_baseline
    > score_responses
    > collect_scores
    > compare_systems
    > make_table
    > unknown_target
