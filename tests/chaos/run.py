"""Injects faults into the tiny workflow until there are as many as asked for, and records what became of each.

    python tests/chaos/run.py --faults 160 --seed 1 --record faults.csv

All happens in a folder of its own; downloads come from 127.0.0.1. Ends with status 1 if anything was lost or wrong,
or an error did not say what it was. The faults of a full disk need the right to mount a small file system and are left
out elsewhere.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
ROOT = Path(__file__).parents[2]

from chaos.experiment import CHANGED, FAILED, TABLE, Experiment, Fault, write_record  # noqa: E402 -- found by the line above
from chaos.served import BEHAVIOURS, CorpusServer, serving  # noqa: E402
from workflow.tiny_workflow import TinyWorkflow  # noqa: E402

DISK = 64  # MiB, of the file system that is filled
TRAINED = ("k_cvae_bow", "sepacvae")
REMADE = ("examples", *(f"{stage}/embedded/{system}" for stage in ("models", "responses") for system in TRAINED))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200, help="at least so many (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="decides kinds, targets and moments (default 1)")
    parser.add_argument("--record", type=Path, required=True, help="CSV file, a row for each fault")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a run under way is ended and the disk given back
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, serving() as server:
        undisturbed, seconds = finished_run(Path(folder) / "undisturbed")
        changed = undisturbed.copy(Path(folder) / "changed")
        assert changed.run(TABLE, changes=CHANGED).returncode == 0
        experiment = Experiment(undisturbed, Path(folder) / "disturbed", arguments.seed, seconds / 40, changed)
        experiment.tell = lambda line: print(line, flush=True)
        with small_disk(experiment.results) as mounted:
            for episode in episodes(experiment, server, mounted, arguments.seed):
                episode()
                write_record(arguments.record, experiment.record)
                if len(experiment.record) >= arguments.faults:
                    break
    print(summary(experiment.record))
    sys.exit(any(fault.outcome.startswith(FAILED) for fault in experiment.record))


def finished_run(folder: Path) -> tuple[TinyWorkflow, float]:
    """Table 2 of the random and the human responses and of two trained systems; with the seconds that it took."""
    workflow = TinyWorkflow.create(folder)
    workflow.keep_systems("random", "human", *TRAINED)
    started = time.monotonic()
    done = workflow.run(TABLE)
    assert done.returncode == 0, done.stdout
    return workflow, time.monotonic() - started


def episodes(experiment: Experiment, server: CorpusServer, mounted: bool, seed: int) -> Iterator[Callable[[], None]]:
    """Rounds of about 100 faults, each with all kinds, in an order that the seed decides."""
    rng = random.Random(seed)
    while True:
        chosen: list[Callable[[], None]] = [
            partial(experiment.kill_jobs, 24, "dialogues"),
            partial(experiment.kill_jobs, 12, "models/embedded/sepacvae"),
            *(partial(experiment.kill_scheduler, stage, 6, whole_group=False) for stage in rng.sample(REMADE, 1)),
            *(partial(experiment.kill_scheduler, stage, 4, whole_group=True) for stage in rng.sample(REMADE, 1)),
            *(partial(experiment.damage_files, 12) for _ in range(3)),
            *(partial(experiment.damage_state, system) for system in TRAINED),
            partial(experiment.move_clocks, 12),
            *(partial(experiment.start_twice, stage) for stage in rng.sample(REMADE, 1)),
        ]
        stage = rng.choice(["models", "responses", "scores"])
        chosen += [
            partial(experiment.change_settings, 6),
            partial(experiment.swap, stage, *TRAINED),
            partial(experiment.put_back, stage, rng.choice(TRAINED)),
            experiment.share,
            experiment.lose_notes,
        ]
        if mounted:
            chosen += [partial(experiment.fill_disk, stage) for stage in rng.sample(REMADE, 2)]
        for behaviour in [*BEHAVIOURS, "job killed"]:
            pinned = behaviour in ("other bytes", "job killed") or rng.random() < 0.5
            chosen += [partial(experiment.download, server, behaviour, pinned)]
        rng.shuffle(chosen)
        yield from chosen


@contextmanager
def small_disk(results: Path) -> Iterator[bool]:
    """Move results to a file system of their own, where the right to mount one is given."""
    held = results.with_name("held")
    results.rename(held)
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(results)]
    mounted = sys.platform == "linux" and subprocess.run(mount, capture_output=True).returncode == 0
    if not mounted:
        print("No right to mount a file system: the disk is not filled.")
    try:
        subprocess.run(["cp", "-a", f"{held}/.", str(results)], check=True)
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(results)], check=True)


def summary(record: list[Fault]) -> str:
    """Kinds by outcomes as a Markdown table."""
    outcomes = sorted({fault.outcome.partition(":")[0] for fault in record})
    counts = Counter((fault.kind, fault.outcome.partition(":")[0]) for fault in record)
    lines = [f"| fault | injected | {' | '.join(outcomes)} |", "|---" + "|---:" * (len(outcomes) + 1) + "|"]
    for kind in sorted({fault.kind for fault in record}):
        cells = [counts[kind, outcome] for outcome in outcomes]
        lines.append(f"| {kind} | {sum(cells)} | {' | '.join(str(cell or '') for cell in cells)} |")
    totals = [sum(counts[kind, outcome] for kind in {f.kind for f in record}) for outcome in outcomes]
    lines.append(f"| all | {sum(totals)} | {' | '.join(map(str, totals))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
