"""Which validation is kept, and when training has gone on for long enough: played through without a model."""

import numpy as np
import pytest
import torch

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.training import LAST, Linear, NoAnnealing, Optimiser, Training
from pipeline_lib.errors import PipelineError
from pipeline_lib.models.cvae import CVAE
from pipeline_lib.runs.checks import SELECTABLE
from pipeline_lib.training.loop import Trainer
from pipeline_lib.training.selection import Selection
from pipeline_lib.training.validation import validate
from unit.model_fixtures import make_dataset, make_model

ANNEALED, RISING = 1.0, 0.5
FLOOR = Training(select="ppl_bound", kl_floor=1.0, patience=2)


def after(validations: list[tuple[float, float, float]], settings: Training = FLOOR) -> Selection:
    """The selection after validations of (bound, kl, weight), a hundred steps apart."""
    selection = Selection()
    for number, (bound, kl, weight) in enumerate(validations):
        values = {"ppl": bound - kl, "ppl_bound": bound, "kl": kl}
        selection.consider(100 * (number + 1), values, weight, settings)
    return selection


def test_a_run_may_select_by_every_perplexity_that_a_validation_gives(monkeypatch):
    model, data = make_model("cvae"), make_dataset(6)
    monkeypatch.setattr(
        model, "likelihood", lambda *own: CVAE.likelihood(model, *own)._replace(nll_prior=torch.ones(4))
    )
    values = validate(model, data, 4, 1, None, Ranks())
    assert {name for name in values if name.startswith("ppl")} == {*SELECTABLE} - {LAST}


def test_the_least_value_is_kept():
    random = np.random.default_rng(0)
    values = [(float(bound), 0.0, ANNEALED) for bound in random.uniform(5, 9, 30)]
    found = after(values, Training(select="ppl_bound"))
    assert found.best_step == 100 * (1 + int(np.argmin([bound for bound, _, _ in values])))
    assert found.best_value == min(bound for bound, _, _ in values)


def test_a_validation_counts_only_when_it_is_annealed_and_reaches_the_floor():
    found = after([(3.0, 2.0, RISING), (4.0, 0.9, ANNEALED), (9.0, 1.0, ANNEALED), (8.0, 1.5, 0.99), (5.0, 0.2, 1.0)])
    assert (found.best_step, found.best_value, found.counted) == (400, 8.0, True)


def test_where_no_validation_counts_the_least_bound_is_kept():
    found = after(
        [(6.0, 2.0, RISING), (4.0, 0.1, ANNEALED), (5.0, 0.0, ANNEALED)], FLOOR.model_copy(update={"select": "ppl"})
    )
    assert (found.best_step, found.best_value, found.counted) == (200, 4.0, False)


def test_a_value_that_is_no_number_is_never_the_best():
    found = after([(float("nan"), 2.0, ANNEALED), (7.0, 2.0, ANNEALED), (float("nan"), 2.0, ANNEALED)])
    assert (found.best_step, found.best_value) == (200, 7.0)
    assert found.falling


def test_a_perplexity_too_large_for_a_float_is_infinite_and_never_kept():
    model, data = make_model("cvae", spread=8.0), make_dataset(6)
    values = validate(model, data, 4, 1, None, Ranks())
    assert values["ppl_bound"] == float("inf")
    assert after([(values["ppl_bound"], 1.0, ANNEALED)]).best_step == -1


def test_patience_counts_annealed_validations_since_the_best():
    rising = [(8.0, 2.0, RISING)] * 5
    assert not after(rising).is_enough(FLOOR)
    assert not after([*rising, (7.0, 2.0, 1.0), (7.5, 2.0, 1.0)]).is_enough(FLOOR)
    assert not after([(7.0, 2.0, 1.0), (7.5, 2.0, 1.0), (6.0, 2.0, 1.0), (6.5, 2.0, 1.0)]).is_enough(FLOOR)
    assert after([*rising, (7.0, 2.0, 1.0), (7.5, 2.0, 1.0), (7.2, 2.0, 1.0)]).is_enough(FLOOR)
    assert not after([(7.0, 2.0, 1.0)] * 9).is_enough(Training(select="ppl_bound"))


def test_a_training_has_converged_when_its_last_validation_is_below_all_before_by_a_hundredth_at_most():
    def falling(*bounds: float) -> bool:
        return after([(bound, 0.0, ANNEALED) for bound in bounds]).falling

    assert falling(8.0)
    assert falling(8.0, 7.0)
    assert not falling(8.0, 7.0, 6.95)
    assert not falling(8.0, 7.0, 7.5)
    assert not falling(8.0, 7.0, 7.5, 7.3)  # not below the least
    assert falling(8.0, 7.0, 7.5, 6.9)


@pytest.mark.parametrize(("last", "falling"), [(6.9, True), (6.99, False), (7.2, False)])
def test_the_validation_that_ends_a_training_is_compared_with_those_of_an_interval_before(last, falling):
    settings = Training(select="ppl_bound", validate_every=100)
    selection = Selection()
    for step, bound in ((100, 8.0), (200, 7.0), (300, 6.95), (310, last)):
        selection.consider(step, {"ppl_bound": bound, "ppl": bound, "kl": 0.0}, ANNEALED, settings)
    assert selection.falling == falling


# --- of a whole training -------------------------------------------------------------------------------------------

QUICK = Training(batch_size=4, epochs=50, annealing=NoAnnealing(kind="none"), validate_every=4, device="cpu")


def trained(tmp_path, settings: Training, system: str = "cvae") -> dict:
    model, data = make_model(system), make_dataset(16)
    trainer = Trainer(model, data, make_dataset(8, 3), settings, 1, tmp_path / "state", tmp_path / "events", Ranks())
    return trainer.run().summary


def test_a_training_that_no_longer_improves_ends_early_and_says_so(tmp_path):
    settings = QUICK.model_copy(update={"optimiser": Optimiser(learning_rate=1e-30), "patience": 3})
    found = trained(tmp_path, settings)
    assert (found["ended_by"], found["best_step"], found["converged"]) == ("patience", 4, True)
    assert found["steps"] == 16  # the first validation, and three without improvement
    again = trained(tmp_path, settings)  # the state is kept: nothing is trained again
    assert again == found


def test_a_training_says_that_it_ended_by_its_epochs_or_its_steps(tmp_path):
    found = trained(tmp_path / "epochs", QUICK.model_copy(update={"epochs": 1.5}))
    assert (found["ended_by"], found["steps"], found["epochs"]) == ("epochs", 6, 1.5)
    found = trained(tmp_path / "steps", QUICK.model_copy(update={"max_steps": 3}))
    assert (found["ended_by"], found["steps"], found["converged"]) == ("max_steps", 3, False)


def test_a_run_whose_kl_stays_below_the_floor_is_said_to_have_collapsed(tmp_path):
    collapsed = QUICK.model_copy(update={"epochs": 2, "kl_floor": 1e6})
    found = trained(tmp_path / "collapsed", collapsed)
    assert (found["collapsed"], found["selected_by"]) == (True, "ppl_bound")
    never_annealed = {"kl_floor": 0.0, "annealing": Linear(kind="linear", steps=1000)}
    assert trained(tmp_path / "rising", collapsed.model_copy(update=never_annealed))["collapsed"]
    found = trained(tmp_path / "healthy", collapsed.model_copy(update={"kl_floor": 0.0, "select": "kl"}))
    assert (found["collapsed"], found["selected_by"]) == (False, "kl")
    assert trained(tmp_path / "any", collapsed.model_copy(update={"kl_floor": None}))["collapsed"] is None


def test_a_value_that_no_validation_records_is_refused_before_training_with_those_that_there_are(tmp_path):
    with pytest.raises(PipelineError, match="gives no 'active_units'") as error:
        trained(tmp_path, QUICK.model_copy(update={"select": "active_units"}), "seq2seq")
    assert error.value.expected == "one of: ppl, ppl_bound, kl, ppl_prior"
    assert not list(tmp_path.glob("state/*"))
