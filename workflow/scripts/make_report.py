"""Put tables, figures, responses and the record of a run into one page."""

from json import loads
from pathlib import Path

from pipeline_lib.config.papers import FigureSpec
from pipeline_lib.report.page import Contents, write_page
from pipeline_lib.stage.cli import run


def main(manifest: Path, tables: list[Path], figures: list[Path], specs: str, items: list[Path], index: Path) -> None:
    of_figures = {name: FigureSpec.model_validate(spec) for name, spec in loads(specs).items()}
    write_page(Contents(manifest, tables, figures, of_figures, items), index)


if __name__ == "__main__":
    run(main)
