"""The map of users: a panel for each run, and what is printed of groups and of the other runs."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from pipeline_lib.errors import PipelineError
from pipeline_lib.figures.user_map import Options, draw, numbers, plot_runs
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.latents import latents_schema

OPTIONS = Options(perplexity=4.0, seed=2)
SYSTEMS = {"a": "System A", "b": "System B"}


def write(path, vectors, groups=None):
    n = len(vectors)
    columns = [
        pa.array(np.arange(1, n + 1)),
        pa.nulls(n, pa.int16()) if groups is None else pa.array(groups, pa.int16()),
        pa.nulls(n, pa.int32()),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1]),
    ]
    write_parquet(path, pa.table(columns, schema=latents_schema(vectors.shape[1])), latents_schema(vectors.shape[1]))
    return path


@pytest.fixture
def files(tmp_path):
    """Two runs each: of users who lie by group, the second turned; and of users who lie anywhere."""
    groups, rng = np.arange(30) % 3, np.random.default_rng(0)
    by_group = 50 * np.eye(4)[groups] + rng.normal(size=(30, 4))
    runs = [by_group, by_group[:, ::-1], rng.normal(size=(30, 4)), rng.normal(size=(30, 4))]
    return [write(tmp_path / f"{i}.parquet", vectors, groups) for i, vectors in enumerate(runs)]


def printed(figure):
    return [axes.get_xlabel().splitlines()[1:] for axes in figure.axes]


def test_each_run_has_a_panel_with_its_measures_and_its_likeness_to_the_other_runs(files, tmp_path):
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    plot_runs(SYSTEMS, [1, 2], files, OPTIONS, *paths)
    rows = csv.read_csv(paths[2]).to_pylist()
    assert [row["user"] for row in rows] == [*range(1, 31)] * 4
    found = {(row["system"], row["seed"]): row for row in rows}
    for seed in (1, 2):
        row = found["a", seed]
        assert (row["ari"], row["neighbours"], row["likeness"]) == pytest.approx((1, 1, 1))
        assert row["silhouette"] > 0.9
        assert max(abs(found["b", seed][name]) for name in ("ari", "silhouette", "likeness")) < 0.25
    table = numbers(dict(zip(found, files, strict=True)), OPTIONS)
    figure = draw(table, SYSTEMS)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "System A, seed 1",
        "System A, seed 2",
        "System B, seed 1",
        "System B, seed 2",
    ]
    silhouette = found["a", 1]["silhouette"]
    assert printed(figure)[0] == [
        f"silhouette {silhouette:.3f}",
        "ARI with k-means 1.000",
        "nearest neighbours 1.000",
        "r with other seeds 1.000",
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1", "2"]
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


def test_users_of_unknown_style_have_no_groups_and_a_single_run_no_other_to_be_like(tmp_path):
    vectors = np.random.default_rng(1).normal(size=(12, 4))
    paths = [write(tmp_path / f"{i}.parquet", vectors) for i in (0, 1)]
    one = draw(numbers({("a", 1): paths[0]}, OPTIONS), {"a": "A"})
    both = draw(numbers({("a", 1): paths[0], ("a", 2): paths[1]}, OPTIONS), {"a": "A"})
    assert printed(one) == [[]]
    assert printed(both)[0] == ["r with other seeds 1.000"]


def test_three_users_are_an_error_that_says_what_to_do(tmp_path):
    path = write(tmp_path / "few.parquet", np.eye(3))
    with pytest.raises(PipelineError, match="3 users") as error:
        numbers({("a", 1): path}, OPTIONS)
    assert "users: {least" in error.value.remedy
