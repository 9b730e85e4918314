"""The sweep: drawn from what is there, and a further rate trains only what it adds."""

import csv

import pytest
from tiny_workflow import ROWS

from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.scores import SCORES

FIGURE = "results/figures/sweep.svg"
CENTRE = {"one_to_many": [0.5], "many_to_one": [0.2], "systems": ["k_cvae_bow"], "seeds": [1]}  # the corpus of the run


def sweep(**options):
    return {"analyses": {"one_to_many": {"options": options}}}


@pytest.fixture(scope="module")
def swept(finished, tmp_path_factory):
    workflow = finished.copy(tmp_path_factory.mktemp("sweep") / "checkout")
    done = workflow.run(FIGURE, changes=sweep(**CENTRE))
    assert done.returncode == 0, done.stdout
    return workflow


def test_the_centre_of_the_sweep_is_the_run_itself_and_stands_on_both_axes(swept):
    with open(swept.results / "figures/sweep.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["axis"], row["rate"], row["corpus"]) for row in rows} == {
        ("one_to_many", "0.5", "embedded"),
        ("many_to_one", "0.2", "embedded"),
    }
    for system in ("random", "human", "k_cvae_bow"):
        scores = read_parquet(swept.results / f"scores/embedded/{system}/seed1/test.parquet", SCORES).to_pylist()
        of_run = {row["metric"]: row["value"] for row in scores}
        drawn = {row["metric"]: float(row["value"]) for row in rows if row["system"] == system}
        assert drawn["BLEU-2"] == pytest.approx(of_run["BLEU-2"])
        assert drawn["distinct-2"] == pytest.approx(of_run["distinct-2"])


def test_a_second_call_has_nothing_to_do(swept):
    assert swept.planned(FIGURE, changes=sweep(**CENTRE)) == set()


def test_a_further_rate_makes_one_corpus_and_trains_the_swept_systems_on_it_alone(swept):
    done = swept.run(FIGURE, "--dry-run", changes=sweep(**CENTRE | {"one_to_many": [0.5, 1.0]}))
    assert done.returncode == 0, done.stdout
    assert "results/models/embedded-one_to_many-100/k_cvae_bow/seed1/model.safetensors" in done.stdout
    outputs = [line for line in done.stdout.splitlines() if line.startswith("    output: ")]
    made = [line for line in outputs if "results/figures/" not in line]
    assert made
    assert all("embedded-one_to_many-100" in line for line in made)
    others = set(ROWS) - {"k_cvae_bow", "random", "human"}
    assert not any(f"/{system}/" in line for line in made for system in others)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"systems": ["sepacvea"]}, "analyses.one_to_many.options.systems: no trained system 'sepacvea'; did you mean"),
        ({"source": "dailydialog"}, "analyses.one_to_many.options.source: no generated source 'dailydialog'"),
        ({"rates": [0.5]}, "unknown key 'rates'"),
    ],
)
def test_a_sweep_of_what_there_is_not_is_an_error_that_names_the_setting(finished, options, message):
    done = finished.run(FIGURE, "--dry-run", changes=sweep(**options))
    assert done.returncode != 0
    assert message in done.stdout
