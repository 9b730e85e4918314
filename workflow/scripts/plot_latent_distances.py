"""Figure 4: draw how close [c; z] lie within and between the groups of each system."""

from pathlib import Path

from pipeline_lib.figures.latent_distances import plot
from pipeline_lib.stage.cli import run


def main(systems: list[str], labels: list[str], distances: list[Path], svg: Path, png: Path, csv: Path) -> None:
    plot(systems, labels, distances, svg, png, csv)


if __name__ == "__main__":
    run(main)
