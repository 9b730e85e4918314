"""The papers and presets that there are, where each preset writes, and the commands that make its tables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipeline_lib.config.loading import DECLARATION, papers_in, preset_layers, presets_in, read_yaml


class Preset(NamedTuple):
    """A file of a paper's folder."""

    paper: str
    name: str
    results: str  # folder of its outputs
    about: str  # the first sentence of the comment that the file begins with
    makes: str  # the table or figure of the command that the comment shows


def presets(root: Path) -> Iterator[Preset]:
    """List every preset of every paper.

    Args:
        root: folder of this project.
    Raises:
        PipelineError: a file is not readable, or names a preset that does not exist.
    """
    for paper in papers_in(root / "papers"):
        folder = root / "papers" / paper
        for name in presets_in(folder):
            layers = [read_yaml(folder / DECLARATION), *(layer.values for layer in preset_layers(folder, name, root))]
            results = [layer["results"] for layer in layers if "results" in layer]
            about, makes = _comment(folder / f"{name}.yaml")
            yield Preset(paper, name, str(results[-1]) if results else "results", about, makes)


def owner(root: Path, target: str) -> Preset | None:
    """Return the preset that writes to a path: the one with the longest results folder above it."""
    path = PurePosixPath(target)
    above = [preset for preset in presets(root) if path.is_relative_to(preset.results)]
    return max(above, key=lambda preset: len(preset.results), default=None)


def command(paper: str, preset: str, target: str, given: Mapping[str, Any], cores: int = 8) -> str:
    """Return the command that makes a target, ready to copy.

    Args:
        given: what `config.yaml` says, which need not be said again.
    """
    named = {"paper": paper, "preset": preset}
    said = [f"{key}={value}" for key, value in named.items() if given.get(key) != value]
    return " ".join(["snakemake", f"--cores {cores}", *(["--config", *said, "--"] if said else []), target])


def _comment(file: Path) -> tuple[str, str]:
    """Read the comment that a file begins with: its text to the end of the sentence, and the target in it."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    text = " ".join(lines)
    target = re.search(r"/(?:tables|figures)/(?:\S+/)?([\w-]+)\.(?:csv|svg)|\bmake ([\w-]+)", text)
    makes = target[1] or target[2] if target else "table2"
    return text.partition(". ")[0].partition("  ")[0].rstrip("."), makes
