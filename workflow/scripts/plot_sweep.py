"""Draw what one-to-many and many-to-one data do to each system."""

from pathlib import Path

from pipeline_lib.figures.sweep import plot
from pipeline_lib.stage.cli import run


def main(
    axes: list[str],
    rates: list[float],
    points: list[Path],
    systems: list[str],
    labels: list[str],
    svg: Path,
    png: Path,
    csv: Path,
) -> None:
    plot(axes, rates, points, systems, labels, svg, png, csv)


if __name__ == "__main__":
    run(main)
