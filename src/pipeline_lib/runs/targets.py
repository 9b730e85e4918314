"""The files of a table, a figure, or the page of a run, as Snakemake is asked for them; `make` calls it."""

import argparse
from pathlib import Path

from pipeline_lib.config.catalogue import presets
from pipeline_lib.config.loading import read_run, read_yaml
from pipeline_lib.config.run import Config
from pipeline_lib.errors import PipelineError, did_you_mean
from pipeline_lib.stage.cli import report

ROOT = Path(__file__).parents[3]


def run() -> None:
    """Print the files that the command line asks for, a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a table or a figure, or `report`")
    parser.add_argument("given", nargs="*", metavar="KEY=VALUE", help="paper=… and preset=…, as for --config")
    asked = parser.parse_args()
    given = dict(word.partition("=")[::2] for word in asked.given)
    report(lambda: print("\n".join(files(ROOT, asked.name, given))))


def files(root: Path, name: str, given: dict[str, str]) -> list[str]:
    """Return the files, and with a table the record of its run.

    Args:
        given: what differs from `config.yaml`.
    Raises:
        PipelineError: the paper has no such table or figure; names the nearest.
    """
    config = read_run(root, read_yaml(root / "config.yaml") | given)
    if name == "report":
        return [f"{config.results}/report/index.html"]
    if name in config.tables:
        return [f"{config.results}/tables/{name}.csv", f"{config.results}/manifest.json"]
    if name in config.figures:
        return [f"{config.results}/{picture}" for picture in config.pictures(name)]
    raise PipelineError(
        f"no table or figure {name!r}",
        where=f"paper {config.paper!r}, preset {config.preset!r}",
        expected=_expected(root, name, config),
        remedy="correct the name; `python -m pipeline_lib list` shows all of them",
    )


def _expected(root: Path, name: str, config: Config) -> str:
    if name in {preset.paper for preset in presets(root)}:
        return f"a table or a figure of it: make table2 PAPER={name}"
    return did_you_mean(name, [*config.tables, *config.figures])
