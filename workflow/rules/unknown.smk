# A target that no rule makes: say what there is instead of "no rule to produce", or which command makes it, if it is
# another paper's or another preset's.
# Not a rule of its own: one that matches every file would be tried, with a warning, for each that another rule makes.

from snakemake.cli import get_argument_parser

from pipeline_lib.config.catalogue import command, owner
from pipeline_lib.config.loading import read_yaml
from pipeline_lib.errors import did_you_mean


def unmade_targets():
    """List targets of the command line that no rule makes, and that are not a rule's name."""
    # in object storage a rule's outputs carry the bucket's name, so that no word on the command line could match;
    # a workflow that uses this one may make a file with a rule still to come
    if AS_MODULE or workflow.storage_settings.default_storage_provider is not None:
        return []
    rules = list(workflow.rules)
    named = {word for word in sys.argv[1:] if word and not any(rule.name == word for rule in rules)}
    unmade = [word for word in named if not any(rule.is_producer(word) for rule in rules)]
    # a word may also be an option or its value, such as `--report`
    return [word for word in get_argument_parser().parse_known_args()[0].targets if word in unmade] if unmade else []


def nearest_target(target):
    """Say which target was meant by one outside the results folder: a table, the same file in that folder, or a rule."""
    if target in CONFIG.tables:
        return f"did you mean '{RESULTS / 'tables' / target}.csv'?"
    parts = Path(target).parts
    below = [RESULTS.joinpath(*parts[start:]).as_posix() for start in range(len(parts))]
    made = [path for path in below if any(rule.is_producer(path) for rule in workflow.rules)]
    if made:
        return f"did you mean {made[0]!r}?"
    return did_you_mean(target, [rule.name for rule in workflow.rules if not rule.has_wildcards()])


for target in unmade_targets():
    path = Path(os.path.relpath(target))
    ours = path.is_relative_to(os.path.relpath(RESULTS))
    other = owner(ROOT, path.as_posix())
    if other and not (ours and len(RESULTS.parts) >= len(Path(other.results).parts)):
        raise WorkflowError(
            f"Error: {target} is made by the preset {other.name!r} of the paper {other.paper!r}\n"
            f"  where:    this run is of the paper {CONFIG.paper!r}, preset {CONFIG.preset!r}, folder {CONFIG.results}\n"
            f"  remedy:   {command(other.paper, other.name, target, read_yaml(Path('config.yaml')))}"
        )
    if not ours and Path(target).exists():
        continue
    if not ours:
        raise WorkflowError(
            f"Error: no stage makes {target}\n"
            f"  where:    the command line\n"
            f"  expected: the name of a rule, or a file below {CONFIG.results}; {nearest_target(target)}\n"
            "  remedy:   correct the name; `python -m pipeline_lib list` shows what there is"
        )
    raise WorkflowError(
        f"Error: no stage makes {target}\n"
        f"  paper:    {CONFIG.paper}, preset {CONFIG.preset}, folder {CONFIG.results}\n"
        f"  corpora:  {', '.join(CORPORA)}\n"
        f"  systems:  {', '.join(SYSTEMS)}\n"
        f"  seeds:    {', '.join(map(str, SEEDS))}\n"
        f"  splits:   {', '.join(SPLITS)}\n"
        f"  clusters: {', '.join(CLUSTERINGS)}\n"
        f"  tables:   {', '.join(CONFIG.tables)}; in tables/<table>.csv\n"
        f"  figures:  {', '.join(CONFIG.figures)}; in figures/<corpus>/<figure>.svg\n"
        f"  analyses: {', '.join(CONFIG.analyses)}\n"
        "  remedy:   correct the name, add it to the configuration, or name the paper and the preset that have it:\n"
        "            --config paper=<paper> preset=<preset>; `python -m pipeline_lib list` shows all of them"
    )
