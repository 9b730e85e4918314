"""PersonaWAE's presets: what they report can be made, published values find their places, rates fall alike."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.config.loading import presets_in, read_run
from pipeline_lib.config.papers import ScoreTable, TableOfSystems
from pipeline_lib.config.run import Config
from pipeline_lib.metrics.suite import needs_users
from pipeline_lib.tables.cells import printed_as
from pipeline_lib.training.phases import rounds_until, trained_phases
from unit.models.test_models_persona import SYSTEMS, made

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "papers/persona_wae"
PRESETS = presets_in(PAPER)
WITHOUT_SPEAKERS = "dailydialog"
WASSERSTEIN = ("generator", "critic")  # phases with rates of their own, which do not fall


def read(preset: str) -> Config:
    return read_run(ROOT, {"paper": PAPER.name, "preset": preset})


def published() -> set[tuple[str, str, str, str]]:
    """Table, data set, row and column of each published value."""
    with open(PAPER / "published.csv", newline="", encoding="utf-8") as file:
        return {(row["table"], row["dataset"], row["system"], row["column"]) for row in csv.DictReader(file)}


def places(config: Config) -> set[tuple[str, str, str, str]]:
    """The same of each cell that the report of a preset may show a published value in."""
    found = set()
    for name in config.reported:
        spec, layout = config.tables[name], config.layout(name)
        columns = getattr(spec, "aspects", None) or getattr(spec, "columns", ())
        found |= {
            (spec.number or "", corpus, printed_as(spec, layout, system), spec.as_.get(column, column))
            for corpus in (*layout.corpora.values(), *layout.stands_for.values())
            for system in layout.systems
            for column in columns
        }
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_reports_needs_neither_speakers_nor_a_language_that_its_corpora_lack(preset):
    config = read(preset)
    tables = {name: config.tables[name] for name in config.reported}
    figures = {name: config.figures[name] for name in config.drawn}
    analyses = [spec.from_ for spec in tables.values() if isinstance(spec, TableOfSystems)]
    analyses += [spec.of for spec in figures.values() if spec.of]
    shown = {system for table in tables for system in config.systems_of(table)}
    shown |= {system for figure in figures for system in config.systems_drawn(figure)}
    metrics = [metric for table in tables for metric in config.metrics_of(table)]
    assert config.corpora == ["personas"] or all(config.analyses[name].kind != "adaptation" for name in analyses)
    if WITHOUT_SPEAKERS in config.corpora:
        assert [name for name in shown if config.systems[name].reads] == []
        assert not needs_users(metrics)
        splits = {split for spec in tables.values() if isinstance(spec, ScoreTable) for split in spec.splits}
        assert splits == {"test"}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_costs_of_every_preset_show_the_parameters_of_the_trained_rows_of_table_2(preset):
    config = read(preset)
    assert "costs" in config.reported
    rows = [name for name in config.systems_of("table2") if config.systems[name].trained]
    trained_once = {config.trained_as(config.corpora[0], name) for name in rows}
    assert set(config.models_of(config.corpora[0], config.systems_of("costs"))) == trained_once


def test_no_two_presets_read_rating_sheets_from_one_folder():
    folders = [read(preset).ratings.folder for preset in PRESETS]
    assert len(set(folders)) == len(folders)


def test_the_papers_98_values_and_the_six_of_a_user_of_the_released_code_have_a_place_each():
    of_paper = {place for place in published() if place[1] == "Weibo"}
    of_user = published() - of_paper
    assert (len(of_paper), len(of_user)) == (98, 6)
    assert of_paper <= places(read("published"))
    assert of_user <= places(read("dialogwae_dailydialog"))
    assert not of_paper & places(read("dialogwae_dailydialog"))
    [note] = read("dialogwae_dailydialog").tables["table2"].published_notes
    assert "not the paper's" in note


# --- the paper's rates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_published_rates_fall_after_the_same_rounds_for_every_system(name):
    training = read("published").training_of("weibo", name)
    phases, batches_per_epoch = trained_phases(made(name), training), 5 * 653
    drawn = next(n for n in range(1, 10) if rounds_until(100 * n, phases) == 100)  # batches in a round
    assert rounds_until(round(training.epochs * batches_per_epoch), phases) > training.max_steps == 65_300
    for done in (0, 6529, 6530, 6531, 32_650, 65_299):
        epoch = done * drawn / batches_per_epoch
        general = 0.6 ** (done // 6530)
        expected = {"generator": 5e-5, "critic": 1e-5, "adapted": 0.1 * general, "policy": 0.1 * general}
        rates = {phase.name: rate for phase in phases for rate in phase.rates(epoch)}
        assert rates == pytest.approx({phase: expected.get(phase, general) for phase in rates})


def test_the_published_critic_and_generator_are_not_clipped_and_the_kl_takes_an_eighth_of_the_rounds_to_its_weight():
    config = read("published")
    for name in ("persona_wae", "diawae_gmd", "k5", "without_prior", "frozen_mixture"):
        phases = config.training_of("weibo", name).phases
        assert [phases[phase].optimiser.clip for phase in WASSERSTEIN] == [None, None]
    for preset, corpus in (("published", "weibo"), ("southpark", "southpark")):
        training = read(preset).training_of(corpus, "cvae")
        assert training.annealing.steps == pytest.approx(training.max_steps / 8, rel=1e-3)
    assert np.isclose(config.training_of("weibo", "cvae").optimiser.clip, 1)
