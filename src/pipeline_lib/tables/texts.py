"""Tables of texts that an analysis picked, with what every system answers to the contexts near them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import TextTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import parquet_metadata, read_parquet
from pipeline_lib.schemas.cases import CASES
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.tables.cells import EMPTY, Block, Section, Table, of_spec

SHOWN = 6  # training responses of a case that are printed; the CSV has them all
# of a row of the CSV; role: response (of train), reference or answer; system to sample: of an answer; similarity: as in
# schemas.cases; count: examples of train with this context and response
FIELDS = ("corpus", "case", "split", "context", "similarity", "example_id", "role", "system", "label", "selection")
ROW: dict[str, Any] = dict.fromkeys((*FIELDS, "sample", "count", "text"))


def make(name: str, spec: TextTable, layout: Layout, analysis: Sequence[Path], items: Sequence[Path]) -> Table:
    """Make a table of texts.

    Args:
        analysis: cases (`schemas.cases`) of each corpus, in the order of the layout; metadata ``asked`` is how many
            were looked for.
        items: responses of every system and split with their corpus, split and system as metadata; of one seed.
    Raises:
        PipelineError: a system has no response to one of the contexts.
    """
    cases = dict(zip(layout.corpora, analysis, strict=True))
    rows = case_rows(cases, items, layout)
    sections = []
    for corpus, label in layout.corpora.items():
        own = [row for row in rows if row["corpus"] == corpus]
        blocks = [_block(case, list(group)) for case, group in groupby(own, key=lambda row: int(row["case"]))]
        asked = parquet_metadata(cases[corpus]).get("asked", str(len(blocks)))
        sections.append(Section(label, blocks, _found(len(blocks), int(asked))))
    return Table(
        **of_spec(name, spec), sections=sections, is_prose=True, records=rows, notes=[*_notes(layout), *spec.notes]
    )


def case_rows(cases: Mapping[str, Path], items: Sequence[Path], layout: Layout) -> list[dict[str, Any]]:
    """List the training responses of every case and the answers to the contexts near it: records with keys `ROW`."""
    files = {tuple(parquet_metadata(file).get(key) for key in ("corpus", "split", "system")): file for file in items}
    rows: list[dict[str, Any]] = []
    for corpus in layout.corpora:
        found = read_parquet(cases[corpus], CASES)
        answers = {
            (split, system): _answers(files, corpus, split, system, found)
            for split in ("validation", "test")
            for system in layout.systems
        }
        oracles = {system for (_, system), own in answers.items() if any(a["selection"] == ORACLE for a in _all(own))}
        for row in found.to_pylist():
            own = ROW | {key: row[key] for key in ("case", "split", "context", "similarity", "example_id")}
            own["corpus"] = corpus
            if row["split"] == "train":
                rows.append(own | {"role": "response", "text": row["response"], "count": row["count"]})
                continue
            rows.append(own | {"role": "reference", "text": row["response"]})
            for system in layout.systems:
                for answer in answers[row["split"], system][row["example_id"]]:
                    label = layout.systems[system].label
                    if system in oracles:  # as in tables of scores
                        label += " (oracle)" if answer["selection"] == ORACLE else " (test rule)"
                    rows.append(own | {"role": "answer", "system": system, "label": label} | answer)
    return rows


# --- what is printed -----------------------------------------------------------------------------------------------


def _block(case: int, rows: Sequence[Mapping[str, Any]]) -> Block:
    """Print one case: its responses in train, and a column for each near context."""
    of_train = [row for row in rows if row["split"] == "train"]
    near = {(row["split"], row["example_id"]): row for row in rows if row["split"] != "train"}
    near = {key: near[key] for split in ("validation", "test") for key in near if key[0] == split}
    cells = {
        name: {key: " / ".join(_texts(rows, key, name)) or "–" for key in near}
        for name in dict.fromkeys(_name(row) for row in rows if row["split"] != "train")
    }
    lines = [
        ["", *(f"near in {row['split']}, cosine {row['similarity']:.2f}" for row in near.values())],
        ["context", *(row["context"] for row in near.values())],
        *([name, *texts.values()] for name, texts in cells.items()),
    ]
    return Block(
        f"Case {case}: {of_train[0]['context']}",
        lines,
        f"{len(of_train)} different training responses, mean cosine {of_train[0]['similarity']:.2f}",
        _train_responses(of_train),
        [{"corpus": row["corpus"], "split": split, "example": example} for (split, example), row in near.items()],
    )


def _texts(rows: Sequence[Mapping[str, Any]], key: tuple[str, int], name: str) -> Iterator[str]:
    for row in rows:
        if (row["split"], row["example_id"]) == key and _name(row) == name:
            yield row["text"] or EMPTY


def _name(row: Mapping[str, Any]) -> str:
    return row["label"] if row["role"] == "answer" else row["role"]


def _train_responses(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    texts = [row["text"] + (f" (× {row['count']})" if row["count"] > 1 else "") for row in rows[:SHOWN]]
    return texts + ([f"… and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else [])


def _found(n: int, asked: int) -> str:
    if n == asked:
        return f"{n} case{'s' if n > 1 else ''}."
    return f"{n} of the {asked} cases that were asked for: no other context of this corpus has what makes a case."


def _notes(layout: Layout) -> list[str]:
    return [
        f"Answers of the runs with seed {layout.seeds[0]}, to the first example with the context. Contexts and "
        "responses are compared by the cosine of mean word vectors over content words.",
        "(oracle): the group was chosen with the reference, on validation alone; (test rule): with the context alone.",
    ]


# --- reading -------------------------------------------------------------------------------------------------------


def _all(answers: Mapping[int, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for rows in answers.values():
        yield from rows


def _answers(
    files: Mapping[tuple[str | None, ...], Path], corpus: str, split: str, system: str, cases: pa.Table
) -> dict[int, list[dict[str, Any]]]:
    """Read what one system answered to each example: selection, sample and text, the oracle first."""
    wanted = pc.unique(cases.filter(pc.equal(cases["split"], split))["example_id"])
    found: dict[int, list[dict[str, Any]]] = {example: [] for example in wanted.to_pylist()}
    where = files.get((corpus, split, system))
    if where is not None:
        table = read_parquet(where, columns=["example_id", "selection", "sample", "response"])
        own = table.filter(pc.is_in(table["example_id"], value_set=wanted)).rename_columns({"response": "text"})
        for row in own.to_pylist():
            found[row.pop("example_id")].append(row)
    if without := [example for example, rows in found.items() if not rows]:
        raise PipelineError(
            f"{system} has no response to example {without[0]}",
            where=where or f"{corpus}, {split}",
            expected="responses of every system to every context of the cases",
            remedy="delete this system's responses and run the same command again",
        )
    for rows in found.values():
        rows.sort(key=lambda row: (row["selection"] != ORACLE, row["selection"], row["sample"]))
    return found
