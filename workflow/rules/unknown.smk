# A target below the results folder that no rule makes: say what there is instead of "no rule to produce".


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
