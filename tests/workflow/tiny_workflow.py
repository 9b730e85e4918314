"""A copy of the workflow with a configuration that runs in seconds, and what a user would do with it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SYSTEMS = ("random", "human", "seq2seq", "k_cvae_bow", "sepacvae")
ROWS = (*SYSTEMS, "truth")  # with the system of the preset small
ABLATIONS = ("no_relationship",)
TINY = {
    "seeds": [1],
    "sources": {"embedded": {"synthetic": {"dialogues": 150}}},
    "filtering": {"most_unknown": 1},  # so small a corpus has many held-out words of its own
    "embeddings": {"training": {"dimension": 8, "epochs": 2}},
    "clustering": {"groups": 3},
    "network": {"hidden": 8, "decoder_layers": 1, "latent": 4, "bow_hidden": 8, "prior_hidden": 8},
    # a checkpoint at every step, so that a job can be killed between two of them
    "training": {"batch_size": 16, "max_steps": 20, "validate_every": 10, "checkpoint_every": 1, "device": "cpu"},
    "decoding": {"importance_samples": 1},
    "metrics": {"bootstrap": 50},
    "significance": {"trials": 50},
}


class TinyWorkflow:
    """One working directory with Snakefile, rules, scripts, library and results of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"

    @classmethod
    def create(cls, folder: Path) -> "TinyWorkflow":
        for name in ("workflow", "profiles", "src", "papers", "config"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy2(ROOT / "Snakefile", folder)
        shutil.copy2(ROOT / "config.yaml", folder)
        made = cls(folder)
        made.keep_systems(*SYSTEMS, *ABLATIONS)
        made.change("papers/sepacvae/paper.yaml", {"systems": {"sepacvae": {"options": {"groups": 3}}}})
        made.change("papers/sepacvae/small.yaml", TINY)
        return made

    def change(self, file: str, values: dict[str, Any]) -> None:
        """Lay values over those of a YAML file."""
        path = self.folder / file
        text = yaml.safe_dump(_merge(yaml.safe_load(path.read_text()), values), sort_keys=False)
        path.write_text(text)

    def keep_systems(self, *names: str, paper: str = "sepacvae") -> None:
        """Leave a paper with these systems alone, in its tables, figures and analyses too."""
        path = self.folder / f"papers/{paper}/paper.yaml"
        declared = yaml.safe_load(path.read_text())
        declared["systems"] = {name: declared["systems"][name] for name in names}
        for section in ("tables", "figures", "analyses"):
            for name, spec in list(declared[section].items()):
                own = spec.get("options", {}) if section == "analyses" else spec
                if "systems" in own:
                    own["systems"] = [system for system in own["systems"] if system in names]
                    if not own["systems"]:
                        del declared[section][name]
        for section in ("tables", "figures"):
            shown = declared["report"][section]
            declared["report"][section] = [name for name in shown if name in declared[section]]
        path.write_text(yaml.safe_dump(declared, sort_keys=False))

    def copy(self, folder: Path) -> "TinyWorkflow":
        """The same with its results and Snakemake's memory of them."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return TinyWorkflow(folder)

    def command(self, *arguments: str, changes: dict[str, Any] | None = None) -> list[str]:
        options, targets = list(arguments), []
        if "--" in options:
            options, targets = options[: options.index("--")], options[options.index("--") :]
        if changes is not None:
            text = yaml.safe_dump(changes)
            overlay = self.folder / f"overlay-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
            overlay.write_text(text)
            options += ["--configfile", overlay.name]
        return [sys.executable, "-m", "snakemake", "--cores", "2", *options, *targets]

    def environment(self, library: Path | None = None) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(library or self.folder / "src"), os.environ.get("PYTHONPATH")]))
        return os.environ | {"PYTHONPATH": path}

    def run(
        self, *arguments: str, changes: dict[str, Any] | None = None, library: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call snakemake as a user would; `stdout` is all that is shown on the screen."""
        return subprocess.run(
            self.command(*arguments, changes=changes),
            cwd=self.folder,
            env=self.environment(library),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,  # generous: other work may have the machine
        )

    def planned(self, *targets: str, changes: dict[str, Any] | None = None, library: Path | None = None) -> set[str]:
        """Jobs that a run would start: the rule and its wildcards but the corpus, as in ``train_model seq2seq 1``."""
        done = self.run("--dry-run", *targets, changes=changes, library=library)
        assert done.returncode == 0, done.stdout
        jobs = set()
        for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)*)", done.stdout, re.MULTILINE):
            found = re.search(r"^ {4}wildcards: (.*)$", block, re.MULTILINE)
            wildcards = dict(item.split("=") for item in found[1].split(", ")) if found else {}
            wildcards.pop("corpus", None)
            jobs.add(" ".join([rule, *wildcards.values()]))
        assert jobs or "Nothing to be done" in done.stdout, done.stdout
        return jobs - {"all"}

    def checksums(self) -> dict[str, str]:
        """Digest of every file below the results folder but logs, plans and the lock."""
        files = sorted(path for path in self.results.rglob("*") if path.is_file())
        names = {path.relative_to(self.results).as_posix(): path for path in files}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in names.items()
            if not name.startswith(("logs/", "benchmarks/", ".plans/", ".lock"))
        }


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
