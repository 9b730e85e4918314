# A target below the results folder that no rule makes: say what there is instead of "no rule to produce".
# Not a rule of its own: one that matches every file would be tried, with a warning, for each that another rule makes.

from snakemake.cli import get_argument_parser

unmade = [
    word
    for word in sys.argv[1:]
    if Path(os.path.relpath(word or ".")).is_relative_to(os.path.relpath(RESULTS))
    # in object storage a rule's outputs bear the bucket's name, so that no word on the command line could match
    and workflow.storage_settings.default_storage_provider is None
    and not any(rule.is_producer(word) for rule in workflow.rules)
]
if unmade and not AS_MODULE:  # a workflow that uses this one may make it with a rule still to come
    # a word may also be the value of an option, such as `--report`
    for target in set(unmade).intersection(get_argument_parser().parse_known_args()[0].targets):
        raise WorkflowError(
            f"Error: no stage makes {target}\n"
            f"  corpora:  {', '.join(CORPORA)}\n"
            f"  systems:  {', '.join([*SYSTEMS, *CONFIG.ablations])}\n"
            f"  seeds:    {', '.join(map(str, SEEDS))}\n"
            f"  splits:   {', '.join(SPLITS)}\n"
            f"  clusters: {', '.join(CLUSTERINGS)}\n"
            f"  tables:   {', '.join(TABLES)}\n"
            "  remedy:   correct the name (README, `Rerun one stage`), add it to the configuration, or name the overlay\n"
            "            that has it: --configfile config/<overlay>.yaml"
        )
