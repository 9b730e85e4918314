"""The tiny workflow as a user of a cluster runs it."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow.tiny_workflow import ROOT, TinyWorkflow

STEPS = 400  # seconds of training: a fault finds it under way, however slowly SLURM is told of it


class ClusterWorkflow(TinyWorkflow):
    """Adds a run with a profile, and a look at training from outside."""

    TABLE = "results/tables/table2.csv"
    JOB = "rule_train_model_wildcards_embedded_sepacvae_1"  # what SLURM's queue calls training SepaCVAE
    run_under_way: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, folder: Path) -> "ClusterWorkflow":
        workflow = cls(TinyWorkflow.create(folder).folder)
        training = {"epochs": STEPS, "max_steps": STEPS, "validate_every": STEPS // 2}
        workflow.change("papers/sepacvae/small.yaml", {"training": training})
        return workflow

    @classmethod
    def embedded(cls, folder: Path) -> "ClusterWorkflow":
        """The workflow as it is shipped: every system and seed of the default configuration."""
        workflow = cls(TinyWorkflow.create(folder).folder)
        shutil.copytree(ROOT / "papers/sepacvae", folder / "papers/sepacvae", dirs_exist_ok=True)
        return workflow

    @property
    def model(self) -> Path:
        return self.results / "models/embedded/sepacvae/seed1/model.safetensors"

    def peak_megabytes(self) -> float:
        """Resident memory that training SepaCVAE took, as Snakemake measured it."""
        with open(self.results / "benchmarks/models/embedded/sepacvae/seed1.tsv", newline="") as file:
            [row] = csv.DictReader(file, delimiter="\t")
        return float(row["max_rss"])

    def forget(self, system: str) -> None:
        """Remove what one system made, and what was made of it."""
        for stage in ("models", "responses", "scores", "items"):
            shutil.rmtree(self.results / stage / "embedded" / system)
        for summary in ("significance", "tables", ".store"):
            shutil.rmtree(self.results / summary)

    def start(
        self, profile: str, environment: dict[str, str], *options: str, target: str = TABLE
    ) -> subprocess.Popen[bytes]:
        """Run as far as ``target`` with a profile; the screen's text goes to ``screen.txt``."""
        with open(self.folder / "screen.txt", "wb") as screen:
            self.run_under_way = subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--workflow-profile", profile, *options, "--", target],
                cwd=self.folder,
                env=self.environment() | environment,
                stdout=screen,
                stderr=screen,
            )
        return self.run_under_way

    def start_on_slurm(
        self, environment: dict[str, str], *options: str, target: str = TABLE
    ) -> subprocess.Popen[bytes]:
        """The same with the profile for SLURM, whose jobs are looked at from the third second on."""
        quickly = ["--slurm-init-seconds-before-status-checks", "3"]
        return self.start("profiles/slurm", environment, *quickly, *options, target=target)

    def stop(self) -> None:
        """End a run that a failed test left."""
        if self.run_under_way is not None:
            self.run_under_way.kill()
            self.run_under_way.wait()

    def finish(self, run: subprocess.Popen[bytes], seconds: float = 1800) -> str:
        """Wait for a run and give what it showed on the screen; it must have succeeded."""
        status = run.wait(seconds)
        shown = (self.folder / "screen.txt").read_text()
        assert status == 0, shown
        return shown

    def trained_steps(self) -> int:
        """Steps in the checkpoint of the training job under way; 0 where there is none."""
        for path in self.results.glob(".state/*/checkpoint.safetensors"):
            try:
                with open(path, "rb") as file:
                    header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
                return int(json.loads(header["__metadata__"]["progress"])["round"])
            except FileNotFoundError:  # finished in this moment
                continue
        return 0

    def wait_for(
        self, run: subprocess.Popen[bytes], what: str, condition: Callable[[], Any], seconds: float = 900
    ) -> Any:
        """Poll until ``condition`` gives something, while ``run`` goes on."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            shown = f"{what} never came\n{(self.folder / 'screen.txt').read_text()}"
            assert run.poll() is None, shown
            assert time.monotonic() < end, shown
            time.sleep(0.05)
        return found

    def steps_until_trained(self, run: subprocess.Popen[bytes]) -> list[int]:
        """Steps of every checkpoint that can be caught until there is a model."""
        seen = list[int]()
        self.wait_for(run, "a trained model", lambda: seen.append(self.trained_steps()) or self.model.exists())
        return [step for step in seen if step]

    def training_process(self) -> int | None:
        """Id of the process that trains in this folder."""
        for link in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if link.resolve() != self.folder.resolve():
                    continue
                words = (link.parent / "cmdline").read_bytes().split(b"\0")
            except OSError:  # ended meanwhile
                continue
            if os.path.basename(words[0]).startswith(b"python") and any(w.endswith(b"/train_model.py") for w in words):
                return int(link.parent.name)
        return None
