"""Figure 5: draw where each system's posterior means lie, by group."""

from pathlib import Path

from pipeline_lib.config.figures import LatentMap
from pipeline_lib.figures.latent_map import plot
from pipeline_lib.stage.cli import run


def main(
    systems: list[str], labels: list[str], latents: list[Path], settings: LatentMap, svg: Path, png: Path, csv: Path
) -> None:
    plot(systems, labels, latents, settings, svg, png, csv)


if __name__ == "__main__":
    run(main)
