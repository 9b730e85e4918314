"""What a table or figure shows is found to fit the analysis that it names, and this the system, before training."""

from pathlib import Path

import pytest

from pipeline_lib.analyses import needs
from pipeline_lib.config.catalogue import presets
from pipeline_lib.config.loading import layers_of_run, load
from pipeline_lib.config.papers import TableOfSystems
from pipeline_lib.config.run import Config
from pipeline_lib.runs.analyses import check_analysed, check_shown
from pipeline_lib.stage.declared import declared, derives
from pipeline_lib.stage.kinds import kinds
from pipeline_lib.stage.options import ANALYSES
from unit.refusals import refusal

ROOT = Path(__file__).parents[3]


def where(*keys: object) -> str:
    return "overlay.yaml"


def configured(paper: str, preset: str = "small", **over: object) -> Config:
    return load(layers_of_run(ROOT, {"paper": paper, "preset": preset} | over, []), ROOT / "papers")


@pytest.mark.parametrize(
    ("over", "fragments"),
    [
        (
            {"analyses": {"adversarial": {"of": None}}},
            ["analyses.adversarial.of: null", "an analysis of kind 'imputation', such as 'imputation'"],
        ),
        (
            {"analyses": {"adversarial": {"of": "bound"}}},
            ["analyses.adversarial.of: 'bound', which is of kind 'likelihoods'"],
        ),
        (
            {"tables": {"table8": {"from": "imputation"}}},
            ["tables.table8.from: no table of kind 'decoded' shows 'imputation'", "those of kind 'imputations'"],
        ),
        ({"tables": {"table9": {"from": "bound"}}}, ["no table of kind 'measures' shows 'bound'", "is for figures"]),
        ({"figures": {"figure3": {"of": "classes"}}}, ["figures.figure3.of: 'classes'", "kind 'likelihoods'"]),
        ({"figures": {"path": {"of": None}}}, ["figures.path.of: null", "such as 'paths_between_sentences'"]),
        ({"analyses": {"bound": {"corpus": "trec"}}}, ["analyses.bound.corpus", "reads no other corpus"]),
    ],
)
def test_an_analysis_that_does_not_make_what_is_shown_is_named(over, fragments):
    error = str(refusal(lambda: check_shown(configured("sentence_vae", **over), where)))
    assert all(fragment in error for fragment in fragments), error


@pytest.mark.parametrize(
    ("paper", "analysis", "system", "fragments"),
    [
        ("sentence_vae", "paths_in_prior", "rnnlm", ["rnnlm is a RNNLM", "kind 'paths'", "the class SentenceVAE"]),
        ("sentence_vae", "paths_in_prior", "autoencoder", ["autoencoder is a SequenceAutoencoder"]),
        ("sentence_vae", "prior_samples", "autoencoder", ["the class SentenceVAE"]),
        ("sentence_vae", "bound", "autoencoder", ["kind 'likelihoods' cannot read"]),
        ("sentence_vae", "classes", "rnnlm", ["the class CodedSentences"]),
        ("persona_wae", "transfer", "diawae_gmd", ["diawae_gmd reads no 'user'", "kind 'transfer'"]),
        ("sepacvae", "latents", "seq2seq", ["seq2seq has no latent variable", "a method `latent_use`"]),
        ("sepacvae", "distances", "seq2seq", ["seq2seq has no latent variable"]),
        ("persona_wae", "distances", "seq2seq", ["the class PersonalAutoencoder"]),
        ("keywords_and_instances", "contrasts", "transformer", ["the class KeywordsAndInstances"]),
        ("keywords_and_instances", "keyword_choice", "cvae", ["cvae reads no 'graph'"]),
    ],
)
def test_a_system_that_an_analysis_cannot_read_is_named(paper, analysis, system, fragments):
    error = str(refusal(lambda: check_analysed(configured(paper), where, analysis, system)))
    assert all(fragment in error for fragment in fragments), error


def test_ends_of_a_path_that_are_encodings_need_no_prior():
    check_analysed(configured("sentence_vae"), where, "paths_between_sentences", "autoencoder")


@pytest.mark.parametrize("preset", list(presets(ROOT)), ids=lambda preset: f"{preset.paper}-{preset.name}")
def test_every_table_and_figure_of_every_preset_passes(preset):
    config = configured(preset.paper, preset.name)
    check_shown(config, where)
    for table, spec in config.tables.items():
        if isinstance(spec, TableOfSystems):
            for system in config.systems_of(table):
                check_analysed(config, where, spec.from_, system)
    for name, figure in config.figures.items():
        if figure.of is not None and figure.of not in config.sweeps:
            for system in config.systems_drawn(name):
                check_analysed(config, where, figure.of, system)


def test_every_analysis_says_what_it_needs_and_names_classes_that_there_are():
    assert kinds(ANALYSES, "needs") == kinds(ANALYSES, "Options")
    named = {value for name, value in vars(needs).items() if name.isupper()}
    assert len(named) == 5
    assert all(derives(declared(path), path) for path in named)


def test_a_class_of_the_users_own_may_be_derived_from_the_one_that_is_needed(tmp_path, monkeypatch):
    (tmp_path / "derived_model.py").write_text(
        "from pipeline_lib.models.sentence_vae import SentenceVAE\n\n\nclass Mine(SentenceVAE):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert derives(declared("derived_model:Mine"), needs.SENTENCE_VAE)
    assert not derives(declared("derived_model:Mine"), needs.CONTRASTS)
