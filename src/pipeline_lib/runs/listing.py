"""The list of what exists: every paper with its presets, tables, figures and systems, and the command for each."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_lib.config.catalogue import Preset, command, presets
from pipeline_lib.config.checking import merge
from pipeline_lib.config.loading import folder_of, layers_of, papers_in, presets_in, read_run, read_yaml
from pipeline_lib.stage.cli import report

ROOT = Path(__file__).parents[3]


def run() -> None:
    """Print the list that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paper", nargs="?", help="this paper alone")
    asked = parser.parse_args()

    def work() -> None:
        for line in lines(ROOT, asked.paper):
            print(line)

    report(work)


def lines(root: Path, paper: str | None = None) -> Iterator[str]:
    """Yield the list, line by line.

    Raises:
        PipelineError: there is no such paper, or a file of one is faulty.
    """
    for name in papers_in(root / "papers") if paper is None else [paper]:
        yield from _of_paper(root, name)


def _of_paper(root: Path, paper: str) -> Iterator[str]:
    given = read_yaml(root / "config.yaml")
    own = presets_in(folder_of(root / "papers", paper)) or ["small"]
    config = read_run(root, {"paper": paper, "preset": own[0]})
    of_paper = "" if paper == given.get("paper") else f" PAPER={paper}"
    first = next((name for name, table in config.tables.items() if table.kind == "scores"), next(iter(config.tables)))
    yield f"{paper}: {config.title}"
    yield f"  {config.citation}"
    yield ""
    yield from _columns("presets", [
        (
            preset.name,
            f"make {preset.makes}{of_paper}"
            + ("" if preset.name == given.get("preset") else f" PRESET={preset.name}")
            + (" MIRROR=<folder>" if _needs_mirror(root, preset) else ""),
            preset.results,
            preset.about,
        )
        for preset in presets(root)
        if preset.paper == paper
    ])  # fmt: skip
    for title, word, specs in (("tables", "Table", config.tables), ("figures", "Figure", config.figures)):
        yield from _columns(title, [
            (name, f"{word} {spec.number}" if spec.number else "", spec.title, f"make {name}{of_paper}")
            for name, spec in specs.items()
        ])  # fmt: skip
    yield from _columns("systems", [(name, system.label, _sort(system)) for name, system in config.systems.items()])
    trained = next(iter(config.trainable), None)
    if trained:
        model = f"{config.results}/models/{config.corpora[0]}/{trained}/seed{config.seeds[0]}/model.safetensors"
        yield f"  one training job: {command(paper, own[0], model, given)}"
    yield f"  one table:        {command(paper, own[0], f'{config.results}/tables/{first}.csv', given)}"
    yield ""


def _needs_mirror(root: Path, preset: Preset) -> bool:
    """Tell whether corpora or word vectors of a preset have files that no address is known for.

    The files are read as they are, so that a fault in one preset does not hide the others.
    """
    values: dict[str, Any] = {}
    for layer in layers_of(root, preset.paper, preset.name):
        values = merge(values, layer.values)
    sources = [values["sources"].get(corpus, {}) for corpus in values.get("corpora", [])]
    bundles = [source["bundles"] for source in sources if source.get("bundles") and not source.get("mirror")]
    vectors = values.get("embeddings", {})
    if vectors.get("source") == "file" and not (vectors.get("mirror") or vectors.get("file", {}).get("urls")):
        return True
    return any(all(any(not file.get("urls") for file in one) for one in several) for several in bundles)


def _sort(system: object) -> str:
    """Tell what a system is: its class, function, file of responses or baseline."""
    found = {sort: getattr(system, sort) for sort in ("model", "function", "responses", "baseline")}
    return next(f"{sort}: {value}" for sort, value in found.items() if value)


def _columns(title: str, rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield a heading, and rows whose columns are aligned."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield f"  {title}"
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width]
        yield "    " + "  ".join(cells).rstrip()
    yield ""
