"""Put tables, figures, responses and the record of a run into one page."""

from pathlib import Path

from pipeline_lib.report.page import Contents, write_page
from pipeline_lib.stage.cli import run


def main(manifest: Path, tables: list[Path], figures: list[Path], per_item: list[Path], index: Path) -> None:
    write_page(Contents(manifest, tables, figures, per_item), index)


if __name__ == "__main__":
    run(main)
