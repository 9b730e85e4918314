"""A small draw, and sheets filled in as a rater would."""

import csv
import io
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.ratings import Questions, Study
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.ratings.draw import Draw, draw
from pipeline_lib.ratings.sheets import csv_sheet
from pipeline_lib.schemas.responses import RESPONSES

SYSTEMS = ("human", "seq2seq", "sepacvae")
ASPECTS = {"relevance": "Does it fit?", "fluency": "Is it <b>grammatical</b>?"}


def write_responses(path: Path, system: str, contexts: list[str], texts: list[str] | None = None, selection="none"):
    """schema.RESPONSES of one system, example ids 100, 101, ..."""
    rows = [
        {
            "example_id": 100 + i,
            "sample": 0,
            "selection": selection,
            "context": context,
            "reference": "r",
            "response": texts[i] if texts else f"{system} says {i}",
            "tokens": 2,
        }
        for i, context in enumerate(contexts)
    ]
    write_parquet(path, pa.Table.from_pylist(rows, RESPONSES), RESPONSES)
    return path


def small_draw(
    folder: Path, n: int = 4, systems=SYSTEMS, corpus="small", texts=None, histories=None, **settings
) -> Draw:
    contexts = [f"context {i}" for i in range(n)]
    files = {s: write_responses(folder / f"{s}.parquet", s, contexts, (texts or {}).get(s)) for s in systems}
    questions = {"aspects": ASPECTS} | {key: value for key, value in settings.items() if key in Questions.model_fields}
    study = {key: value for key, value in settings.items() if key in Study.model_fields}
    return draw(corpus, files, run=1, study=Study(**study), questions=Questions(**questions), histories=histories)


def rows_of(draw_: Draw) -> list[dict[str, str]]:
    """Rows of the empty CSV sheet."""
    return list(csv.DictReader(io.StringIO(csv_sheet(draw_).removeprefix("\ufeff"))))


def filled(draw_: Draw, rater: str, value) -> list[dict[str, str]]:
    """Rows with ``value(item index, system, aspect)`` in every cell; None leaves it empty."""
    place = {item.id: i for i, item in enumerate(draw_.items)}
    system = {(item.id, r.id): r.system for item in draw_.items for r in item.responses}
    rows = rows_of(draw_)
    for row in rows:
        row["rater"] = rater
        for aspect in draw_.aspects:
            given = value(place[row["item"]], system[row["item"], row["response_id"]], aspect)
            row[aspect] = "" if given is None else str(given)
    return rows


def save(path: Path, rows: list[dict[str, str]], delimiter=",", encoding="utf-8") -> Path:
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path
