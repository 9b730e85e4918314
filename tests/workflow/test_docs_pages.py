"""The walk-throughs in docs/ do what they say: their files are written and their commands run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from tiny_workflow import ROOT, TinyWorkflow

from pipeline_lib.files.formats import read_json, read_parquet
from pipeline_lib.schemas.responses import RESPONSES

FENCE = re.compile(r"^```(.+)\n((?:.*\n)*?)```$", re.MULTILINE)
TITLE = re.compile(r'title="(.+)"')


class Page:
    """The code blocks of one page."""

    def __init__(self, name: str) -> None:
        blocks = FENCE.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))
        self.files = {title[1]: body for kind, body in blocks if (title := TITLE.search(kind))}
        self.commands = "".join(body for kind, body in blocks if kind == "sh")

    def follow(self, folder: Path) -> str:
        """Write the files and run the commands, with Python and Snakemake of this environment; gives the screen."""
        for name, body in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(body, encoding="utf-8")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.commands],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def table(path: Path) -> dict[str, dict[str, float | str]]:
    """Rows of a table by the label of the system."""
    return {row["label"]: row for row in pa.csv.read_csv(path).to_pylist()}


# --- docs/adding-a-model.md ----------------------------------------------------------------------------------------


@pytest.fixture
def models(checkout, monkeypatch) -> TinyWorkflow:
    """The tiny workflow after someone followed the page on models."""
    workflow: TinyWorkflow = checkout()
    before = {path: path.stat().st_mtime_ns for path in workflow.results.glob("models/**/*.safetensors")}
    Page("adding-a-model.md").follow(workflow.folder)
    assert before.items() <= {path: path.stat().st_mtime_ns for path in before}.items()  # nothing was trained again
    monkeypatch.syspath_prepend(workflow.folder / "mine")
    return workflow


def test_the_page_on_models_gives_a_row_for_each_of_its_systems(models):
    rows = table(models.results / "tables/table2.csv")
    assert {"Retrieval", "Transformer", "Parrot", "Seq2Seq"} <= rows.keys()
    assert rows["Transformer"]["ppl-bound"] == pytest.approx(rows["Transformer"]["ppl-importance"])  # exact
    assert rows["Retrieval"]["ppl"] in (None, "")
    assert rows["Parrot"]["coherence"] == pytest.approx(1, abs=1e-3)  # a context and itself

    check_retrieval(models)
    check_parrot(models)
    check_transformer(models)


def responses(workflow: TinyWorkflow, system: str) -> pa.Table:
    return read_parquet(workflow.results / f"responses/embedded/{system}/seed1/validation.parquet", RESPONSES)


def check_retrieval(workflow: TinyWorkflow) -> None:
    """Its responses are those of the nearest training contexts, found one by one."""
    rows = read_parquet(workflow.results / "vectors/embedded/native.parquet").to_pylist()
    vectors = {row["token"]: np.array(row["vector"]) for row in rows}

    def direction(text: str) -> np.ndarray:
        mean = np.mean([vectors[word] for word in text.split() if word in vectors], axis=0)
        return mean / np.linalg.norm(mean)

    train = read_parquet(workflow.results / "filtered/embedded/train.parquet").to_pylist()
    known = np.array([direction(row["context"]) for row in train])
    for row in responses(workflow, "retrieval").to_pylist():
        cosines = known @ direction(row["context"])
        assert row["response"] in {train[i]["response"] for i in np.flatnonzero(cosines > cosines.max() - 1e-5)}


def check_parrot(workflow: TinyWorkflow) -> None:
    table = responses(workflow, "parrot")
    assert set(table["sample"].to_pylist()) == {0, 1}
    assert len(table) == 2 * len(responses(workflow, "seq2seq"))


def check_transformer(workflow: TinyWorkflow) -> None:
    """The likelihood of a whole response is that of its words, each given those before it and nothing after."""
    import torch

    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.models import saved
    from pipeline_lib.text.words import Words

    vocabulary = Words.read(workflow.results / "vocabulary/embedded/words.parquet")
    folder = workflow.results / "models/embedded/transformer/seed1"
    model = saved.load(folder / "model.safetensors", vocabulary).system.eval()
    batch = ExampleDataset.open(workflow.results / "encoded/embedded/words/validation.arrow").batch(np.arange(4))
    with torch.no_grad():
        nll = model.likelihood(batch, torch.Generator()).nll
        memory, padding = model._encode(batch)
        for row in range(4):
            total = 0.0
            for place in range(int(batch.response.lengths[row])):
                read = batch.response.inputs[row : row + 1, : place + 1]
                state = model._decode(read, memory[row : row + 1], padding[row : row + 1])[:, -1]
                total -= float(torch.log_softmax(model.output(state), -1)[0, batch.response.targets[row, place]])
            assert total == pytest.approx(float(nll[row]), rel=1e-4)


# --- docs/adding-a-corpus.md ---------------------------------------------------------------------------------------


@pytest.fixture
def one_system(tmp_path: Path) -> TinyWorkflow:
    """The tiny workflow before any run, with a single system: its many short jobs are what takes the time."""
    workflow = TinyWorkflow.create(tmp_path / "checkout")
    workflow.keep_systems("seq2seq")
    return workflow


def test_the_page_on_corpora_leads_from_a_csv_to_tables_1_to_3(one_system):
    screen = Page("adding-a-corpus.md").follow(one_system.folder)
    results = one_system.results / "mine"
    dialogues = read_parquet(results / "dialogues/mine/dialogues.parquet").to_pylist()
    rows = pa.csv.read_csv(one_system.folder / "mine/scenes.csv").to_pylist()
    assert [(d["dialogue_id"], d["turn"] + 1, d["speaker"], d["text"]) for d in dialogues] == [
        (row["scene"], row["line"], row["who"], row["says"]) for row in rows
    ]
    splits = read_json(results / "filtered/mine/counts.json")["splits"]
    assert all(splits[split]["examples"] > 0 for split in ("train", "validation", "test"))
    assert "My corpus" in screen
    assert "| Seq2Seq" in screen
    for name in ("table2", "table3"):
        assert table(results / f"tables/{name}.csv").keys() == {"Seq2Seq"}
