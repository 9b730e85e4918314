"""The configurations that the repository brings along."""

import copy
import re
from pathlib import Path

import pytest
from snakemake.utils import update_config

from pipeline_lib.config.loading import load, read_yaml
from pipeline_lib.config.run import Config
from pipeline_lib.tables.published import published

CONFIG = Path(__file__).parents[3] / "config"
PAPER = CONFIG / "paper"
OVERLAYS = sorted(CONFIG.rglob("*.yaml"))
DAILYDIALOG, OPENSUBTITLES = PAPER / "sepacvae_dailydialog.yaml", PAPER / "sepacvae_opensubtitles.yaml"
PAPERSIZE = PAPER / "sepacvae_dailydialog_papersize.yaml"
ROWS_OF_THE_PAPER = ["Seq2Seq", "CVAE", "CVAE+BOW", "K-CVAE+BOW", "S-CVAE+BOW", "A-CVAE+BOW", "SepaCVAE"]


def laid_over(*overlays: Path) -> Config:
    """config.yaml under overlays, joined as Snakemake joins them."""
    values = copy.deepcopy(read_yaml(CONFIG.parent / "config.yaml"))
    for overlay in overlays:
        update_config(values, read_yaml(overlay))
    return load(values)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_is_accepted_over_the_default_configuration(overlay):
    assert laid_over(overlay).systems == laid_over().systems


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_names_a_results_folder_that_no_other_has(overlay):
    others = [laid_over(), *(laid_over(other) for other in OVERLAYS if other != overlay)]
    assert laid_over(overlay).results not in {other.results for other in others}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlays_first_lines_show_a_command_that_makes_what_it_is_for(overlay):
    first = overlay.read_text(encoding="utf-8").split("\n\n")[0]
    assert overlay.name in first
    assert re.search(f" {laid_over(overlay).results}/(tables/table2.csv|tables/ablations.csv|figures/sweep.svg)", first)


@pytest.mark.parametrize(
    ("overlays", "corpus", "batch"),
    [
        ([DAILYDIALOG], "dailydialog", 64),
        ([DAILYDIALOG, PAPERSIZE], "dailydialog", 64),
        ([OPENSUBTITLES], "opensubtitles", 32),
    ],
    ids=["dailydialog", "papersize", "opensubtitles"],
)
def test_a_paper_overlay_carries_the_published_sizes(overlays, corpus, batch):
    config = laid_over(*overlays)
    assert config.corpora == [corpus]
    assert len(config.seeds) >= 3
    embeddings = config.for_corpus(corpus).embeddings
    assert (embeddings.source, embeddings.dimension) == ("file", 300)
    assert config.for_corpus(corpus).decoding.max_length == 25
    assert config.for_corpus(corpus).clustering.groups == 8
    for system in config.systems:
        network, training = config.network_of(corpus, system), config.training_of(corpus, system)
        assert (network.hidden, network.decoder_layers, network.latent, network.bow_hidden) == (300, 2, 64, 400)
        assert network.initial_range == 0.08
        assert (training.batch_size, training.optimiser.learning_rate, training.optimiser.clip) == (batch, 1e-3, 5)
        assert (training.epochs, training.max_steps, training.annealing.steps) == (50, None, 10_000)
        assert (training.validate_every, training.select, training.kl_floor) == (100, "ppl", None)


def test_the_papersize_overlay_changes_the_window_of_lengths_and_nothing_else():
    plain, window = laid_over(DAILYDIALOG), laid_over(DAILYDIALOG, PAPERSIZE)
    assert plain.filtering.context_length == plain.filtering.response_length == (1, 25)
    assert (window.filtering.context_length, window.filtering.response_length) == ((7, 12), (1, 12))
    changed = {"filtering": window.filtering, "results": window.results}
    assert plain.model_copy(update=changed) == window


def test_the_default_systems_are_the_papers_rows_with_the_faithful_variant_between_floor_and_reference():
    labels = [system.label for system in laid_over().systems.values()]
    assert sorted(labels) == sorted([*ROWS_OF_THE_PAPER, "SepaCVAE (faithful)", "Random response", "Human reference"])


@pytest.mark.parametrize(("table", "split"), [("2", "validation"), ("3", "test")])
def test_every_row_of_the_paper_finds_its_published_figures_under_its_label(table, split):
    labels = {system.label for system in laid_over().systems.values()}
    for label in ROWS_OF_THE_PAPER:
        assert label in labels
        assert published("SepaCVAE", table, "DailyDialog", split, label, "length"), label


def test_the_corpora_of_the_paper_find_their_published_counts_under_their_labels():
    sources = laid_over().sources
    for name in ("dailydialog", "opensubtitles"):
        assert published("SepaCVAE", "1", sources[name].label, "", "", "vocabulary")
