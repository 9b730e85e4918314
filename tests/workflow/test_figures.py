"""The figures of a run: asked for by name, made once, remade when what they show changes."""

import pytest

from pipeline_lib.files.formats import read_json, read_parquet
from pipeline_lib.schemas.latents import DISTANCES

SYSTEMS = ("k_cvae_bow", "sepacvae")  # of the tiny run: those that figures 4 and 5 show
FIGURES = (
    "optimal_prior",
    "embedded/latent_distances",
    "embedded/latent_map",
    "embedded/training",
    "embedded/training/seq2seq",
)
TARGETS = [f"results/figures/{figure}.svg" for figure in FIGURES]


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    workflow = finished.copy(tmp_path_factory.mktemp("figures") / "checkout")
    done = workflow.run(*TARGETS)
    assert done.returncode == 0, done.stdout
    return workflow


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_comes_as_svg_png_and_the_numbers_drawn(drawn, figure):
    start = {"svg": b"<?xml", "png": b"\x89PNG", "csv": b'"'}
    for kind, expected in start.items():
        path = drawn.results / f"figures/{figure}.{kind}"
        assert path.read_bytes().startswith(expected), path


def test_figure_4_has_a_row_for_each_batch_that_the_run_was_trained_on(drawn):
    for system in SYSTEMS:
        folder = f"embedded/{system}/seed1"
        steps = read_json(drawn.results / f"models/{folder}/summary.json")["steps"]
        table = read_parquet(drawn.results / f"analyses/{folder}/distances.parquet", DISTANCES)
        assert table["batch"].to_pylist() == list(range(steps))


def test_a_second_call_has_nothing_to_do(drawn):
    assert drawn.planned(*TARGETS) == set()


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        (
            {
                "analyses": {"distances": {"options": {"threshold": 0.8}}},
                "figures": {"latent_map": {"options": {"perplexity": 5}}},
            },
            {"plot_analyses latent_map", "plot_analyses latent_distances"}
            | {f"analyse_system {system} 1 distances" for system in SYSTEMS},
        ),
        (
            {"systems": {"sepacvae": {"label": "Ours"}}},
            {"plot_analyses latent_distances", "plot_analyses latent_map", "plot_histories training"},
        ),
        ({"figures": {"training": {"options": {"quantities": ["kl"]}}}}, {"plot_histories training"}),
    ],
)
def test_a_changed_setting_remakes_the_figures_that_show_it(drawn, changes, jobs):
    assert drawn.planned(*TARGETS[:4], changes=changes) == jobs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"figures": {"latent_map": {"systems": ["sepacvea"]}}},
            "no trained system 'sepacvea'; did you mean 'sepacvae'?",
        ),
        ({"figures": {"latent_map": {"of": "latent"}}}, "figures.latent_map.of: no analysis 'latent'"),
        (
            {"figures": {"latent_map": {"options": {"perplexty": 5}}}},
            "unknown key 'figures.latent_map.options.perplexty'",
        ),
        ({"analyses": {"latents": {"options": {"split": "tset"}}}}, "analyses.latents.options"),
        ({"analyses": {"more": {"kind": "distance"}}}, "no module 'distance' in pipeline_lib.analyses"),
    ],
)
def test_a_figure_of_what_the_run_does_not_have_is_an_error_that_names_the_setting(finished, changes, message):
    done = finished.run(TARGETS[1], "--dry-run", changes=changes)
    assert done.returncode != 0
    assert message in done.stdout
