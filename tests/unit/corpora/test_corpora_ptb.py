"""Readers of one sentence a line: the Penn Treebank and any text, against small files and the real corpus."""

import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import ptb, sentences
from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import DIALOGUES
from reference.positional import count_positions, positional_optimum, without_end

SOURCE = Source(reader="table", label="x", licence="none", bundles=[[]], splits={"validation": 0.2, "test": 0.2})
TEXTS = {
    "ptb.train.txt": b" mr. <unk> paid $ N million \n no final stop \n",
    "ptb.valid.txt": b" it 's a u.s. firm \n \n",
    "ptb.test.txt": b" one \n two \n three \n",
}
SPLITS = ["train", "train", "validation", "test", "test", "test"]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def rows(reader: Any, folder: Path, contents: dict[str, bytes], skipped: Counter[str]) -> list[dict[str, Any]]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    batches = list(reader.read([folder / name for name in contents], SOURCE, skipped))
    assert all(batch.schema == DIALOGUES for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()]


# --- Penn Treebank ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "contents",
    [
        TEXTS,
        {f"{name}.gz": gzip.compress(text) for name, text in TEXTS.items()},
        {"ptb.zip": zipped(TEXTS | {f"__MACOSX/._{name}": b"\0" for name in TEXTS} | {"__MACOSX/ptb.test.txt": b""})},
        {"other name.zip": zipped({f"data/{name}": text for name, text in TEXTS.items()})},
        {name: text.replace(b"\n", b"\r\n") for name, text in TEXTS.items()},
        {name: text.replace(b"\n", b"\r") for name, text in TEXTS.items()},
        {name: b"\xef\xbb\xbf" + text.removesuffix(b"\n") for name, text in TEXTS.items()},
    ],
    ids=["texts", "gz", "zip", "folder", "CRLF", "CR", "mark, no last line end"],
)
def test_every_form_of_the_treebank_gives_its_sentences_as_they_are(tmp_path: Path, contents: dict[str, bytes]) -> None:
    skipped: Counter[str] = Counter()
    found = rows(ptb, tmp_path, contents, skipped)
    assert [row["text"] for row in found[:3]] == ["mr. <unk> paid $ N million", "no final stop", "it 's a u.s. firm"]
    assert [row["split"] for row in found] == SPLITS
    assert [row["dialogue_id"] for row in found[1:4]] == ["train-000002", "validation-000001", "test-000001"]
    assert {(row["turn"], row["speaker"], row["label"]) for row in found} == {(0, None, None)}
    assert skipped == {"empty lines": 1}


@pytest.mark.parametrize(
    ("contents", "problem", "place"),
    [
        ({"ptb.train.txt": b"a\n", "ptb.test.txt": b"b\n"}, "no file is ptb.valid.txt", "ptb.train.txt"),
        ({"ptb.zip": zipped({"ptb.train.txt": b"a\n"})}, "no members named 'ptb.valid.txt'", "ptb.zip"),
        (TEXTS | {"ptb.test.txt": b"good\nb\xe9d\n"}, "0xe9 is not UTF-8", "ptb.test.txt, line 2"),
        (TEXTS | {"ptb.test.txt": "good\n".encode("utf-16")}, "0xff is not UTF-8", "ptb.test.txt, line 1"),
        (TEXTS | {"ptb.valid.txt": b"\n(S (NP it) (VP is))\n"}, "a parse tree", "ptb.valid.txt, line 2"),
        (TEXTS | {"ptb.train.txt": b"( (S (NP (PRP it))) )\n"}, "a parse tree", "ptb.train.txt, line 1"),
        (TEXTS | {"ptb.train.txt": b"a headline\n(S (NP it)\n"}, "a parse tree", "ptb.train.txt, line 2"),
        (TEXTS | {"ptb.train.txt": b"\nthe/DT cat/NN sat/VBD ./.\n"}, "words with tags", "ptb.train.txt, line 2"),
        (TEXTS | {"ptb.test.txt": b"one\n1\tthe\tDT\n"}, "a tab in", "ptb.test.txt, line 2"),
        (TEXTS | {"ptb.test.txt": "one\n".encode("utf-16-le")}, "a null character", "ptb.test.txt, line 1"),
        ({"ptb.zip": zipped(TEXTS)[:-40]}, "damaged, cut off", "ptb.zip"),
    ],
)
def test_what_is_wrong_with_a_treebank_is_named(
    tmp_path: Path, contents: dict[str, bytes], problem: str, place: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        rows(ptb, tmp_path, contents, Counter())
    assert problem in caught.value.problem
    assert place in str(caught.value.where)
    assert caught.value.expected
    assert caught.value.remedy


def test_the_real_treebank_has_its_known_sizes_and_positional_optimum(real_data: Callable[[str], Path]) -> None:
    """Published: 929,589 training tokens with the end of each sentence, 73,760 and 82,430."""
    found: dict[str, list[list[str]]] = {"train": [], "validation": [], "test": []}
    for batch in ptb.read([real_data("ptb/ptb.zip")], SOURCE, Counter()):
        for row in batch.to_pylist():
            found[row["split"]].append(row["text"].split())
    assert {split: len(texts) for split, texts in found.items()} == {
        "train": 42_068,
        "validation": 3_370,
        "test": 3_761,
    }
    words = {split: sum(map(len, texts)) for split, texts in found.items()}
    assert words == {"train": 887_521, "validation": 70_390, "test": 78_669}
    assert len({word for text in found["train"] for word in text}) == 9_999

    positions = count_positions(found["train"])
    assert positional_optimum(positions) == pytest.approx(137.97, abs=5e-3)
    assert positional_optimum(without_end(positions)) == pytest.approx(134.27, abs=5e-3)


# --- any sentences ----------------------------------------------------------------------------------------------------


def test_files_named_after_splits_keep_them(tmp_path: Path) -> None:
    contents = {"my.dev.txt": b"c\n", "my.train.txt": b" a \n\nb\n", "my.test.txt.gz": gzip.compress(b"d")}
    skipped: Counter[str] = Counter()
    found = rows(sentences, tmp_path, contents, skipped)
    assert [(row["text"], row["split"]) for row in found] == [
        ("c", "validation"),
        ("a", "train"),
        ("b", "train"),
        ("d", "test"),
    ]
    assert len({row["dialogue_id"] for row in found}) == 4
    assert skipped == {"empty lines": 1}


def test_equal_sentences_are_never_in_two_splits(tmp_path: Path) -> None:
    content = "".join(f"sentence {number % 1_000}\n" for number in range(3_000)).encode()
    found = rows(sentences, tmp_path, {"mine.txt": content}, Counter())
    splits = {(row["text"], row["split"]) for row in found}
    assert len(splits) == 1_000
    held_out = Counter(split for _, split in splits)
    assert abs(held_out["validation"] - 200) < 4 * 13  # four standard deviations of a binomial
    assert abs(held_out["test"] - 200) < 4 * 13
    assert len({row["dialogue_id"] for row in found}) == 3_000
