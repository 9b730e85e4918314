"""Figure 3 of the sentence VAE paper: the parts of the bound of made-up runs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from pipeline_lib.figures.word_keep import Options, draw, numbers, plot_runs
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.likelihoods import LIKELIHOODS

SYSTEMS = {"all": "keep 1", "none": "keep 0"}
RUNS = {
    ("all", 1): (1.0, 12.0, 0.5),
    ("all", 2): (1.0, 13.0, 0.7),
    ("none", 1): (0.0, 20, 6),
    ("none", 2): (0.0, 22, 8),
}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two sentences of each run, one nat below and above its means."""
    paths = []
    for (system, seed), (keep, reconstruction, kl) in RUNS.items():
        nats = np.array([reconstruction - 1, reconstruction + 1])
        columns = {"keep": [keep] * 2, "reconstruction": nats, "kl": [kl] * 2, "bound": nats + kl}
        paths.append(tmp_path / f"{system}{seed}.parquet")
        write_parquet(paths[-1], pa.table(columns, schema=LIKELIHOODS), LIKELIHOODS)
    return paths


def test_a_row_of_the_csv_is_a_run_and_its_parts_add_up_to_its_bound(files, tmp_path):
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    plot_runs(SYSTEMS, [1, 2], files, Options(), *paths)
    rows = csv.read_csv(paths[2]).to_pylist()
    assert {(row["system"], row["seed"]): (row["keep"], row["reconstruction"], row["kl"]) for row in rows} == RUNS
    assert all(row["bound"] == pytest.approx(row["reconstruction"] + row["kl"]) for row in rows)
    assert [row["keep"] for row in rows] == [1, 1, 0, 0]  # in the order of the figure
    assert all(row["sentences"] == 2 for row in rows)
    assert all(path.stat().st_size > 1000 for path in paths[:2])


def test_bars_are_means_over_the_runs_and_every_run_is_a_point(files):
    table = numbers([(*run, path) for run, path in zip(RUNS, files, strict=True)])
    bound, kl = draw(table).axes
    heights = [(round(bar.get_x() + bar.get_width() / 2, 6), bar.get_y(), bar.get_height()) for bar in bound.patches]
    np.testing.assert_allclose(heights, [(1, 0, 12.5), (0, 0, 21), (1, 12.5, 0.6), (0, 21, 7)], atol=1e-9)
    points = [sorted(drawn.get_offsets()[:, 1]) for axes in (bound, kl) for drawn in axes.collections]
    np.testing.assert_allclose(points, [[12, 13, 20, 22], [12.5, 13.7, 26, 30], [0.5, 0.7, 6, 8]])
    np.testing.assert_allclose(kl.lines[0].get_xydata(), [[1, 0.6], [0, 7]])
    assert bound.get_xlim()[0] > bound.get_xlim()[1]  # keep 1 first, as the paper has it
