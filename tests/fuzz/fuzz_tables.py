"""Tables that people bring, as a corpus or as responses, against Python's own csv and json modules."""

import csv
import io
import json
from collections import Counter
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fuzz_corpora import dialogues, read
from fuzz_promise import Reader, as_browsers, refused_or
from fuzz_strategies import HAZARDS, attempt, gunzipped, gzipped, perhaps_damaged, phrases, plain
from hypothesis import strategies as st

from pipeline_lib.corpora import table
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.external import external
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.tokenisers import english
from pipeline_lib.text.tokenisers.english import tokenise

Rows = list[dict[str, Any]]
KINDS = st.sampled_from(["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])


# --- writing -------------------------------------------------------------------------------------------------------


def as_csv(names: list[str], rows: Rows) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def as_jsonl(names: list[str], rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(names: list[str], rows: Rows) -> bytes:
    """Columns of whatever types their values have, of text where they differ."""
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        column = attempt(lambda values=values: pa.array(values))
        columns.append(
            pa.array([str(v).encode("utf-8", "replace").decode() for v in values]) if column is None else column
        )
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns, names), buffer, row_group_size=3)
    return buffer.getvalue()


def as_kind(kind: str, names: list[str], rows: Rows) -> bytes:
    write = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}[kind.removesuffix(".gz")]
    content = write(names, rows)
    return gzipped(content) if kind.endswith(".gz") else content


# --- reading once more ---------------------------------------------------------------------------------------------


def naive_rows(kind: str, content: bytes) -> Rows | None:
    """The rows by the standard library; None: they are damaged. Parquet is read whole, without checks of ours."""
    if kind == "parquet":
        return attempt(lambda: pq.read_table(io.BytesIO(content)).to_pylist())
    raw = gunzipped(content) if kind.endswith(".gz") else content
    text = attempt(lambda: raw.decode("utf-8-sig"))
    if text is None:
        return None
    if kind.startswith("csv"):
        lines = attempt(lambda: [cells for cells in csv.reader(io.StringIO(text, newline=""), strict=True) if cells])
        if not lines or any(len(cells) != len(lines[0]) for cells in lines) or len(set(lines[0])) < len(lines[0]):
            return None
        return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]
    return attempt(lambda: [json.loads(line, parse_float=_number) for line in text.split("\n") if line.strip()])


def _number(text: str) -> float:
    """A number of JSON; 2.0 is a whole one."""
    value = float(text)
    return int(value) if value.is_integer() else value


# --- a corpus ------------------------------------------------------------------------------------------------------


def _check_table(folder: Path, case: tuple[str, bytes]) -> bool:
    kind, content = case
    path = folder / f"a.{kind}"
    path.write_bytes(content)
    result = read(table, [path])
    if result is None:
        return False
    found, _ = result
    rows = naive_rows(kind, content)
    assert rows is not None, "a table was read that the standard library finds damaged"
    expected = {}
    for dialogue, turns in groupby(rows, key=lambda row: str(row["dialogue"]).strip()):
        assert dialogue not in expected, "a dialogue that begins twice"
        ordered = sorted(turns, key=lambda row: int(str(row["turn"]), 0))
        numbers = [int(str(row["turn"]), 0) for row in ordered]
        gaps = accumulate((two != one + 1 for one, two in pairwise(numbers)), initial=0)  # each leaves out a number
        texts = [as_browsers(str(row["text"])).strip() for row in ordered]
        expected[dialogue] = [(place + gap, text) for place, (gap, text) in enumerate(zip(gaps, texts, strict=True))]
    assert all(text for turns in expected.values() for _, text in turns)
    assert dialogues(found) == expected
    return True


_value = st.one_of(
    phrases, st.sampled_from(HAZARDS), st.integers(), st.booleans(), st.none(), st.floats(), st.lists(plain, max_size=2)
)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """Whole dialogues, a few of whose values are then replaced, and perhaps a column renamed, doubled or added."""
    rows: Rows = [
        {"dialogue": name, "turn": turn, "text": draw(st.one_of(plain, phrases))}
        for name in draw(st.lists(plain, max_size=3, unique=True))
        for turn in draw(st.permutations(range(draw(st.integers(1, 3)))))
    ]
    if rows and draw(st.booleans()):
        for _ in range(draw(st.integers(1, 2))):
            row = draw(st.sampled_from(rows))
            row[draw(st.sampled_from(["dialogue", "turn", "text"]))] = draw(_value)
    names = ["dialogue", "turn", "text"]
    match draw(st.integers(0, 9)):
        case 0:
            names = draw(st.lists(st.sampled_from([*names, "", "text "]), max_size=4))
        case 1:
            names.append("note")
            rows = [row | {"note": draw(_value)} for row in rows]
    kind = draw(KINDS)
    return kind, draw(perhaps_damaged(st.just(as_kind(kind, names, rows))))


# --- responses made elsewhere --------------------------------------------------------------------------------------

CONTEXTS = ["how are you ?", "good night .", "how are you ?", "< b > !"]
PAIRS = pa.table(
    {
        "example_id": [1, 2, 3, 9],
        "dialogue_id": ["a", "b", "c", "d"],
        "turn": [0, 0, 0, 0],
        "context": CONTEXTS,
        "response": ["fine .", "sleep well .", "so so .", "no ."],
        "user": pa.nulls(4, pa.string()),
        "label": pa.nulls(4, pa.int32()),
    }
)


def _check_external(folder: Path, case: tuple[str, bytes]) -> bool:
    kind, content = case
    path, examples = folder / f"a.{kind}", folder / "examples.parquet"
    path.write_bytes(content)
    write_parquet(examples, PAIRS, EXAMPLES)
    found = refused_or(lambda: external(path, examples, english))
    if found is None:
        return False
    rows = naive_rows(kind, content)
    assert rows is not None, "a table was read that the standard library finds damaged"

    def tokens(value: Any) -> str:
        return " ".join(tokenise(as_browsers(str(value))))

    given: dict[str, list[tuple[Any, str]]] = {}
    for row in rows:
        answer = (int(str(row["sample"]), 0) if "sample" in row else None, tokens(row["response"]))
        answers = given.setdefault(tokens(row["context"]), [])
        answers += [] if answer in answers else [answer]
    for answers in given.values():
        answers.sort(key=lambda answer: answer[0] or 0)
    assert set(given) == set(CONTEXTS)
    expected = Counter(
        (example, context, sample, answer[1])
        for example, context in zip([1, 2, 3, 9], CONTEXTS, strict=True)
        for sample, answer in enumerate(given[context])
    )
    columns = (found[name].to_pylist() for name in ("example_id", "context", "sample", "response"))
    assert Counter(zip(*columns, strict=True)) == expected, found.to_pylist()
    return True


@st.composite
def _answers(draw: st.DrawFn) -> tuple[str, bytes]:
    sampled = draw(st.booleans())
    rows: Rows = []
    for context in dict.fromkeys(CONTEXTS):
        for sample in range(draw(st.integers(1, 2))):
            row = {"context": context, "response": draw(st.one_of(plain, phrases))}
            rows.append(row | ({"sample": sample} if sampled else {}))
    names = list(rows[0])
    if draw(st.integers(0, 3)) == 0:
        draw(st.sampled_from(rows))[draw(st.sampled_from(names))] = draw(_value)
    if draw(st.integers(0, 9)) == 0:
        names = draw(st.lists(st.sampled_from(["context", "response", "sample", ""]), max_size=4))
    kind = draw(KINDS)
    return kind, draw(perhaps_damaged(st.just(as_kind(kind, names, draw(st.permutations(rows))))))


READERS = [
    Reader("tables of dialogues", _tables(), _check_table),
    Reader("foreign responses", _answers(), _check_external),
]
