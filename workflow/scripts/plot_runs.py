"""Draw a figure of an analysis of all runs of several systems."""

import json
from pathlib import Path

from pipeline_lib.stage.cli import run
from pipeline_lib.stage.kinds import load
from pipeline_lib.stage.options import FIGURES, options_of


def main(
    kind: str,
    options: str,
    systems: list[str],
    labels: list[str],
    seeds: list[int],
    files: list[Path],
    svg: Path,
    png: Path,
    csv: Path,
) -> None:
    checked = options_of(FIGURES, kind, json.loads(options), "--options")
    load(FIGURES, kind, "plot_runs").plot_runs(
        dict(zip(systems, labels, strict=True)), seeds, files, checked, svg, png, csv
    )


if __name__ == "__main__":
    run(main)
