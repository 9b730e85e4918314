"""The page: tables, figures, the run and the explorer in one folder that opens without a network.

Tables and captions come from the tables' JSON, titles of figures from what the paper declares; nothing is named here.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup, escape

from pipeline_lib.config.run import Config
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.atomic import atomic
from pipeline_lib.files.formats import read_json, read_text, write_text
from pipeline_lib.files.provenance import verify
from pipeline_lib.report.captions import caption_html
from pipeline_lib.report.item_files import ItemSet, item_sets, pack
from pipeline_lib.report.metric_notes import metric_notes
from pipeline_lib.report.records import shown_records, write_records
from pipeline_lib.report.script_data import write_call
from pipeline_lib.report.shown_tables import as_json, signatures
from pipeline_lib.runs.manifest import Manifest
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.tables.cells import Block, Cell, Table
from pipeline_lib.tables.files import read_table

STYLES = ("vendor/tabulator_simple.min.css", "static/report.css")
# in the order in which they are run; the data come last and start the page
SCRIPTS = (
    "vendor/tabulator.min.js",
    "static/columns.js",
    "static/text.js",
    "static/grid.js",
    "static/items.js",
    "static/paper.js",
    "static/records.js",
    "static/scroll_hint.js",
    "static/tables.js",
    "static/item_view.js",
    "static/explorer.js",
    "static/page.js",
)
TEMPLATE = "templates/index.html.jinja"
LICENCE = "vendor/LICENSE"
SHORT = 30  # characters that fit without wrapping
_INTERVAL = re.compile(r"\[([−\d.]+), ([−\d.]+)\]")


@dataclass(frozen=True)
class Contents:
    """Files of a run that the page shows, each list in the order of the page; a part may be empty."""

    manifest: Path
    tables: Sequence[Path]  # .json
    figures: Sequence[Path]  # .svg, with .png and .csv beside each; below figures/ or figures/<corpus>/
    items: Sequence[Path]  # items/<corpus>/<system>/seed<k>/<split>.parquet


def write_page(contents: Contents, index: Path) -> None:
    """Write the page and, into the folder ``files`` beside it, what it loads.

    Raises:
        PipelineError: a table, figure or caption is missing or not readable, or systems answered different examples.
    """
    folder = index.parent / "files"
    manifest: Manifest = read_json(contents.manifest)
    config = Config.model_validate(manifest["config"])
    corpora = _labels_of_corpora(config)
    tables = [read_table(path) for path in contents.tables]
    sets = item_sets(contents.items)
    labels, metrics = _write_items(sets, folder, config)
    write_records(tables, folder / "records")
    figures = [_copy_figure(path, folder, config) for path in contents.figures]
    for name in (*STYLES, *SCRIPTS, LICENCE):
        _copy_asset(name, folder / "app")
    metrics += [column.metric for table in tables for column in table.shown if column.metric]
    data = {
        "tables": [as_json(table) for table in tables if table.rows],
        "metrics": metric_notes(metrics),
        "corpora": corpora,
        "labels": labels,
        "item_sets": [vars(item_set) for item_set in sorted(sets)],
    }
    write_call(folder / "app/data.js", "Report.receiveData", data)
    shown = [_shown(table) for table in tables]
    cells = [cell for table in tables for row in table.rows for cell in row.cells.values()]
    write_text(index, _render(manifest, config, corpora, shown, cells, figures, bool(contents.items)))


def _render(
    manifest: Manifest,
    config: Config,
    corpora: Mapping[str, str],
    tables: Sequence[Mapping[str, Any]],
    cells: Sequence[Cell],
    figures: Sequence[Mapping[str, Any]],
    has_items: bool,
) -> str:
    from jinja2 import Environment, StrictUndefined  # here: a run's record needs none of it

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {"code": _with_code, "scalar": _scalar, "address": _address, "is_short": _is_short}
    environment.filters |= {"unbroken": unbroken}
    template = environment.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    groups: list[dict[str, Any]] = [{"id": "run", "title": "The run", "parts": []}]
    if has_items:
        groups.insert(0, {"id": "items", "title": "Responses", "parts": []})
    if figures:
        groups.insert(0, {"id": "figures", "title": "Figures", "parts": figures})
    if tables:
        groups.insert(0, {"id": "tables", "title": "Tables", "parts": tables})
    return template.render(
        title=config.title,
        corpora=list(corpora.values()),
        n_systems=len(config.row_systems),
        manifest=manifest,
        groups=groups,
        tables=tables,
        figures=figures,
        has_items=has_items,
        has_published=any(cell.published for cell in cells),
        has_differences=any(cell.difference is not None or cell.change for cell in cells),
        scripts=[*(f"app/{Path(name).name}" for name in SCRIPTS), "app/data.js"],
    )


def _shown(table: Table) -> dict[str, Any]:
    return {
        "id": table.name,
        "title": table.heading,
        "short": f"{table.number} {table.title}" if table.number else table.title,
        "caption": Markup(caption_html(table.caption, f"tables.{table.name}")) if table.caption else "",
        "has_values": bool(table.rows),
        "sections": table.sections,
        "is_prose": table.is_prose,
        "records": len(shown_records(table)),
        "all_records": len(table.records),
        "notes": table.notes,
        "signatures": signatures(table),
    }


def _address(block: Block, column: int) -> str:
    """Link a column of texts to its example in the explorer; empty where it is about none."""
    return "#items?" + urlencode(block.examples[column - 1]) if 0 < column <= len(block.examples) else ""


def _is_short(block: Block, column: int) -> bool:
    """Tell whether a column of texts needs no room to wrap."""
    return max(len(line[column]) for line in block.lines) <= SHORT


def unbroken(text: str) -> str:
    """Keep the two ends of an interval in one line: a space within ``[0.37, 0.44]`` that does not break."""
    return _INTERVAL.sub("[\\1,\u00a0\\2]", text)


def _write_items(
    sets: Mapping[ItemSet, Sequence[Path]], folder: Path, config: Config
) -> tuple[dict[str, str], list[str]]:
    """Write one script per set of items; gives ``system/selection`` -> name of that row, and their metrics."""
    labels: dict[str, str] = {}
    metrics: list[str] = []
    for item_set, own in sets.items():
        content = pack(own)
        write_call(folder / f"items/{item_set.name}.js", "Report.receiveItems", item_set.name, content)
        for answer in content["answers"]:
            oracle = " (oracle)" if answer["selection"] == ORACLE else ""
            labels[f"{answer['system']}/{answer['selection']}"] = config.systems[answer["system"]].label + oracle
            metrics += answer["metrics"]
    return labels, metrics


def _copy_figure(svg: Path, folder: Path, config: Config) -> dict[str, Any]:
    corpora, spec = _labels_of_corpora(config), config.figures[svg.stem]
    corpus = svg.parent.name if svg.parent.name in corpora else ""
    name = f"{corpus}-{svg.stem}" if corpus else svg.stem
    of_one = f"{spec.title}, {corpora[corpus]}" if corpus and len(corpora) > 1 else spec.title
    for kind in (".svg", ".png", ".csv"):
        _copy(svg.with_suffix(kind), folder / f"figures/{name}{kind}")
    width, height = _size(svg)
    return {
        "id": name,
        "title": f"Figure {spec.number}. {of_one}" if spec.number else of_one,
        "short": f"{spec.number} {of_one}" if spec.number else of_one,
        "caption": Markup(caption_html(spec.caption, f"figures.{svg.stem}")) if spec.caption else "",
        "width": width,
        "height": height,
        "wide": width > 1.6 * height,
        **{kind: f"files/figures/{name}.{kind}" for kind in ("svg", "png", "csv")},
    }


def _labels_of_corpora(config: Config) -> dict[str, str]:
    return {name: config.sources[name].label for name in config.corpora}


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise PipelineError(
            "file not found",
            where=source,
            expected="SVG, PNG and CSV of every figure beside each other",
            remedy="delete the figure's other files and run the same command again; it will be remade",
        )
    verify(source)
    with atomic(target) as temporary:
        shutil.copyfile(source, temporary)


def _copy_asset(name: str, folder: Path) -> None:
    with as_file(files(__package__).joinpath(name)) as source:
        _copy(source, folder / source.name)


def _size(svg: Path) -> tuple[int, int]:
    """Read width and height in CSS pixels from the view box in points, so that the page keeps room for the picture."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', read_text(svg))
    if not found:
        raise PipelineError(
            "the picture has no view box",
            where=svg,
            expected='an SVG with viewBox="0 0 <width> <height>"',
            remedy="delete the file and run the same command again; it will be remade",
        )
    return round(float(found[1]) * 4 / 3), round(float(found[2]) * 4 / 3)


def _with_code(text: str) -> Markup:
    """Escape ``text``, with what is in backticks as code."""
    parts = str(escape(text)).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts)))


def _scalar(value: Any) -> str:
    """Print a value as YAML has it, on one line."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_scalar(one)}" for key, one in value.items()) + "}"
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))
