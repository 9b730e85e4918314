"""Table 5: each case with its nearest validation and test contexts, and what every system answers to them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.layout import Layout
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import parquet_metadata, read_parquet
from pipeline_lib.schemas.cases import CASES
from pipeline_lib.schemas.responses import ORACLE
from pipeline_lib.tables.markup import escape_latex, escape_markdown, latex_table, pipe_table, tabular

TITLE = "Training contexts with contradictory responses, and answers to the contexts nearest to them"
SHOWN = 6  # training responses of a case that are printed; the CSV has them all
EMPTY = "(empty)"
ROWS = pa.schema(
    [
        ("corpus", pa.string()),
        ("case", pa.int32()),
        ("split", pa.string()),
        ("context", pa.string()),
        ("similarity", pa.float64()),  # as in schema.CASES
        ("example_id", pa.int64()),
        ("role", pa.string()),  # response (of train), reference or answer
        ("system", pa.string()),  # of an answer, as are the next three
        ("label", pa.string()),
        ("selection", pa.string()),
        ("sample", pa.int16()),
        ("count", pa.int64()),  # examples of train with this context and response
        ("text", pa.string()),
    ]
)


def case_rows(cases: Mapping[str, Path], items: Sequence[Path], layout: Layout) -> pa.Table:
    """Everything that Table 5 shows, in long form (`ROWS`).

    Args:
        cases: corpus -> its cases (`schema.CASES`).
        items: responses of every system and split with their corpus, split and system as metadata; of one seed.
        layout: labels and order of corpora and systems.
    Raises:
        PipelineError: a system has no response to one of the contexts.
    """
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
            own = {key: row[key] for key in ("case", "split", "context", "similarity", "example_id")} | {
                "corpus": corpus
            }
            if row["split"] == "train":
                rows.append(own | {"role": "response", "text": row["response"], "count": row["count"]})
                continue
            rows.append(own | {"role": "reference", "text": row["response"]})
            for system in layout.systems:
                for answer in answers[row["split"], system][row["example_id"]]:
                    label = layout.systems[system].label
                    if system in oracles:  # as in Table 2
                        label += " (oracle)" if answer["selection"] == ORACLE else " (test rule)"
                    rows.append(own | {"role": "answer", "system": system, "label": label} | answer)
    return pa.Table.from_pylist(rows, ROWS)


def markdown(rows: pa.Table, layout: Layout, asked: int) -> str:
    """A heading, the training responses and a table for each case."""
    lines = [f"# Table 5. {TITLE}", ""]
    for corpus, cases in _by_corpus(rows, layout):
        lines += [f"## {escape_markdown(layout.corpora[corpus])}", "", _found(len(cases), asked), ""]
        for case, own in cases:
            of_train = [row for row in own if row["split"] == "train"]
            lines += [
                f"### Case {case}: {escape_markdown(of_train[0]['context'])}",
                "",
                f"{_train_title(of_train)}:",
                "",
            ]
            lines += [f"- {escape_markdown(text)}" for text in _train_responses(of_train)]
            lines += ["", *pipe_table([[escape_markdown(cell) for cell in line] for line in _lines(own)], left=99), ""]
    return "\n".join([*lines, *(f"- {note}" for note in _notes(layout)), ""])


def latex(rows: pa.Table, layout: Layout, asked: int) -> str:
    """One float for each case, with columns that wrap."""
    floats = []
    for corpus, cases in _by_corpus(rows, layout):
        floats += [f"% {escape_latex(layout.corpora[corpus])}: {_found(len(cases), asked)}"]
        for case, own in cases:
            of_train = [row for row in own if row["split"] == "train"]
            lines = [[escape_latex(cell) for cell in line] for line in _lines(own)]
            width = f">{{\\raggedright\\arraybackslash}}p{{{0.7 / (len(lines[0]) - 1):.3f}\\textwidth}}"
            texts = [[r"\textbf{training context}", escape_latex(of_train[0]["context"])]]
            texts += [["response", escape_latex(text)] for text in _train_responses(of_train)]
            blocks = [
                tabular([("", texts)], "l>{\\raggedright\\arraybackslash}p{0.7\\textwidth}"),
                tabular([("", lines)], "l" + width * (len(lines[0]) - 1)),
            ]
            caption = f"{layout.corpora[corpus]}, case {case}: {_train_title(of_train)}"
            floats.append(latex_table(caption, blocks, _notes(layout)))
    return "\n".join(["% needs \\usepackage{array,booktabs}", *floats])


# --- what is printed -----------------------------------------------------------------------------------------------


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Header, contexts, references, and a line for each system and selection; a column for each near context."""
    near = {(row["split"], row["example_id"]): row for row in rows if row["split"] != "train"}
    near = {key: near[key] for split in ("validation", "test") for key in near if key[0] == split}
    cells = {
        name: {key: " / ".join(_texts(rows, key, name)) or "–" for key in near}
        for name in dict.fromkeys(_name(row) for row in rows if row["split"] != "train")
    }
    return [
        ["", *(f"near in {row['split']}, cosine {row['similarity']:.2f}" for row in near.values())],
        ["context", *(row["context"] for row in near.values())],
        *([name, *texts.values()] for name, texts in cells.items()),
    ]


def _texts(rows: Sequence[Mapping[str, Any]], key: tuple[str, int], name: str) -> Iterator[str]:
    for row in rows:
        if (row["split"], row["example_id"]) == key and _name(row) == name:
            yield row["text"] or EMPTY


def _name(row: Mapping[str, Any]) -> str:
    return row["label"] if row["role"] == "answer" else row["role"]


def _train_title(rows: Sequence[Mapping[str, Any]]) -> str:
    return f"{len(rows)} different training responses, mean cosine {rows[0]['similarity']:.2f}"


def _train_responses(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    texts = [row["text"] + (f" (× {row['count']})" if row["count"] > 1 else "") for row in rows[:SHOWN]]
    return texts + ([f"… and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else [])


def _found(n: int, asked: int) -> str:
    if n == asked:
        return f"{n} case{'s' if n > 1 else ''}."
    return f"{n} of the {asked} cases that were asked for: no other context of this corpus has what makes a case."


def _notes(layout: Layout) -> list[str]:
    return [
        f"Answers of the runs with seed {layout.seeds[0]}, for the first example with the context; found and compared "
        "by the cosine of mean word vectors over content words.",
        "(oracle): the group was chosen with the reference, on validation alone; (test rule): with the context alone.",
    ]


def _by_corpus(rows: pa.Table, layout: Layout) -> Iterator[tuple[str, list[tuple[int, list[dict[str, Any]]]]]]:
    listed = rows.to_pylist()
    for corpus in layout.corpora:
        own = [row for row in listed if row["corpus"] == corpus]
        yield corpus, [(case, list(group)) for case, group in groupby(own, key=lambda row: row["case"])]


# --- reading -------------------------------------------------------------------------------------------------------


def _all(answers: Mapping[int, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for rows in answers.values():
        yield from rows


def _answers(
    files: Mapping[tuple[str | None, ...], Path], corpus: str, split: str, system: str, cases: pa.Table
) -> dict[int, list[dict[str, Any]]]:
    """Example -> what one system answered: selection, sample and text, the oracle first."""
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
