"""The map of the latent space: the same examples for all systems, and what is printed on it."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.figures import style
from pipeline_lib.figures.latent_map import MAP, Options, _look, draw, numbers
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.latents import latents_schema

SETTINGS = Options(examples=15, perplexity=4.0, seed=2)


def write(path, n=20, group=True, label=True, first=0):
    """Two far groups, by turns."""
    side = np.arange(n) % 2
    mean = (10 * side[:, None] + np.random.default_rng(n).normal(size=(n, 3))).astype(np.float32)
    columns = [
        pa.array(np.arange(first, first + n)),
        pa.array(side, pa.int16()) if group else pa.nulls(n, pa.int16()),
        pa.array(side, pa.int32()) if label else pa.nulls(n, pa.int32()),
        pa.FixedSizeListArray.from_arrays(pa.array(mean.ravel()), 3),
    ]
    write_parquet(path, pa.table(columns, schema=latents_schema(3)), latents_schema(3))
    return path


def printed(figure):
    return [axes.get_xlabel().splitlines()[1:] for axes in figure.axes]


def test_every_system_is_drawn_with_the_same_pairs_and_as_many_as_were_asked_for(tmp_path):
    table = numbers({"a": write(tmp_path / "a.parquet"), "b": write(tmp_path / "b.parquet")}, SETTINGS)
    drawn = table["example_id"].to_pylist()
    assert drawn[:15] == drawn[15:] == sorted(set(drawn))


def test_silhouette_and_nmi_stand_under_each_panel(tmp_path):
    files = {
        "a": write(tmp_path / "a.parquet"),
        "b": write(tmp_path / "b.parquet", label=False),
        "c": write(tmp_path / "c.parquet", group=False),
    }
    table = numbers(files, SETTINGS)
    figure = draw(table, {"a": "A", "b": "B", "c": "C"})
    silhouette = table["silhouette"][0].as_py()
    assert silhouette > 0.5
    assert printed(figure)[:3] == [
        [f"silhouette {silhouette:.3f}", "NMI with k-means of z 1.000", "NMI with known labels 1.000"],
        [f"silhouette {silhouette:.3f}", "NMI with k-means of z 1.000"],
        ["no two groups"],
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1"]


@pytest.mark.parametrize(("panels", "groups"), [(1, 8), (2, 8), (4, 8), (4, 64), (5, 8)])
def test_nothing_is_drawn_beyond_the_edge_of_the_picture(tmp_path, panels, groups):
    table = numbers({"a": write(tmp_path / "a.parquet", n=70)}, Options(examples=70, perplexity=4.0, seed=2))
    table = table.set_column(2, MAP.field(2), pa.array(np.arange(len(table)) % groups, pa.int16()))
    names = [f"system{i}" for i in range(panels)]
    whole = pa.concat_tables(table.set_column(0, MAP.field(0), pa.array([name] * len(table))) for name in names)
    figure = draw(whole, {name: name.upper() for name in names})
    for kind in (".svg", ".png"):
        with style.drawing():
            figure.savefig(tmp_path / f"a{kind}")
        drawn = figure.get_tightbbox()  # in inches, after the layout of that form
        assert min(drawn.x0, drawn.y0) >= 0
        width, height = figure.get_size_inches()
        assert drawn.x1 <= width
        assert drawn.y1 <= height


def test_panels_beyond_a_row_go_to_the_next(tmp_path):
    names = "abcde"
    table = numbers({name: write(tmp_path / f"{name}.parquet") for name in names}, SETTINGS)
    panels = draw(table, dict(zip(names, names, strict=True))).axes
    assert [axes.get_title(loc="left") for axes in panels] == [*names, "", "", ""]
    assert [axes.axison for axes in panels] == [True] * 5 + [False] * 3  # nothing is drawn where there is no system


def test_a_system_encoded_on_other_pairs_is_an_error_that_names_its_file(tmp_path):
    files = {"a": write(tmp_path / "a.parquet"), "b": write(tmp_path / "b.parquet", first=100)}
    with pytest.raises(PipelineError, match="other examples") as error:
        numbers(files, SETTINGS)
    assert "b.parquet" in str(error.value)


def test_a_system_with_fewer_pairs_is_an_error_that_names_its_file(tmp_path):
    files = {"a": write(tmp_path / "a.parquet"), "b": write(tmp_path / "b.parquet", n=5)}
    with pytest.raises(PipelineError, match="other examples") as error:
        numbers(files, SETTINGS)
    assert "b.parquet" in str(error.value)


def test_a_split_too_small_for_a_map_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(PipelineError, match="3 examples") as error:
        numbers({"a": write(tmp_path / "a.parquet", n=3)}, SETTINGS)
    assert "analyses.latents.options.split" in str(error.value)


def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path):
    other = pa.schema([("example_id", pa.int64())])
    write_parquet(tmp_path / "other.parquet", pa.table({"example_id": range(9)}), other)
    with pytest.raises(PipelineError, match="no latents") as error:
        numbers({"a": tmp_path / "other.parquet"}, SETTINGS)
    assert "other.parquet" in str(error.value)


def test_64_groups_look_different():
    assert len({_look(group) for group in range(64)}) == 64
