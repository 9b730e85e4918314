"""What holds for every figure: looks, and files that are written whole and the same each time."""

import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import csv

from pipeline_lib.figures import style

PAPER = Path(__file__).parents[3] / "papers/sepacvae/paper.yaml"
SYSTEMS = [name for name, system in yaml.safe_load(PAPER.read_text())["systems"].items() if "only_named" not in system]


def example():
    with style.drawing():
        figure = style.new_figure(style.COLUMN, 2)
        axes = figure.subplots()
        axes.plot([0, 1], [1, 2], label="a <b> & $c_1$", **style.look_of("sepacvae").line())
        axes.fill_between([0, 1], [0, 1], [1, 2], alpha=0.3)
        axes.legend()
    return figure


def write(folder):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    style.save(example(), *paths, pa.table({"label": ["x, y"], "value": [0.1]}))
    return paths


def test_the_same_figure_is_the_same_bytes(tmp_path):
    first, second = (write(tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_figure_does_not_depend_on_the_settings_of_the_user(tmp_path):
    import matplotlib

    first = write(tmp_path / "a")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "text.usetex": True}):
        second = write(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_text_of_an_svg_stays_text_and_labels_are_taken_literally(tmp_path):
    svg, _, numbers = write(tmp_path)
    texts = ["".join(node.itertext()) for node in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "a <b> & $c_1$" in texts
    assert csv.read_csv(numbers).to_pylist() == [{"label": "x, y", "value": 0.1}]


def test_a_failed_write_leaves_the_earlier_figure_as_it_was(tmp_path):
    paths = write(tmp_path)
    before = [path.read_bytes() for path in paths]
    broken = example()
    broken.axes[0].plot([0, 1], [0, 1], marker="o", markevery="nonsense")
    with pytest.raises(ValueError, match="markevery"):
        style.save(broken, *paths, pa.table({"value": [1]}))
    assert [path.read_bytes() for path in paths] == before
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["figure.csv", "figure.png", "figure.svg"]


def test_the_systems_of_the_paper_differ_in_colour_and_in_dashes_or_marker():
    for one, other in combinations(map(style.look_of, SYSTEMS), 2):
        assert (one.dashes, one.marker) != (other.dashes, other.marker)
        assert (one.colour, one.dashes) != (other.colour, other.dashes)


def test_a_system_of_the_user_has_the_same_look_in_every_run():
    assert style.look_of("my_transformer") == style.look_of("my_transformer")
    looks = {style.look_of(f"system{i}") for i in range(40)}
    assert len(looks) > 30


def test_systems_that_are_drawn_together_share_neither_colour_nor_marker_while_there_are_others():
    papers = ["persona", "adaptation", "cvae", "diawae_gmd", "persona_wae", "sepacvae"]
    looks = style.looks_of(papers)
    assert list(looks) == papers
    assert looks["cvae"] == style.look_of("cvae")
    assert len({look.colour for look in looks.values()}) == len({look.marker for look in looks.values()}) == len(papers)
    many = style.looks_of(map(str, range(40)))
    assert {look.colour for look in many.values()} == set(style.ADDED)
    assert style.looks_of(papers) == looks


def test_a_system_of_the_user_has_a_colour_unlike_those_of_the_paper():
    """By the distance in CIE Lab, where about 2 can just be told apart beside each other."""
    ours, theirs = ({style.look_of(name).colour for name in names} for names in (SYSTEMS, map(str, range(40))))
    assert set(theirs) == set(style.ADDED)
    assert min(np.linalg.norm(lab(one) - lab(other)) for one in ours for other in theirs) > 20
    assert min(np.linalg.norm(lab(one) - lab(other)) for one, other in combinations(theirs, 2)) > 20


def lab(colour):
    """CIE Lab of a colour such as #1f57a8, by IEC 61966-2-1, under D65."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = to_xyz @ linear / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
