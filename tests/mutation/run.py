"""Tests of the tests: mutmut changes single expressions of a folder's code, and its unit tests should fail.

    make mutation FOLDER=models SAMPLE=120

All happens in a copy of the tracked files (`--work`, kept, so that `mutmut show` and `mutmut run` work there). Of the
folder's mutants a random sample is run. Texts of errors are not changed, and mutmut leaves decorated functions and
class bodies alone. docs/operations/mutation.md tells what was found.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
# the tests that mutants of a folder are run against: quick ones, in the process of pytest itself
TESTS = {
    "models": ["models"],
    "training": ["training", "compute/test_sharing.py"],
    "metrics": ["metrics"],
    "significance": ["significance"],
}
# tests that start other processes, which mutmut cannot follow
OTHER_PROCESSES = ["a_job", "second_job", "job_starts", "damaged_checkpoint_costs", "kept_weights", "records_name"]
OTHER_PROCESSES += ["peak_memory", "splits_of_a_table"]
SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/pipeline_lib/{folder}/*"]
do_not_mutate_patterns = ["(raise|return) .*Error"]
also_copy = ["workflow", "papers", "config", "docs", "src"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-k", "{chosen}"]
process_isolation = "forkserver"
use_git_change_detection = false
"""
KILLED, SURVIVED, UNTESTED, NOT_RUN = "killed", "survived", "no test", "not run"
# by exit code; every other, that of a timeout included, means that a test noticed
OUTCOMES = {0: SURVIVED, 5: UNTESTED, 33: UNTESTED, None: NOT_RUN, 2: NOT_RUN}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", choices=TESTS, help="folder of src/pipeline_lib")
    parser.add_argument("--sample", type=int, default=100, help="mutants to run (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="decides the sample (default 1)")
    parser.add_argument("--processes", type=int, default=2, help="mutants at the same time (default 2)")
    parser.add_argument("--work", type=Path, required=True, help="folder of the copy, made anew")
    parser.add_argument("--record", type=Path, required=True, help="CSV file, a row for each mutant of the sample")
    arguments = parser.parse_args()
    copy_tree(arguments.folder, arguments.work)
    mutmut(arguments.work, "run", "no-such-mutant", check=False)  # makes the mutants and finds the tests of each
    mutants = sorted(results(arguments.work))
    sample = random.Random(arguments.seed).sample(mutants, min(arguments.sample, len(mutants)))
    mutmut(arguments.work, "run", "--max-children", str(arguments.processes), *sample)
    found = {name: OUTCOMES.get(code, KILLED) for name, code in results(arguments.work).items() if name in sample}
    write_record(arguments.record, found)
    for name in sorted(name for name, outcome in found.items() if outcome != KILLED):
        print(f"--- {found[name]}", flush=True)
        mutmut(arguments.work, "show", name)
    print(summary(found, len(mutants)))


def copy_tree(folder: str, work: Path) -> None:
    """Copy the tracked files, and tell mutmut what to change and what to run."""
    shutil.rmtree(work, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, work / name)
    tests = json.dumps([f"tests/unit/{name}" for name in TESTS[folder] if (ROOT / "tests/unit" / name).exists()])
    with open(work / "pyproject.toml", "a", encoding="utf-8") as settings:
        chosen = " and ".join(f"not {name}" for name in OTHER_PROCESSES)
        settings.write(SETTINGS.format(folder=folder, tests=tests, chosen=chosen))


def mutmut(work: Path, *arguments: str, check: bool = True) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}  # the changed code alone is imported
    subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=work, env=environment, check=check)


def results(work: Path) -> dict[str, int | None]:
    """Read the exit code of the tests by mutant; None where they have not run."""
    codes: dict[str, int | None] = {}
    for path in (work / "mutants").rglob("*.py.meta"):
        codes |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return codes


def module_of(mutant: str) -> str:
    """Return the module's name without the package: ``models.cvae``."""
    return mutant.rpartition(".")[0].removeprefix("pipeline_lib.")


def write_record(path: Path, found: dict[str, str]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["module", "mutant", "outcome"])
        rows.writerows([module_of(name), name, outcome] for name, outcome in sorted(found.items()))


def summary(found: dict[str, str], mutants: int) -> str:
    """Return a Markdown table: how many mutants of each module the tests noticed."""
    outcomes = (KILLED, SURVIVED, UNTESTED, NOT_RUN)
    lines = [f"{len(found)} of {mutants} mutants", "", f"| module | sample | {' | '.join(outcomes)} |"]
    lines.append("| --- | --: | --: | --: | --: | --: |")
    by_module: dict[str, Counter[str]] = {}
    for name, outcome in sorted(found.items()):
        by_module.setdefault(module_of(name), Counter())[outcome] += 1
    for module, counts in by_module.items():
        parts = [counts.total(), *(counts[outcome] for outcome in outcomes)]
        lines.append(f"| {module} | {' | '.join(map(str, parts))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
