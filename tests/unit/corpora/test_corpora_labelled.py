"""Readers of the data sets that probes read: MSRP and TREC, from small files and from the releases."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import msrp, trec
from pipeline_lib.corpora.readers import read_dialogues
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import write_json
from pipeline_lib.schemas.dialogues import DIALOGUES

DATA = Path(__file__).parents[4] / "shared/data"
SOURCE = Source(reader="msrp", label="x", licence="none", bundles=[[]])
HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
PAIR = '1\t12\t34\tHe said "no.\tHe called it "a 5" wall".'
OTHER = "0\t56\t78\tIt rose 3.5 %.\tIt fell."
QUESTIONS = "NUM:dist How far is it ?\nLOC:city What city hosts the Café ?\n"


def read(reader: Any, folder: Path, contents: dict[str, bytes], skipped: Counter[str] | None = None) -> list[Any]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    skipped = Counter() if skipped is None else skipped
    batches = list(reader.read([folder / name for name in contents], SOURCE, skipped))
    assert all(batch.schema == DIALOGUES for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()]


def msrp_files(train: str, end: str = "\r\n", mark: str = "\ufeff") -> dict[str, bytes]:
    test = end.join([mark + HEADER, OTHER, ""])
    return {
        "msr_paraphrase_train.txt": (mark + train.replace("\n", end) + end).encode(),
        "msr_paraphrase_test.txt.gz": gzip.compress(test.encode()),
    }


def trec_files(train: bytes, test: bytes = b"HUM:ind Who ?\n") -> dict[str, bytes]:
    return {"train_5500.label": train, "TREC_10.label": test}


# --- MSRP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "mark"), [("\r\n", "\ufeff"), ("\n", "")])
def test_quotation_marks_of_a_paraphrase_pair_are_text(tmp_path, end, mark):
    rows = read(msrp, tmp_path, msrp_files(f"{HEADER}\n{PAIR}\n{OTHER}", end, mark))
    assert [row["text"] for row in rows[:2]] == ['He said "no.', 'He called it "a 5" wall".']
    assert [(row["dialogue_id"], row["turn"], row["split"], row["label"]) for row in rows] == [
        ("train-000002", 0, "train", 1),
        ("train-000002", 1, "train", 1),
        ("train-000003", 0, "train", 0),
        ("train-000003", 1, "train", 0),
        ("test-000002", 0, "test", 0),
        ("test-000002", 1, "test", 0),
    ]


@pytest.mark.parametrize(
    ("lines", "where", "problem"),
    [
        ("Quality\t#1 String\t#2 String\n1\ta\tb", "line 1", "other columns"),
        (f"{HEADER}\n{PAIR}\n1\t2\t3\tone sentence", "line 3", "4 filled cells of 4"),
        (f"{HEADER}\n1\t2\t3\t \tb", "line 2", "4 filled cells of 5"),
        (f"{HEADER}\nyes\t2\t3\ta\tb", "line 2", "quality 'yes'"),
        (f"{HEADER}\n\n{PAIR}", "line 2", "0 filled cells of 1"),
        (f'{HEADER}\n1\t2\t3\t"a\tb"\tc', "line 2", "6 filled cells of 6"),
    ],
)
def test_a_line_that_is_no_pair_is_an_error_that_names_it(tmp_path, lines, where, problem):
    with pytest.raises(PipelineError) as caught:
        read(msrp, tmp_path, msrp_files(lines))
    assert where in caught.value.where
    assert problem in caught.value.problem
    assert "tabs" in caught.value.expected


def test_pairs_that_are_not_utf8_are_an_error_that_names_the_line(tmp_path):
    files = msrp_files(f"{HEADER}\n{PAIR}")
    files["msr_paraphrase_train.txt"] = f"{HEADER}\n1\t2\t3\tCafé\tb\n".encode("latin-1")
    with pytest.raises(PipelineError, match="0xe9 is not UTF-8") as caught:
        read(msrp, tmp_path, files)
    assert "line 2" in caught.value.where


# --- TREC -------------------------------------------------------------------------------------------------------------


def test_questions_have_the_number_of_their_coarse_class(tmp_path):
    skipped: Counter[str] = Counter()
    rows = read(trec, tmp_path, trec_files(f"{QUESTIONS}\nABBR:exp What is it ?\n".encode("latin-1")), skipped)
    assert [(row["text"], row["label"], row["split"]) for row in rows] == [
        ("How far is it ?", 5, "train"),
        ("What city hosts the Café ?", 4, "train"),
        ("What is it ?", 0, "train"),
        ("Who ?", 3, "test"),
    ]
    assert skipped["empty lines"] == 1


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_questions_in_utf8_are_read_as_such_and_counted(tmp_path, line_end):
    skipped: Counter[str] = Counter()
    rows = read(trec, tmp_path, trec_files(QUESTIONS.encode().replace(b"\n", line_end)), skipped)
    assert [row["text"] for row in rows[:2]] == ["How far is it ?", "What city hosts the Café ?"]
    assert skipped["lines of files in UTF-8, not in ISO-8859-1"] == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (QUESTIONS.encode("utf-16"), "line 1"),
        (b"NUM:dist How far ?\nWhat city ?\n", "line 2"),
        (b"NUM:dist How far ?\nPLACE:city What city ?\n", "line 2"),
        (b"NUM:dist \n", "line 1"),
    ],
    ids=["UTF-16", "no class", "another class", "no question"],
)
def test_a_line_that_is_no_question_is_an_error_that_names_it(tmp_path, content, line):
    with pytest.raises(PipelineError, match="none of the six classes, or no question") as caught:
        read(trec, tmp_path, trec_files(content))
    assert line in caught.value.where


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reader", "name"), [(msrp, "msr_paraphrase_train.txt"), (trec, "train_5500.label")])
def test_a_missing_file_is_an_error_that_names_it(tmp_path, reader, name):
    with pytest.raises(PipelineError, match=f"no file is {name}"):
        read(reader, tmp_path, {"other.txt": b"x"})


def test_a_corpus_without_a_validation_split_is_read(tmp_path):
    files = trec_files(QUESTIONS.encode("latin-1"))
    read(trec, tmp_path, files)
    entries = [{"name": name, "sha256": sha256(tmp_path / name), "bytes": 1} for name in files]
    write_json(tmp_path / "manifest.json", entries)
    source = Source(reader="trec", label="TREC", licence="none", bundles=[[]])
    assert sum(batch.num_rows for batch in read_dialogues(source, tmp_path / "manifest.json")) == 3


@pytest.mark.skipif(not DATA.exists(), reason="needs the real MSRP and TREC files")
def test_the_releases_have_their_documented_sizes():
    pairs = list(msrp.read(sorted((DATA / "msrp").glob("*.gz")), SOURCE, Counter()))
    questions = list(trec.read(sorted((DATA / "trec").glob("*.gz")), SOURCE, Counter()))
    assert [batch.num_rows for batch in pairs] == [2 * 4076, 2 * 1725]
    assert [batch.num_rows for batch in questions] == [5452, 500]
    assert Counter(pairs[0].column("label").to_pylist()) == {1: 2 * 2753, 0: 2 * 1323}
