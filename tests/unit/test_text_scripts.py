"""The command lines of the text stages, run one after the other as the workflow runs them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import RemoteFile
from pipeline_lib.config.embeddings import Embeddings
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.schemas.vectors import vectors_schema
from pipeline_lib.text.words import Words

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def _run(script: str, **options: Path | str | int | None) -> subprocess.CompletedProcess[str]:
    """Run a script; an option of None is given without a value."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py")]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", *([] if value is None else [str(value)])]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Examples and tokens of a corpus of two dialogues, and a GloVe file that knows its words."""
    utterances = ["the old train is late", "the doctor waits", "bread and soup", "good soup", "the train comes"]
    columns = {
        "example_id": pa.array(range(4), pa.int64()),
        "dialogue_id": ["d"] * 4,
        "turn": pa.array(range(4), pa.int32()),
        "context": utterances[:-1],
        "response": utterances[1:],
        "user": pa.nulls(4, pa.string()),
        "label": pa.nulls(4, pa.int32()),
    }
    write_parquet(tmp_path / "train.parquet", pa.table(columns, schema=EXAMPLES), EXAMPLES)
    said = [{"dialogue_id": "d", "turn": turn, "text": text, "split": "train"} for turn, text in enumerate(utterances)]
    write_parquet(tmp_path / "dialogues.parquet", pa.Table.from_pylist(said, DIALOGUES), DIALOGUES)
    words = sorted({word for text in utterances for word in text.split()})
    counts = {"token": words, "count": [2] * len(words), "train_count": [2] * len(words)}
    write_parquet(tmp_path / "tokens.parquet", pa.table(counts, schema=TOKENS), TOKENS)
    rows = "".join(f"{word} {n} 0.5\n" for n, word in enumerate([*words, "unused"]))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "tiny.txt").write_text(rows)
    return tmp_path


def test_a_glove_file_is_fetched_selected_and_becomes_a_vocabulary_and_keywords(corpus: Path) -> None:
    settings = Embeddings(source="file", file=RemoteFile(name="tiny.txt")).model_dump_json()
    fetched = corpus / "raw" / "tiny.txt"
    answers = [
        _run("fetch_vectors", settings=settings, mirrors=corpus / "mirror", out=fetched),
        _run("select_vectors", file=fetched, tokens=corpus / "tokens.parquet", dimension=2, out=corpus / "v.parquet"),
        _run(
            "build_vocabulary",
            train=corpus / "train.parquet",
            tokens=None,
            vectors=corpus / "v.parquet",
            settings="{}",
            out=corpus / "words.parquet",
        ),
        _run(
            "extract_keywords",
            examples=corpus / "train.parquet",
            train=corpus / "train.parquet",
            settings='{"most": 2}',
            tokeniser="english",
            threads=1,
            out=corpus / "keywords.parquet",
        ),
    ]
    assert [answer.returncode for answer in answers] == [0] * 4, answers
    vocabulary = Words.read(corpus / "words.parquet")
    assert vocabulary.tokens[4:6] == ["soup", "the"]  # four times each
    assert np.all(vocabulary.embeddings[4:, 1] == 0.5)
    keywords = read_parquet(corpus / "keywords.parquet", KEYWORDS)
    assert keywords["context_keywords"][0].as_py() == ["old", "train"]


def test_vectors_are_trained_from_the_command_line(corpus: Path) -> None:
    out = corpus / "native.parquet"
    answer = _run(
        "train_vectors",
        dialogues=corpus / "dialogues.parquet",
        tokens=corpus / "tokens.parquet",
        settings='{"dimension": 5}',
        tokeniser="english",
        out=out,
    )
    assert answer.returncode == 0, answer.stderr
    assert len(read_parquet(out, vectors_schema(5))) == 12


def test_a_fault_ends_a_script_with_a_message_and_leaves_the_earlier_result(corpus: Path) -> None:
    (corpus / "v.parquet").write_text("earlier")
    bad = corpus / "bad.txt"
    bad.write_text("the 1 2\ntrain 1\n")
    answer = _run("select_vectors", file=bad, tokens=corpus / "tokens.parquet", out=corpus / "v.parquet")
    assert answer.returncode == 1
    assert f"{bad}, line 2" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert (corpus / "v.parquet").read_text() == "earlier"


SAID = {
    "spaces": ["N stocks fell", "mr. <unk> rose", "N <unk> fell", "stocks rose"],
    "characters": ["你好吗？", "我很好", "你很好", "好吗OK"],
}
WINDOWS = {
    ("spaces", 0): [None, "N stocks fell"],
    ("spaces", 2): ["N stocks fell <turn> mr. <unk> rose", "N <unk> fell"],
    ("characters", 2): ["你 好 吗 ？ <turn> 我 很 好", "你 很 好"],
}


@pytest.mark.parametrize(("tokeniser", "turns"), list(WINDOWS))
def test_sentences_and_several_turns_become_batches_without_any_word_vectors(
    tmp_path: Path, tokeniser: str, turns: int
) -> None:
    said = [
        {"dialogue_id": split, "turn": turn, "text": text, "split": split}
        for split in SPLITS
        for turn, text in enumerate(SAID[tokeniser])
    ]
    path = {name: tmp_path / f"{name}.parquet" for name in ("dialogues", "tokens", "words", *SPLITS)}
    kept = {split: tmp_path / f"kept_{split}.parquet" for split in SPLITS}
    write_parquet(path["dialogues"], pa.Table.from_pylist(said, DIALOGUES), DIALOGUES)
    examples = {split: path[split] for split in SPLITS}
    filtering = {"known": "any", "unknown": "unk", "context_length": [0, 25]}
    answers = [
        _run(
            "extract_examples",
            dialogues=path["dialogues"],
            window=json.dumps({"context": turns}),
            tokeniser=tokeniser,
            tokens=path["tokens"],
            report=tmp_path / "windows.json",
            **{f"out_{split}": file for split, file in examples.items()},
        ),
        _run(
            "filter_examples",
            tokens=path["tokens"],
            windows=tmp_path / "windows.json",
            settings=json.dumps(filtering),
            report=tmp_path / "report.json",
            vectors=None,
            **examples,
            **{f"out_{split}": file for split, file in kept.items()},
        ),
        _run("build_vocabulary", train=kept["train"], tokens=None, vectors=None, settings="{}", out=path["words"]),
        _run(
            "encode_examples",
            examples=kept["test"],
            vocabulary=path["words"],
            out=tmp_path / "encoded" / "t.arrow",
        ),
    ]
    assert [answer.returncode for answer in answers] == [0] * 4, answers
    words = Words.read(path["words"])
    assert words.embeddings is None
    batch = ExampleDataset.open(tmp_path / "encoded" / "t.arrow").batch(np.arange(1))
    context, response = WINDOWS[tokeniser, turns]
    assert (batch.context and words.decode(batch.context.ids[0].tolist())) == context
    assert words.decode(batch.response.words.ids[0].tolist()) == response
