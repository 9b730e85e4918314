"""Table 5 as the page shows it: case by case, the systems' answers to the nearest contexts side by side."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from urllib.parse import urlencode

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import verify

REFERENCE = "Reference"


@dataclass
class Near:
    """A context of validation or test, and who answers it how: label -> responses, the reference first."""

    split: str
    text: str
    similarity: float  # cosine with the case's context
    address: str  # of its items on the page
    answers: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Case:
    """A training context with contradictory responses."""

    corpus: str
    number: int
    context: str
    responses: dict[str, int] = field(default_factory=dict)  # text -> examples of train
    near: list[Near] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        """Rows of the case: the reference and every system, in the order of the table."""
        return list(dict.fromkeys(label for near in self.near for label in near.answers))


def read_cases(path: Path, corpora: Mapping[str, str]) -> list[Case]:
    """Cases from the long form of Table 5 (`pipeline_lib.tables.texts.ROWS`).

    Args:
        corpora: name -> label.
    Raises:
        PipelineError: the file is not such a table.
    """
    verify(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        grouped = groupby(rows, key=lambda row: (row["corpus"], int(row["case"])))
        return [_case(corpora.get(corpus, corpus), number, list(own)) for (corpus, number), own in grouped]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise PipelineError(
            f"not readable as Table 5: {error!r}",
            where=path,
            expected="columns corpus, case, split, context, similarity, example_id, role, label, count and text",
            remedy="delete the file and run the same command again; it will be remade",
        ) from error


def _case(corpus: str, number: int, rows: list[dict[str, str]]) -> Case:
    of_train = [row for row in rows if row["split"] == "train"]
    case = Case(corpus, number, of_train[0]["context"] if of_train else "")
    for row in of_train:
        case.responses[row["text"]] = int(row["count"])
    others = (row for row in rows if row["split"] != "train")
    for (split, example), own in groupby(others, key=lambda row: (row["split"], row["example_id"])):
        answers = list(own)
        first = answers[0]
        address = "#items?" + urlencode({"corpus": first["corpus"], "split": split, "example": example})
        near = Near(split, first["context"], float(first["similarity"]), address)
        for row in answers:
            label = REFERENCE if row["role"] == "reference" else row["label"]
            near.answers.setdefault(label, []).append(row["text"])
        case.near.append(near)
    return case
