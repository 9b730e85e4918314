# The plan of each job (pipeline_lib.files.provenance), a parameter of every rule that makes something: its name covers
# the settings and the code of the whole chain, so that a change anywhere upstream makes everything downstream again,
# whatever lies on disk. Snakemake compares a job's own parameters and the times of its inputs alone.

from functools import partial

from snakemake.io import is_callable
from snakemake.output_index import OutputIndex
from snakemake.settings.enums import RerunTrigger

from pipeline_lib.files.checksums import checksum_file, is_local_copy
from pipeline_lib.files.disk import unwritable
from pipeline_lib.files.lock import hold
from pipeline_lib.files.outside import OutsideFiles
from pipeline_lib.files.provenance import OUTSIDE, PLANS, Plan, name_below, record_of, save_plan

OURS = [rule for rule in workflow.rules if rule.output and Path(rule.snakefile).is_relative_to(ROOT)]
_makers = OutputIndex(OURS)
_plans, _in_progress = {}, set()
_outside = OutsideFiles(RESULTS / PLANS, kept=not workflow.dryrun)


def name_of(path):
    """Return the name of a file in plans: its path below the results folder, or ``@`` and the end of its path."""
    if is_local_copy(path := Path(path)):  # .snakemake/storage/<provider>/<bucket>/<results>/…
        path = Path(str(path).partition(f"/{RESULTS}/")[2])
        return path.as_posix()
    name = name_below(RESULTS, path)
    return name if not Path(name).is_absolute() else "@" + "/".join(path.parts[-2:])


def plan_of_file(path):
    """Return the plan of the job that makes a file; None if no stage of this workflow does."""
    makers = _makers.match_producers(path)
    if not makers:
        return None
    (rule,) = makers
    return plan_of(rule, rule.get_wildcards(path))[0]


def plan_of(rule, wildcards):
    """Plan a job; gives the plan, the names of its outputs, and the path of each input from outside by its name."""
    key = (rule.name, *sorted(wildcards.items()))
    if key not in _plans:
        _in_progress.add(key)
        inputs = rule.expand_input(wildcards)[0]
        digests, outside = {}, {}
        for path in inputs:
            plan = plan_of_file(path)
            digests[name_of(path)] = plan.digest if plan else OUTSIDE
            if not plan:
                outside[name_of(path)] = str(path)
        given = settings_of_rule(rule, wildcards, inputs)
        plan = Plan(script_of(rule, given), dict(wildcards), given, given.pop("code", ""), digests)
        outputs = [name_of(path) for path in rule.expand_output(wildcards)[0]]
        _plans[key] = plan, outputs, outside
        _in_progress.remove(key)
    return _plans[key]


def script_of(rule, given):
    """Return the script of a job, the name of its stage: from the command, or the parameter that the command names."""
    named = re.search(r"\$SCRIPTS/(\w+)\.py", rule.shellcmd)
    return named[1] if named else given.pop("script")


def settings_of_rule(rule, wildcards, inputs):
    """Return the parameters of a rule's job without its plan, its inputs as options, and folders, which change nothing."""
    found = {}
    for name, value in rule.params._allitems():
        if name in ("plan", "files"):
            continue
        if is_callable(value):
            value = rule.apply_input_function(value, wildcards, input=inputs)[0]
        if not isinstance(value, Path):
            found[name] = plain(value)
    return found


def plain(value):
    """Return a parameter without the name of the results folder; JSON is read, so that a difference can name its key."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if not isinstance(value, str):
        return value
    value = value.replace(f"{RESULTS}/", "")
    try:
        return json.loads(value) if value[:1] in ("{", "[") else value
    except json.JSONDecodeError:  # a caption or a label, which may begin so
        return value


def plan(rule, wildcards):
    """Make a parameter: the path of the job's plan, which is written where a job will read it."""
    made, outputs, outside = plan_of(rule, dict(wildcards.items()))
    plans = RESULTS / PLANS
    try:
        path = plans / f"{made.digest}.json" if workflow.dryrun else save_plan(plans, made, outputs, outside)
    except PipelineError as error:
        raise WorkflowError(str(error)) from None
    return str(path)  # of a Path, Snakemake does not notice that it changed


def made_anew_if_stale(rule, wildcards):
    """Make an input function of no inputs, which has a job run whose outputs Snakemake holds for current wrongly.

    It knows the parameters that a file was made with only where its own notes are: not in results that were copied, or
    that another working directory has written since; and it may be told not to look at them. Of a file from outside it
    compares the time alone, which is an old one where another file was moved or copied in its place.
    """
    key = (rule.name, *sorted(wildcards.items()))
    if key not in _in_progress:
        made, _, outside = plan_of(rule, dict(wildcards.items()))
        overlooked = RerunTrigger.PARAMS not in workflow.rerun_triggers
        for path in rule.expand_output(wildcards)[0]:
            noted = workflow.persistence.params(path)
            held_current = overlooked or noted is None or any(made.digest in value for value in noted)
            if held_current and is_stale(path, made.digest) or outside and _outside.replaced(path, outside):
                workflow.dag.forcefiles.add(path)
    return []


def hold_results():
    """Lock the results folder for this run: Snakemake's own lock is of the working directory."""
    try:
        hold(RESULTS)
    except PipelineError as error:
        raise WorkflowError(str(error)) from None
    except OSError as error:
        raise WorkflowError(str(unwritable(RESULTS, error))) from None


def is_stale(path, digest):
    """Tell whether a file that a stage wrote is gone or was made by another plan; not one put there by hand."""
    path = Path(path)
    if is_local_copy(path) or not checksum_file(path).exists():
        return False
    record = record_of(path)
    return not path.exists() or record is None or record.plan.digest != digest


for rule_ in OURS:
    rule_.set_params(plan=partial(plan, rule_))
    rule_.set_input(partial(made_anew_if_stale, rule_))
