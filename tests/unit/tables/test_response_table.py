"""Tables of responses: seeded draws, and texts that are those of the files."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_lib.config.layout import Layout
from pipeline_lib.config.papers import ResponseTable
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.tables.files import write_table
from pipeline_lib.tables.responses import make

SYSTEMS = {
    "random": SystemSettings(label="Random", baseline="random"),
    "human": SystemSettings(label="Human", baseline="human"),
}
LAYOUT = Layout(corpora={"toy": "Toy"}, systems=SYSTEMS, seeds=[7])


def responses(path: Path, word: str, examples: range) -> Path:
    rows = [
        {
            "example_id": example,
            "sample": sample,
            "selection": "none",
            "context": f"c{example} <turn> d{example}",
            "reference": f"r{example}",
            "response": "" if example == 3 else f"{word}{example}.{sample}",
            "tokens": 2,
        }
        for sample in (1, 0)
        for example in examples
    ]
    write_parquet(path, pa.Table.from_pylist(rows, RESPONSES), RESPONSES)
    return path


def test_every_system_answers_the_same_drawn_contexts_with_its_first_response(tmp_path: Path) -> None:
    files = [responses(tmp_path / f"{name}.parquet", name, range(6)) for name in SYSTEMS]
    spec = ResponseTable(kind="responses", title="Responses", contexts=6, seed=2)
    table = make("table5", spec, LAYOUT, files)
    drawn = [row["example_id"] for row in table.records if row["role"] == "reference"]
    assert sorted(drawn) == list(range(6)) != drawn
    for row in table.records:
        example, system = row["example_id"], row["system"]
        expected = f"r{example}" if not system else "(empty)" if example == 3 else f"{system}{example}.0"
        assert (row["text"], row["context"]) == (expected, f"c{example} / d{example}")
    paths = [tmp_path / f"table5.{kind}" for kind in ("csv", "md", "tex", "json")]
    write_table(table, *paths)
    with open(paths[0], newline="", encoding="utf-8") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [row["text"] for row in table.records]
    assert "Context: c0 / d0" in paths[1].read_text(encoding="utf-8")


def test_the_draw_depends_on_its_seed_alone(tmp_path: Path) -> None:
    files = [responses(tmp_path / f"{name}.parquet", name, range(50)) for name in SYSTEMS]

    def drawn(seed: int) -> list[int]:
        spec = ResponseTable(kind="responses", title="Responses", contexts=4, seed=seed)
        return [row["example_id"] for row in make("t", spec, LAYOUT, files).records if not row["system"]]

    assert drawn(1) == drawn(1) != drawn(2)


def test_fewer_examples_than_are_drawn_and_a_system_that_lacks_one_are_errors(tmp_path: Path) -> None:
    files = [responses(tmp_path / "a.parquet", "a", range(3)), responses(tmp_path / "b.parquet", "b", range(3, 6))]
    spec = ResponseTable(kind="responses", title="Responses", contexts=4)
    with pytest.raises(PipelineError, match="3 examples in the split test"):
        make("t", spec, LAYOUT, files)
    with pytest.raises(PipelineError, match="no response to example"):
        make("t", spec.model_copy(update={"contexts": 2}), LAYOUT, files)
