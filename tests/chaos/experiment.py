"""One workflow, the faults that befall it, and what a user does about each until the tables are there."""

import csv
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from chaos import faults
from chaos.served import CorpusServer
from pipeline_lib.files.provenance import PLANS, Job
from pipeline_lib.runs.chain import Chain
from workflow.tiny_workflow import TinyWorkflow

TABLE = "results/tables/table2.csv"
MOST_RERUNS = 6
FAILED = ("WRONG", "LOST", "UNCLEAR")  # how an outcome begins: other tables, none at all, or an error that says nothing
UNREAD = ("logs", "benchmarks")  # what Snakemake and TensorBoard write: no table is made from them
UNCOMPARED = (*UNREAD, "raw", ".plans", ".store", "ballast")
CHANGED = {"decoding": {"importance_samples": 3}, "training": {"max_steps": 15}}  # after a change of mind
VOLATILE = {"seconds", "tokens_per_s", "matrix_peak"}  # of histories and summaries: how long it took
STAGES = ("dialogues", "examples", "vectors", "filtered", "vocabulary", "encoded", "clusters")  # of a corpus, in order
STAGES_OF_SYSTEM = ("models", "responses", "scores", "items")
SUMMED_UP = ("scores/validation", "significance", "tables")


@dataclass
class Fault:
    """A row of the record. ``reruns``: times that the workflow was started again until all was well."""

    number: int
    kind: str
    target: str
    when: str
    happened: str = ""
    reruns: int = 0
    outcome: str = "pending"


@dataclass
class Recovery:
    """What it took to come to the end: how often the workflow was started, and what the user was told to do."""

    runs: int = 0
    unlocked: int = 0
    named: list[str] = field(default_factory=list)  # files that an error named, deleted as it says
    verified: list[str] = field(default_factory=list)  # files that only `pipeline_lib verify` named
    touched: list[str] = field(default_factory=list)  # files of which Snakemake says that they are of the future
    screens: list[str] = field(default_factory=list)

    def outcome(self, fault: Fault) -> str:
        """How one of the faults ended, all being well at last."""
        place, _, name = f"results/{fault.target}".rpartition("/")
        if name.endswith(".sha256"):  # it is the file that is named
            name = name[1:].removesuffix(".sha256")
        if f"{place}/{name}" in self.named:
            return "error named the file; deleted, equal"
        if f"{place}/{name}" in self.verified:
            return "verify named the file; deleted, equal"
        if f"{place}/{name}" in self.touched:
            return "Snakemake named the file; touched, equal"
        if self.unlocked:
            return "unlocked, equal"
        if fault.kind in faults.DAMAGES and fault.target.startswith(UNREAD):
            return "no stage reads it, equal"
        stopped = self.runs > 1 and not (self.named or self.verified or self.touched)
        return "same command again, equal" if stopped else "unharmed, equal"


class Experiment:
    """Injects faults into a copy of a finished workflow and holds it against the undisturbed run.

    Args:
        finished: a workflow that has made Table 2; it is left as it is.
        changed: a copy of it that has then made Table 2 with the settings ``CHANGED``; None: no settings are changed.
        folder: where the copy goes.
        seed: decides kinds, targets and moments.
        pause: seconds between two kills, on average; on a slow machine more, or no job would ever end.
    """

    def __init__(
        self, finished: TinyWorkflow, folder: Path, seed: int, pause: float, changed: TinyWorkflow | None = None
    ) -> None:
        self.pause, self.finished, self.changed = pause, finished, changed
        self.changes: dict[str, Any] | None = None  # of the settings, now
        self.workflow, self.rng = finished.copy(folder), random.Random(seed)
        self.results = self.workflow.results
        self.record: list[Fault] = []
        self.furthest: dict[Path, int] = {}  # steps of checkpoints seen
        self.went_back: list[str] = []
        self.tell: Callable[[str], None] = lambda line: None

    # --- faults ---

    def kill_jobs(self, most: int, again: str) -> None:
        """SIGKILL a running stage now and then while the outputs in ``again`` are made once more; jobs are retried."""
        self.remove(*made_from(again))
        own = []
        with self.running("--retries", str(most)) as run:
            while run.poll() is None and len(own) < most:
                self.wait(run, self.rng.uniform(0.2, 1.8) * self.pause)
                if stage := faults.kill_one_job(run.pid, self.rng):
                    own.append(self.fault("job killed", stage, f"while {again} is made"))
                    own[-1].happened = "Snakemake started it again"
            while run.poll() is None:
                self.wait(run, 0.2)
        self.settle(own)

    def kill_scheduler(self, again: str, times: int, whole_group: bool) -> None:
        """SIGKILL Snakemake, with its jobs or without, again and again while the outputs in ``again`` are made anew."""
        self.remove(*made_from(again))
        kind = "Snakemake and jobs killed" if whole_group else "Snakemake killed"
        own: list[Fault] = []
        for _ in range(times):
            if own:
                self.unlock()
            with self.running() as run:
                self.wait_for_job(run)
                self.wait(run, self.rng.uniform(0.0, 1.5) * self.pause)
                jobs = faults.jobs_of(run.pid)
                target = ", ".join(sorted({self.stage(job) for job in jobs}) or ["between jobs"])
                own.append(self.fault(kind, target, f"while {again} is made"))
                with suppress(ProcessLookupError):  # it was about to end by itself
                    (os.killpg if whole_group else os.kill)(run.pid, signal.SIGKILL)
                run.wait()
            until = time.monotonic() + 20
            while (living := any(job.is_running() for job in jobs)) and time.monotonic() < until:
                time.sleep(0.05)
            own[-1].happened = "a job lived on" if living else "jobs ended with it"
        self.settle(own)

    def damage_files(self, count: int, among: Callable[[Path], bool] = Path.exists) -> None:
        """Damage files between two runs, one of them such that what is made from it is to be made again.

        Args:
            among: tells of a file whether it may be damaged; by default any may.
        """
        read = self.rng.choice([path for path in faults.files_below(self.results) if among(path)])
        self.remove(*made_from(read.relative_to(self.results).as_posix()))
        others = [path for path in faults.files_below(self.results) if path != read and among(path)]
        own = []
        for path in [read, *self.rng.sample(others, count - 1)]:
            kind = self.rng.choice(faults.DAMAGES)
            name = path.relative_to(self.results).as_posix()
            told = faults.damage(path, kind, self.rng, keep_time=self.rng.random() < 0.5)
            own.append(self.fault(kind, name, "between runs", told))
        self.settle(own)

    def damage_state(self, system: str) -> None:
        """Kill training of one system, damage a file of its state, and go on."""
        self.remove(*made_from(f"models/embedded/{system}"))
        with self.running() as run:
            while run.poll() is None and not list(self.results.glob(".state/*/checkpoint.safetensors")):
                time.sleep(0.005)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        states = [path for path in faults.files_below(self.results / ".state") if path.suffix != ".tmp"]
        if not states:
            return self.settle([])
        path, kind = self.rng.choice(states), self.rng.choice(faults.DAMAGES)
        told = faults.damage(path, kind, self.rng, keep_time=True)
        self.furthest.clear()  # where the checkpoint goes, its steps have to be done again
        name = path.relative_to(self.results).as_posix()
        self.settle([self.fault(kind, name, "training killed", told)])

    def move_clocks(self, count: int) -> None:
        """Set files to other times between two runs; what is made from one of them is to be made again."""
        paths = self.rng.sample(list(faults.files_below(self.results)), count)
        own = []
        for path in paths:
            told = faults.move_clock(path, self.rng)
            own.append(self.fault("clock moved", path.relative_to(self.results).as_posix(), "between runs", told))
        self.remove(*made_from(own[0].target))
        self.settle(own)

    def start_twice(self, again: str) -> None:
        """Start a second workflow in the folder of a running one."""
        self.remove(*made_from(again))
        delay = self.rng.choice([0.0, 0.5, 5.0])
        with self.running() as first:
            self.wait(first, delay)
            second = self.workflow.run(TABLE)
            first.wait()
        fault = self.fault("second workflow", again, f"{delay} s after the first")
        if "cannot be locked" in second.stdout:
            fault.happened = "the second was refused: the folder is locked"
        else:
            fault.happened = f"the first ended with {first.returncode}, the second with {second.returncode}"
        self.settle([fault])

    def fill_disk(self, again: str) -> None:
        """Leave little room on the file system of the results, run, make room again."""
        self.remove(*made_from(again))
        ballast, room = self.results / "ballast", self.rng.choice([4, 16, 64, 128])
        free = shutil.disk_usage(self.results).free
        ballast.write_bytes(bytes(max(0, free - room * 1024)))
        fault = self.fault("disk full", again, f"{room} KiB left")
        done = self.workflow.run(TABLE)
        ballast.unlink()
        if done.returncode == 0:
            fault.happened = "there was room enough"
        elif "no space left on the disk" in done.stdout:
            fault.happened = "error said so and where"
        else:
            named = re.findall(r"^.*(?:No space left|ENOSPC).*$", done.stdout, re.MULTILINE)
            fault.happened = f"Snakemake's own: {named[-1].strip()[:90]}" if named else unclear(done)
        self.settle([fault], [done])

    def download(self, server: CorpusServer, behaviour: str, pinned: bool) -> None:
        """Fetch a corpus from a server that misbehaves a few times, or until it is mended."""
        shutil.rmtree(self.results / "raw", ignore_errors=True)
        digest = hashlib.sha256(server.content).hexdigest()
        file = {"name": "talk.csv", "urls": [server.url], "sha256": digest if pinned else None}
        source = {"reader": "table", "label": "Served", "licence": "none", "bundles": [[file]]}
        changes = {"corpora": ["served"], "sources": {"served": source}}
        target = "results/raw/served/manifest.json"
        times = 1 if behaviour in ("stalls", "drips") else self.rng.choice([1, 2, 9])
        fault = self.fault(f"download: {behaviour}", "raw/served/talk.csv", f"{times} times")
        if behaviour == "job killed":
            server.misbehave("stalls", 1)
            with self.running(target, changes=changes) as run:
                while run.poll() is None and not list(self.results.glob("raw/served/talk.csv.part")):
                    time.sleep(0.01)
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
            self.workflow.run(target, "--unlock", changes=changes)
            done = self.workflow.run(target, changes=changes)
            fault.reruns = 1
        else:
            server.misbehave(behaviour, times)
            done = self.workflow.run(target, changes=changes)
        if done.returncode:
            fault.happened = "error listed what was tried" if "could not be fetched" in done.stdout else unclear(done)
            server.misbehave("", 0)
            fault.reruns += 1
            done = self.workflow.run(target, changes=changes)
        fault.happened = fault.happened or "fetched all the same"
        fetched = self.results / "raw/served/talk.csv"
        whole = done.returncode == 0 and fetched.read_bytes() == server.content
        again = "same command again, equal" if fault.reruns else "unharmed, equal"
        again = fault.happened if fault.happened.startswith(FAILED) else again
        fault.outcome = again if whole else "WRONG: " + done.stdout[-300:]
        self.close(fault)

    def change_settings(self, most: int) -> None:
        """Change settings, kill jobs of the run that follows, and go on; then change them back, in the same way."""
        assert self.changed
        for changes in (CHANGED, None):
            self.changes = changes
            self.furthest.clear()
            own: list[Fault] = []
            with self.running() as run:
                while run.poll() is None and len(own) < most:
                    self.wait(run, self.rng.uniform(0.1, 0.9) * self.pause)
                    if stage := faults.kill_one_job(run.pid, self.rng):
                        told = "after settings changed" + (" back" if changes is None else "")
                        own.append(self.fault("job killed, settings changed", stage, told))
                while run.poll() is None:
                    self.wait(run, 0.2)
            self.settle(own)

    def swap(self, stage: str, first: str, second: str) -> None:
        """Exchange the files of two systems, with their checksums."""
        one, other = (self.results / f"{stage}/embedded/{system}" for system in (first, second))
        held = one.with_name("held")
        one.rename(held)
        other.rename(one)
        held.rename(other)
        self.settle([self.fault("files swapped", f"{stage}/embedded/{first}", f"with those of {second}")])

    def put_back(self, stage: str, system: str) -> None:
        """Put files of other settings, with their checksums, in the place of current ones."""
        assert self.changed
        name = f"{stage}/embedded/{system}"
        shutil.rmtree(self.results / name)
        shutil.copytree(self.changed.results / name, self.results / name)
        self.settle([self.fault("older version put back", name, "between runs")])

    def share(self) -> None:
        """Write into the same results from another working directory, with other settings."""
        assert self.changed
        other = self.changed.folder.with_name("second")
        if not other.exists():
            TinyWorkflow(self.changed.folder).copy(other)
        place = {"results": str(self.results)}
        done = TinyWorkflow(other).run(str(self.results / "tables/table2.csv"), changes=place | CHANGED)
        self.settle([self.fault("second working directory", "tables", "between runs", f"it ended {done.returncode}")])

    def lose_notes(self) -> None:
        """Delete what Snakemake notes of files, and change settings; then both once more, back."""
        assert self.changed
        for changes in (CHANGED, None):
            self.changes = changes
            shutil.rmtree(self.workflow.folder / ".snakemake")
            self.settle([self.fault("notes of Snakemake lost", ".snakemake", "and settings changed")])

    # --- recovery ---

    def settle(self, own: list[Fault], screens: list[subprocess.CompletedProcess[str]] | None = None) -> None:
        """Do as a user who is told what to do until the tables are there, then compare everything."""
        recovery = self.recover([screen for screen in screens or [] if screen.returncode])
        reference = self.changed if self.changes and self.changed else self.finished
        differing = different(reference.results, self.results)
        for fault in own:
            fault.reruns = recovery.runs - 1
            fault.outcome = recovery.outcome(fault)
            if recovery.runs > MOST_RERUNS:
                fault.outcome = "LOST: " + recovery.screens[-1][-300:]
            elif differing or self.went_back:
                fault.outcome = "WRONG: " + ", ".join([*differing[:20], *self.went_back])
            elif fault.happened.startswith(FAILED):
                fault.outcome = fault.happened
            self.close(fault)
        if differing or recovery.runs > MOST_RERUNS:
            self.restore()
        self.went_back.clear()

    def recover(self, failed: list[subprocess.CompletedProcess[str]]) -> Recovery:
        recovery = Recovery(runs=len(failed))
        while recovery.runs <= MOST_RERUNS:
            done = self.workflow.run(TABLE, changes=self.changes)
            recovery.runs += 1
            recovery.screens.append(done.stdout)
            if done.returncode == 0:
                if not (changed := self.verified()):
                    break
                recovery.verified += changed
                for name in changed:
                    (self.workflow.folder / name).unlink(missing_ok=True)
            elif "--unlock" in done.stdout:
                recovery.unlocked += 1
                self.unlock()
            elif told := re.findall(r"has older modification time .* than input (\S+) \(", done.stdout):
                recovery.touched += told
                os.utime(self.workflow.folder / told[0])
            elif told := re.findall(r"^  where: +(\S+?)(?::\d+)?$(?:\n  .*)*\n  remedy: +delete", done.stdout, re.M):
                recovery.named += told
                for name in set(told):
                    (self.workflow.folder / name).unlink(missing_ok=True)
                # one damaged file is seldom alone
                recovery.verified += (changed := self.verified())
                for name in changed:
                    (self.workflow.folder / name).unlink(missing_ok=True)
        return recovery

    def unlock(self) -> None:
        done = self.workflow.run(TABLE, "--unlock")
        assert done.returncode == 0, done.stdout

    def verified(self) -> list[str]:
        """Files that the command of the project says are to be deleted."""
        done = subprocess.run(
            [sys.executable, "-m", "pipeline_lib", "verify", "results"],
            cwd=self.workflow.folder,
            env=self.workflow.environment(),
            capture_output=True,
            text=True,
        )
        named = done.stdout.splitlines()
        # where that alone does not bring a file back, what to do stands behind its name
        told = re.findall(r"^(results/\S+): .*\bdelete the file( and manifest\.json)?", done.stderr, re.MULTILINE)
        for name, with_manifest in told:
            named += [name, str(Path(name).with_name("manifest.json"))] if with_manifest else [name]
        return list(dict.fromkeys(named))

    def restore(self) -> None:
        """Begin again from nothing, so that one wrong outcome is not counted with the next."""
        self.remove(*os.listdir(self.results))
        assert self.workflow.run(TABLE, changes=self.changes).returncode == 0

    # --- running ---

    @contextmanager
    def running(self, target: str = TABLE, *options: str, changes: dict[str, Any] | None = None) -> Iterator[Any]:
        """Snakemake in a process group of its own."""
        targets = [target] if not target.startswith("--") else [TABLE, target]
        run = subprocess.Popen(
            self.workflow.command(*targets, *options, changes=changes or self.changes),
            cwd=self.workflow.folder,
            env=self.workflow.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield run
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()

    def wait(self, run: "subprocess.Popen[bytes]", seconds: float) -> None:
        """Let it run, and look whether training ever goes back."""
        until = time.monotonic() + seconds
        while run.poll() is None and time.monotonic() < until:
            self.look_at_training()
            time.sleep(0.02)

    def wait_for_job(self, run: "subprocess.Popen[bytes]") -> None:
        while run.poll() is None and not faults.jobs_of(run.pid):
            time.sleep(0.02)

    def look_at_training(self) -> None:
        for path in self.results.glob(".state/*/checkpoint.safetensors"):
            with suppress(OSError, SafetensorError), safe_open(path, "np") as file:
                step = json.loads(file.metadata()["progress"])["round"]
                if step < self.furthest.get(path.parent, 0):
                    self.went_back.append(f"training went back from step {self.furthest[path.parent]} to {step}")
                self.furthest[path.parent] = step

    def stage(self, job: Any) -> str:
        with suppress(Exception):  # gone by now
            return faults.stage_of(job)
        return ""

    def remove(self, *folders: str) -> None:
        """Outputs to be made again, and not from the store."""
        self.furthest.clear()
        for folder in (*folders, ".store"):
            shutil.rmtree(self.results / folder, ignore_errors=True)

    def fault(self, kind: str, target: str, when: str, happened: str = "") -> Fault:
        self.record.append(Fault(len(self.record) + 1, kind, target, when, happened))
        return self.record[-1]

    def close(self, fault: Fault) -> None:
        self.tell(f"{fault.number:4} {fault.kind}: {fault.target} ({fault.when}; {fault.happened}) -> {fault.outcome}")


def made_from(name: str) -> list[str]:
    """Folders of outputs that are made from a stage or from one of its files, given by its path below results.

    The name of a stage, or of its folder for a system, stands for all of that stage too.
    """
    stage, _, rest = name.partition("/")
    if stage in STAGES:
        return [*STAGES[STAGES.index(stage) + bool(rest) :], *STAGES_OF_SYSTEM, *SUMMED_UP]
    if stage in STAGES_OF_SYSTEM and rest.startswith("embedded/"):
        own = "/".join(rest.split("/")[:2])
        first = STAGES_OF_SYSTEM.index(stage) + (rest != own)
        return [*(f"{later}/{own}" for later in STAGES_OF_SYSTEM[first:]), *SUMMED_UP]
    return list(SUMMED_UP[1:]) if stage == "items" else ["tables"] if stage != "tables" else []


def contents(results: Path) -> dict[str, str]:
    """What a run has to reproduce: a digest of every file, timings left out of histories and summaries."""
    found = {}
    for path in faults.files_below(results):
        name = path.relative_to(results).as_posix()
        if name.startswith(UNCOMPARED) or path.name.startswith("."):
            continue
        data = path.read_bytes()
        if path.name in ("history.jsonl", "summary.json"):
            with suppress(ValueError):  # damaged: held against the reference as it is
                data = without_timings(data.splitlines() if path.suffix == ".jsonl" else [data])
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def without_timings(objects: list[bytes]) -> bytes:
    kept = [{key: value for key, value in json.loads(text).items() if key not in VOLATILE} for text in objects]
    return json.dumps(kept).encode()


def different(reference: Path, results: Path) -> list[str]:
    """Names of files that are not as in the reference, or are missing though Table 2 was made from them."""
    expected, found = contents(reference), contents(results)
    missing = [f"{name} is missing" for name in behind_table(reference) if name in expected and name not in found]
    return missing + [name for name, digest in found.items() if expected.get(name) != digest]


def behind_table(results: Path) -> list[str]:
    """Every output of every job that Table 2 needs."""
    chain = Chain(results)
    records = [chain.record(name) for name in chain.upstream(["tables/table2.csv"])]
    plans = {record.plan.digest for record in records if record}
    return [name for plan in sorted(plans) for name in Job.load(results / PLANS / f"{plan}.json").outputs]


def unclear(done: subprocess.CompletedProcess[str]) -> str:
    return "UNCLEAR: " + done.stdout[-300:]


def write_record(path: Path, record: list[Fault]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [item.name for item in fields(Fault)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(fault) for fault in record)
