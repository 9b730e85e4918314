"""Draw the training curves of systems, each averaged over its runs."""

from pathlib import Path

from pipeline_lib.figures.training import plot
from pipeline_lib.stage.cli import run


def main(systems: list[str], labels: list[str], histories: list[Path], svg: Path, png: Path, csv: Path) -> None:
    plot(systems, labels, histories, svg, png, csv)


if __name__ == "__main__":
    run(main)
