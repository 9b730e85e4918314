"""The figure of one path: its texts by t, and what they are worth."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv

from pipeline_lib.errors import PipelineError
from pipeline_lib.figures.interpolation import Options, draw, numbers, plot
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.decoded import DECODED

LONG = "a sentence of many words " * 5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    texts = {1: ["a $x_1$", "", "b"], 2: ["c", LONG.strip(), "d"]}
    rows = [
        {
            "item": item,
            "place": place,
            "kind": "point",
            "keep": 1.0,
            "t": place / 2,
            "text": text,
            "log_p": -item - place,
        }
        for item, own in texts.items()
        for place, text in enumerate(own)
    ]
    write_parquet(tmp_path / "paths.parquet", pa.Table.from_pylist(rows, DECODED), DECODED)
    return tmp_path / "paths.parquet"


def test_each_point_has_its_sentence_and_its_log_probability(path, tmp_path):
    files = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    plot({"vae": "VAE"}, [path], Options(path=2), *files)
    rows = csv.read_csv(files[2]).to_pylist()
    assert [(row["t"], row["text"], row["log_p"]) for row in rows] == [
        (0, "c", -2),
        (0.5, LONG.strip(), -3),
        (1, "d", -4),
    ]
    [axes] = draw(numbers({"vae": path}, 2), {"vae": "VAE"}).axes
    [line] = axes.lines  # without a judge there is one line
    assert line.get_xydata().tolist() == [[-2, 0], [-3, 0.5], [-4, 1]]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "c   0.000"
    assert "\n" in names[1]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # t downwards, as one reads


def test_systems_are_drawn_below_one_another(path):
    figure = draw(numbers({"vae": path, "ae": path}, 1), {"vae": "VAE", "ae": "AE"})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["VAE", "AE"]
    assert figure.axes[0].get_yticklabels()[1].get_text() == "(empty)   0.500"


def test_a_path_that_is_not_there_is_an_error_that_says_how_many_there_are(path):
    with pytest.raises(PipelineError) as error:
        numbers({"vae": path}, 3)
    assert error.value.problem == "no path 3"
    assert "from 1 to 2" in error.value.expected
