"""Figure 2 in numbers: draw what one prior costs where a context has two responses."""

from pathlib import Path

from pipeline_lib.figures.optimal_prior import plot
from pipeline_lib.stage.cli import run


def main(svg: Path, png: Path, csv: Path) -> None:
    plot(svg, png, csv)


if __name__ == "__main__":
    run(main)
