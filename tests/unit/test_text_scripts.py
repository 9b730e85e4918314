"""The command lines of the text stages, run one after the other as the workflow runs them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import RemoteFile
from pipeline_lib.config.embeddings import Embeddings
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.schemas.vectors import vectors_schema
from pipeline_lib.text.units import Words

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def _run(script: str, **options: Path | str | int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / f"{script}.py")]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
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
            vectors=corpus / "v.parquet",
            out=corpus / "vocabulary.parquet",
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
    vocabulary = Words.read(corpus / "vocabulary.parquet")
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
