"""The choice of rows: what an overlay leaves of the tables, figures and sweeps of a paper."""

from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.config.loading import read_run
from pipeline_lib.config.run import Config

ROOT = Path(__file__).parents[3]
MINE = {"mine": {"label": "Mine", "responses": "mine.{split}.csv"}}


def read(paper: str = "sepacvae", preset: str = "small", **given: Any) -> Config:
    return read_run(ROOT, {"paper": paper, "preset": preset, **given})


def test_rows_are_the_systems_of_all_tables_of_scores_in_their_order():
    config = read(systems=MINE, rows=["mine", "sepacvae", "seq2seq"])
    shown = {name: config.systems_of(name) for name in ("table2", "table3", "table4", "costs")}
    assert shown == {name: ["mine", "sepacvae", "seq2seq"] for name in shown}
    config = read("sentence_vae", "ptb", systems=MINE, rows=["mine", "vae"])  # whose table names its systems
    assert config.systems_of("table2") == ["mine", "vae"]


def test_figures_draw_those_of_their_systems_that_are_rows_and_a_figure_without_any_is_not_made():
    config = read(rows=["seq2seq", "sepacvae", "cvae_bow"])
    assert config.systems_drawn("latent_distances") == ["cvae_bow", "sepacvae"]
    assert config.systems_drawn("latent_map") == ["sepacvae"]
    assert config.systems_drawn("training") == ["seq2seq", "sepacvae", "cvae_bow"]
    assert config.drawn == ["optimal_prior", "latent_distances", "latent_map", "training"]
    assert read(rows=["seq2seq", "human"]).drawn == ["optimal_prior", "training"]
    assert read(rows=["random", "human"]).drawn == ["optimal_prior"]


def test_a_sweep_trains_those_of_its_systems_that_are_rows():
    config = read(preset="sweep", rows=["sepacvae", "seq2seq"])
    assert config.sweeps["one_to_many"].systems == ["seq2seq", "sepacvae"]
    without = read(preset="sweep", rows=["human"])
    assert not without.sweeps
    assert "sweep" not in without.figures


def test_a_table_of_judgements_keeps_the_labels_of_the_rows_that_are_left():
    config = read(preset="dailydialog", rows=["sepacvae", "human", "cvae"])
    assert config.tables["table4"].systems == {"human": "Ground-truth", "sepacvae": "SepaCVAE"}
    assert "table4" not in read(preset="dailydialog", rows=["cvae"]).reported


def test_a_table_that_is_compared_with_its_first_row_keeps_its_rows():
    assert read(rows=["seq2seq"]).systems_of("ablations") == read().systems_of("ablations")


def test_a_table_of_texts_is_not_compared_with_one_that_is_left_out():
    assert read("sentence_vae").tables["table8"].beside == "table1"
    named = {"tables": {"table1": {"systems": ["rnnlm"]}}}
    config = read("sentence_vae", rows=["vae"], **named)
    assert "table1" not in config.tables
    assert config.tables["table8"].beside is None


def test_systems_that_only_tables_name_stay_where_they_are_named():
    settings = {"kind": "settings", "title": "S", "columns": {"N": "options.groups"}, "systems": ["cvae", "groups_2"]}
    config = read(rows=["sepacvae"], tables={"sizes": settings})
    assert config.systems_of("sizes") == ["groups_2"]


def test_a_table_of_settings_is_not_made_without_a_system_that_is_trained():
    sizes = {"sizes": {"kind": "settings", "title": "S", "columns": {"N": "network.hidden"}}}
    assert read(rows=["cvae"], tables=sizes).systems_of("sizes") == ["cvae"]
    assert "sizes" not in read(rows=["human"], tables=sizes).tables


def test_the_true_distribution_is_a_row_where_it_is_known_and_nowhere_that_texts_are_shown():
    config = read()
    shown = {name for name in config.tables if "truth" in config.systems_of(name)}
    assert shown == {"table2", "table3", "table3_unseen", "costs"}
    assert "truth" in read("sentence_vae").systems_of("table2")
    turns = {"sources": {"embedded": {"window": {"context": 2}}}}
    for changes in ({"corpora": ["dailydialog"]}, {"corpora": ["embedded", "dailydialog"]}, turns):
        assert "truth" not in read(**changes).row_systems
    assert read(rows=["truth"], corpora=["dailydialog"]).systems_of("table2") == ["truth"]  # asked for: an error tells


def test_the_note_of_a_row_goes_with_it_into_tables_of_scores_alone():
    config = read()
    assert config.layout("table2").systems["truth"].note
    assert not config.layout("costs").systems["truth"].note
    assert not any(system.note for system in read(rows=["seq2seq"]).layout("table2").systems.values())


@pytest.mark.parametrize("rows", [["mine", "seq2seq"], ["seq2seq", "mine"]])
def test_a_chosen_system_is_trained_and_scored_as_without_a_choice(rows):
    plain, chosen = read(systems=MINE), read(systems=MINE, rows=rows)
    assert chosen.description("embedded", "seq2seq") == plain.description("embedded", "seq2seq")
    assert chosen.training_of("embedded", "seq2seq") == plain.training_of("embedded", "seq2seq")
    assert chosen.metrics_shown == plain.metrics_shown
    assert chosen.trainable == plain.trainable


def test_the_record_of_a_run_with_chosen_rows_can_be_read_again():
    config = read(rows=["seq2seq", "sepacvae"])
    again = Config.model_validate_json(config.recorded())
    assert again.rows == ["seq2seq", "sepacvae"]
    assert again.systems_of("table2") == config.systems_of("table2")
    assert again.systems_drawn("latent_map") == config.systems_drawn("latent_map")
