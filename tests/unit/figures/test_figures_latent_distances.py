"""The figure of distances: running means against loops, and what its legend says."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.figures.latent_distances import draw, numbers, running
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.latents import DISTANCES


def distances(path, inner, inter):
    columns = {
        "batch": range(len(inner)),
        "inner": inner,
        "inter": inter,
        "inner_pairs": [int(value is not None) for value in inner],
        "inter_pairs": [1] * len(inner),
    }
    write_parquet(path, pa.table(columns), DISTANCES)
    return path


@pytest.mark.parametrize("width", [1, 4, 5, 30])
def test_the_running_mean_is_that_of_a_loop_and_skips_what_is_missing(width):
    values = np.random.default_rng(0).normal(size=12)
    values[[0, 5, 6]] = np.nan
    mean, sd = running(values, width)
    for i in range(12):
        window = values[max(0, i - width // 2) : i + width // 2 + 1]
        known = window[~np.isnan(window)]
        assert mean[i] == pytest.approx(known.mean() if len(known) else np.nan, nan_ok=True)
        assert sd[i] == pytest.approx(known.std() if len(known) else np.nan, nan_ok=True)


def test_the_legend_counts_the_batches_that_had_no_pair(tmp_path):
    files = {
        "cvae_bow": distances(tmp_path / "a.parquet", [0.5, None, 0.75], [0.25, 0.25, 0.25]),
        "sepacvae": distances(tmp_path / "b.parquet", [1.0, 0.5, 0.75], [0.5, 0.5, 0.5]),
    }
    figure = draw(numbers(files), {"cvae_bow": "CVAE+BOW", "sepacvae": "SepaCVAE"})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "CVAE+BOW  0.625 / 0.250  (no inner pair in 1 of 3)",
        "SepaCVAE  0.750 / 0.500",
    ]
    gap = figure.axes[2].lines[1].get_ydata()
    np.testing.assert_allclose(gap, [0.5, 0.0, 0.25])


def test_a_system_whose_every_batch_is_empty_is_drawn_as_nothing(tmp_path):
    table = numbers({"cvae": distances(tmp_path / "a.parquet", [None, None], [0.5, 0.5])})
    assert table["inner_mean"].null_count == 2
    figure = draw(table, {"cvae": "CVAE"})
    assert figure.legends[0].get_texts()[0].get_text() == "CVAE  – / 0.500  (no inner pair in 2 of 2)"


def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path):
    write_parquet(tmp_path / "other.parquet", pa.table({"batch": [1]}), pa.schema([("batch", pa.int32())]))
    with pytest.raises(PipelineError, match="'inner' is missing") as error:
        numbers({"cvae": tmp_path / "other.parquet"})
    assert "other.parquet" in str(error.value)
