"""Families of tests: which comparisons are corrected together, and how."""

import numpy as np
import pytest

from pipeline_lib.config.significance import Significance
from pipeline_lib.significance.families import enough_trials, holm, leads


def row(metric, p, corpus="c", between="systems"):
    return {"corpus": corpus, "split": "test", "metric": metric, "best": "a", "p": p, "between": between}


def test_a_lead_is_as_sure_as_the_least_sure_of_its_comparisons():
    found = leads([row("BLEU-1", 0.001), row("BLEU-1", 0.03), row("BLEU-1", 0.002)])
    assert found["c", "test", "BLEU-1"].p_adjusted == pytest.approx(0.03)


def test_the_columns_of_every_corpus_of_a_table_are_corrected_together():
    found = leads([row("BLEU-1", 0.01), row("kl", 0.04), row("BLEU-1", 0.03, "d"), row("kl", 0.005, "d")])
    np.testing.assert_allclose([lead.p_adjusted for lead in found.values()], [0.03, 0.06, 0.06, 0.02])


def test_a_lead_of_which_one_comparison_is_between_models_is_between_models():
    found = leads([row("BLEU-1", 0.01), row("BLEU-1", 0.01, between="models")])
    assert found["c", "test", "BLEU-1"].between == "models"


def test_a_table_without_tests_has_no_leads():
    assert leads([]) == {}


def test_holm_is_the_textbook_example():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_trials_suffice_for_one_comparison_of_many_to_pass():
    raised = enough_trials(Significance(trials=1000), 120)
    assert 120 / (1 + raised.trials) < raised.level
    assert enough_trials(Significance(trials=9000), 120).trials == 9000
