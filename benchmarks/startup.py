"""What a user waits for before any work is done: an up-to-date table, and the imports of every stage without torch.

    python benchmarks/startup.py [repetitions]

Prints medians; about a minute. The table is that of the default run with all its jobs; its files are empty
and marked as made (`snakemake --touch`), in a temporary folder: Snakemake looks at times and records, not at content.
"""

import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from measure import REPOSITORY, Run, head, python, row, run

REPETITIONS = 5
TABLE = "results/tables/table2.csv"
WITH_TORCH = {"train_model", "generate_responses"}
LOAD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("script", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print("torch" in sys.modules)
"""


def main(repetitions: int) -> None:
    head("start-up", "s", "processor s", "goal s", "peak MiB", "torch")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = pretend_made(folder)
        report(f"snakemake {TABLE}, up to date, {jobs} jobs", [snakemake(folder) for _ in range(repetitions)], 3.5)
    for script in sorted((REPOSITORY / "workflow/scripts").glob("*.py")):
        if script.stem not in WITH_TORCH:
            report(f"import {script.name}", [python("-c", LOAD, script) for _ in range(repetitions)], 0.5)


def report(name: str, runs: list[Run], goal: float) -> None:
    torch = "yes" if any(run.output.strip() == "True" for run in runs) else "no"
    seconds = [statistics.median(times) for times in zip(*((run.seconds, run.processor) for run in runs), strict=True)]
    row(name, *(f"{median:.2f}" for median in seconds), str(goal), f"{max(run.peak for run in runs):.0f}", torch)


def snakemake(folder: Path, *arguments: str) -> Run:
    command = (sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", "1")
    return run(*command, *arguments, TABLE, folder=folder)


def pretend_made(folder: Path) -> int:
    """Make ``folder`` a working directory in which every file of the table is up to date; returns how many jobs."""
    shutil.copy(REPOSITORY / "config.yaml", folder)
    summary = snakemake(folder, "--summary").output.splitlines()
    for line in summary[1:]:
        file = folder / line.split("\t")[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    touched = re.search(r"(\d+) of \1 steps", snakemake(folder, "--touch").messages)
    if not touched or "Nothing to be done" not in snakemake(folder, "--dry-run").output:
        raise SystemExit(f"{TABLE} is not up to date after `snakemake --touch`: was the code edited meanwhile?")
    return int(touched[1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else REPETITIONS)
