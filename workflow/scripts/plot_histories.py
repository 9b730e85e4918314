"""Draw what training jobs recorded, averaged over the runs of each system."""

from pathlib import Path

from pipeline_lib.figures.histories import Options, plot
from pipeline_lib.stage.cli import run


def main(
    systems: list[str], labels: list[str], files: list[Path], options: Options, svg: Path, png: Path, csv: Path
) -> None:
    plot(dict(zip(systems, labels, strict=True)), files, options, svg, png, csv)


if __name__ == "__main__":
    run(main)
