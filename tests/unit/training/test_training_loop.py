"""A whole training in this process against a loop of a few lines: weights, records, selection, and its resumption."""

import json
import math
import os
import re
import signal

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.compute.device import seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.compute.sharing import Share
from pipeline_lib.config.training import Decay, Linear, Optimiser, Training
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Tokens
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.system import Likelihood, Trial
from pipeline_lib.responses.measured import measure
from pipeline_lib.training import loop
from pipeline_lib.training.checkpoint import CURRENT, PREVIOUS
from pipeline_lib.training.loop import InterruptedTraining, Trainer
from pipeline_lib.training.validation import validate
from unit.model_fixtures import make_dataset, make_model
from unit.refusals import refusal

CPU, SEED = torch.device("cpu"), 1
SETTINGS = Training(
    batch_size=4,
    epochs=9.5,
    optimiser=Optimiser(kind="sgd", learning_rate=3.0, clip=0.5, decay=Decay(factor=0.5, epochs=4)),
    annealing=Linear(kind="linear", steps=30),
    validate_every=7,
    validation_examples=9,
    checkpoint_every=10,
    bucket_batches=2,
    device="cpu",
)
TRAIN, VALIDATION = make_dataset(19), make_dataset(11, seed=3)
STEPS, PER_EPOCH = 48, 5  # 19 examples are five batches; 9.5 epochs of them, rounded to even


def trainer_of(folder, settings: Training = SETTINGS, system: str = "cvae") -> Trainer:
    model = make_model(system)
    return Trainer(model, TRAIN, VALIDATION, settings, SEED, folder / "state", folder / "events", Ranks())


def records_of(history: str, kind: str) -> list[dict]:
    """Return the records of a kind, without its name."""
    return [record for record in map(json.loads, history.splitlines()) if record.pop("kind") == kind]


def by_hand() -> tuple[list[dict], list[dict]]:
    """Return a record of each step, and the weights and values of each validation."""
    model, order = make_model("cvae"), BatchOrder(TRAIN, 4, 2, SEED)
    steps, validations = [], []
    for step in range(STEPS):
        batch = TRAIN.batch(order.rows(step))
        weight = min(1.0, step / 30)
        found = model.objective(batch, weight, seeded(CPU, SEED, step))
        gradients = torch.autograd.grad(found.loss, list(model.parameters()))
        norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
        rate = 3.0 * 0.5 ** (step // (4 * PER_EPOCH))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= rate * gradient * min(1.0, 0.5 / (norm + 1e-6))  # torch adds 1e-6
        means = {name: float(value.mean()) for name, value in found.log.items()}
        steps.append({"step": step, "loss": found.loss.item(), "gradient_norm": norm, "weight": weight} | means)
        if (step + 1) % 7 == 0 or step + 1 == STEPS:
            values = validation_by_hand(model, seeded(CPU, SEED, 7_919))
            weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            validations.append({"step": step + 1, "weights": weights} | values)
    return steps, validations


def validation_by_hand(model, noise: torch.Generator) -> dict[str, float]:
    """Validate on the first nine examples: two batches, the shorter responses first."""
    shortest = sorted(range(9), key=lambda i: (VALIDATION.response.lengths_of(np.array([i])), context_length(i), i))
    totals, tokens, units = {"nll": 0.0, "bound": 0.0, "kl": 0.0}, 0, []
    for rows in (shortest[:8], shortest[8:]):
        batch = VALIDATION.batch(np.array(rows))
        with torch.no_grad():
            found = model.likelihood(batch, noise)
        tokens += int(batch.response.lengths.sum())
        units += found.kl_units.tolist()
        for name in totals:
            totals[name] += float(getattr(found, name).sum())
    active = sum(mean > 0.01 for mean in np.mean(units, 0))
    return {
        "ppl": math.exp(totals["nll"] / tokens),
        "ppl_bound": math.exp(totals["bound"] / tokens),
        "kl": totals["kl"] / 9,
        "active_units": active,
    }


def context_length(row: int) -> int:
    return int(VALIDATION.context.lengths_of(np.array([row]))[0])


def test_a_training_is_the_loop_over_batches_with_clipped_gradients_and_keeps_the_least_bound(tmp_path):
    outcome = trainer_of(tmp_path).run()
    steps, validations = by_hand()
    found = records_of(outcome.history, "train")
    assert [record["step"] for record in found] == [0, 20, 40]
    for record in found:
        assert record.pop("tokens_per_s") > 0
        assert record == pytest.approx(steps[record["step"]], rel=1e-9)
    found = records_of(outcome.history, "validation")
    assert [record["step"] for record in found] == [7, 14, 21, 28, 35, 42, 48]
    for record, expected in zip(found, validations, strict=True):
        values = {name: value for name, value in expected.items() if name != "weights"}
        assert record == pytest.approx(values, rel=1e-9)
    best = min(validations, key=lambda each: each["ppl_bound"])
    assert 7 < best["step"] < STEPS  # so that neither the first nor the last are the best by accident
    assert outcome.weights.keys() == best["weights"].keys()
    for name, expected in best["weights"].items():
        assert_close(outcome.weights[name], expected, rtol=1e-9, atol=1e-12)
    summary = outcome.summary
    assert (summary["steps"], summary["updates"], summary["epochs"]) == (STEPS, STEPS, STEPS / PER_EPOCH)
    assert (summary["best_step"], summary["best_value"]) == (best["step"], pytest.approx(best["ppl_bound"]))
    assert (summary["ended_by"], summary["selected_by"], summary["collapsed"]) == ("epochs", "ppl_bound", None)
    assert (summary["device"], summary["processes"], summary["gpu_peak_bytes"]) == ("cpu", 1, None)
    assert summary["parameters"] == sum(parameter.numel() for parameter in make_model("cvae").parameters())


def test_a_training_with_other_selections_keeps_the_validation_that_is_least_in_each(tmp_path):
    steps = set()
    for select in ("ppl", "ppl_bound", "kl"):
        outcome = trainer_of(tmp_path / select, SETTINGS.model_copy(update={"select": select})).run()
        least = min(records_of(outcome.history, "validation"), key=lambda record: record[select])
        assert (outcome.summary["best_step"], outcome.summary["best_value"]) == (least["step"], least[select])
        assert outcome.summary["selected_by"] == select
        steps.add(least["step"])
    assert len(steps) == 3  # so that no selection can pass for another


@pytest.mark.parametrize("asked_at", [3, 10, 33])
def test_a_training_that_is_asked_to_stop_ends_after_the_step_and_goes_on_as_if_it_had_not_been(tmp_path, asked_at):
    settings = SETTINGS.model_copy(update={"optimiser": Optimiser(kind="adam", learning_rate=0.05)})
    undisturbed = trainer_of(tmp_path / "undisturbed", settings).run()
    stopped = trainer_of(tmp_path / "stopped", settings)
    [phase] = stopped.phases
    objective, updates = phase.objective, []

    def counted(*arguments):
        updates.append(1)
        if len(updates) == asked_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return objective(*arguments)

    phase.objective = counted
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InterruptedTraining, match=f"stopped at step {asked_at} of {STEPS}; checkpoint written"):
        stopped.run()
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(updates) == asked_at
    assert (tmp_path / "stopped/state" / PREVIOUS).exists() == (asked_at >= 10)
    resumed = trainer_of(tmp_path / "stopped", settings)
    assert resumed.progress.round == asked_at
    found = resumed.run()
    assert without_seconds(found.summary) == without_seconds(undisturbed.summary)
    for name, tensor in undisturbed.weights.items():
        assert torch.equal(found.weights[name], tensor)
    assert without_speed(found.history) == without_speed(undisturbed.history)
    assert (tmp_path / "stopped/state" / CURRENT).exists()
    assert not (tmp_path / "stopped/state" / PREVIOUS).exists()


def without_seconds(summary: dict) -> dict:
    return {name: value for name, value in summary.items() if name != "seconds"}


def without_speed(history: str) -> list[dict]:
    records = map(json.loads, history.splitlines())
    return [{name: value for name, value in record.items() if name != "tokens_per_s"} for record in records]


def test_seconds_and_tokens_per_second_are_those_of_training_and_not_of_validation(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])
    trainer = trainer_of(tmp_path)
    [phase] = trainer.phases
    objective = phase.objective

    def slow(*arguments):
        now[0] += 2.00012
        return objective(*arguments)

    def slow_validation(*arguments):
        now[0] += 100.0
        return validate(*arguments)

    phase.objective = slow
    monkeypatch.setattr(loop, "validate", slow_validation)
    outcome = trainer.run()
    assert outcome.summary["seconds"] == 96.006  # 48 steps, to the millisecond
    order = BatchOrder(TRAIN, 4, 2, SEED)
    for record in records_of(outcome.history, "train"):
        targets = int(TRAIN.batch(order.rows(record["step"])).response.lengths.sum())
        assert record["tokens_per_s"] == pytest.approx(targets / 2.00012)


def test_validation_leaves_the_model_in_training_and_measures_it_in_evaluation():
    model, modes = make_model("cvae").train(), []
    likelihood = model.likelihood

    def watched(batch, noise):
        modes.append((model.training, torch.is_grad_enabled()))
        return likelihood(batch, noise)

    model.likelihood = watched
    validate(model, VALIDATION, 4, SEED, None, Ranks())
    assert modes == [(False, False)] * 3
    assert model.training


def test_validation_of_a_system_without_a_latent_variable_has_no_active_units():
    found = validate(make_model("seq2seq"), VALIDATION, 4, SEED, None, Ranks())
    assert set(found) == {"ppl", "ppl_bound", "ppl_prior", "kl"}
    assert found["ppl"] == found["ppl_bound"] == found["ppl_prior"]
    assert found["kl"] == 0


def test_a_network_with_the_wrong_sign_is_an_error_before_its_perplexity_is_the_best():
    model = make_model("seq2seq")
    likelihood = model.likelihood
    model.likelihood = lambda batch, noise: likelihood(batch, noise)._replace(nll=-likelihood(batch, noise).nll)
    for measured in (
        lambda: validate(model, VALIDATION, 4, SEED, None, Ranks()),
        torch.no_grad()(lambda: measure(model, VALIDATION, list(VALIDATION.by_length(4)), 0, SEED)),
    ):
        error = refusal(measured)
        assert re.search(r"negative log-likelihood of -\d", error.problem)
        assert "seq2seq.py" in error.where


def test_a_latent_unit_is_active_where_its_mean_kl_is_above_a_hundredth_of_a_nat():
    model = make_model("cvae")
    rows = iter([[[0.02, 0.5, 0.0101]], [[0.0, 0.5, 0.0101]]])  # means 0.01, 0.5 and 0.0101

    def likelihood(batch, noise):
        units = torch.tensor(next(rows), dtype=torch.float64)
        return Likelihood(torch.ones(1), units.sum(-1), torch.full((1,), 3.0), kl_units=units)

    model.likelihood = likelihood
    found = validate(model, make_dataset(2), 1, SEED, None, Ranks())
    assert found["active_units"] == 2
    assert found["kl"] == pytest.approx(np.mean([0.02 + 0.5 + 0.0101, 0.5 + 0.0101]))


def test_measures_of_tried_responses_are_averaged_and_their_word_pairs_counted_over_all_examples():
    model = make_model("seq2seq")
    said = iter([[[7, 8, 7, 8]], [[7, 8, 3, 0]], [[3, 0, 0, 0]]])

    def trial(batch, noise):
        ids = torch.tensor(next(said))
        lengths = ((ids != 3) & (ids != 0)).sum(1)
        return Trial(Tokens(ids, lengths), {"twice": 2.0 * lengths})

    model.trial = trial
    found = validate(model, make_dataset(3), 1, SEED, None, Ranks())
    assert (found["length"], found["twice"]) == (2, 4)
    assert found["distinct_2"] == 2 / 4  # 7 8, 8 7, 7 8 and 7 8
    model.trial = lambda batch, noise: Trial(Tokens(torch.tensor([[3]]), torch.tensor([0])), {})
    assert validate(model, make_dataset(1), 1, SEED, None, Ranks())["distinct_2"] == 0


@pytest.mark.parametrize(("rank", "examples"), [(0, 2), (1, 1)])
def test_an_example_that_two_processes_hold_is_validated_once(rank, examples):
    """Of three examples in batches of two, the second process also holds the one of the last batch."""
    pooled = []

    class OneOfTwo(Ranks):
        def share(self, examples: int) -> Share:
            return Share.of(examples, rank, 2)

        def concatenated(self, values: torch.Tensor) -> torch.Tensor:
            pooled.append(len(values))
            return values

    def trial(batch, noise):
        n = len(batch)
        return Trial(Tokens(torch.full((n, 2), 7), torch.full((n,), 2)), {"twice": torch.ones(n)})

    model = make_model("seq2seq")
    model.trial = trial
    validate(model, make_dataset(3), 2, SEED, None, OneOfTwo())
    assert set(pooled) == {examples}  # word pairs too, of which each response has one


def test_what_the_settings_select_by_is_looked_for_on_one_example_before_training(tmp_path, monkeypatch):
    asked = []

    def watched(model, dataset, batch_size, seed, limit, ranks):
        asked.append(sum(len(rows) for rows in dataset.by_length(batch_size, limit)))
        return validate(model, dataset, batch_size, seed, limit, ranks)

    monkeypatch.setattr(loop, "validate", watched)
    trainer_of(tmp_path)
    assert asked == [1]


def test_progress_is_shown_with_its_unit_and_the_best_validation_so_far(tmp_path, monkeypatch):
    notes = []
    monkeypatch.setattr(loop.ProgressBar, "advance", lambda bar, amount=1, note="": notes.append(note))
    shown = []
    start = loop.ProgressBar.__init__
    monkeypatch.setattr(loop.ProgressBar, "__init__", lambda bar, *given: shown.append(given) or start(bar, *given))
    trainer_of(tmp_path, SETTINGS.model_copy(update={"max_steps": 8})).run()
    assert shown == [("training", 8, "steps", 0, True)]
    assert notes[5] == "not validated yet"
    assert notes[6].startswith("best ppl_bound ")
    assert notes[6].endswith(" at 7")


def test_a_run_without_a_finite_validation_ends_with_an_error_and_no_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "validate", lambda *_: {"ppl": math.inf, "ppl_bound": math.inf, "kl": 0.0})
    with pytest.raises(PipelineError, match="no validation gave a finite ppl_bound") as caught:
        trainer_of(tmp_path).run()
    assert "learning_rate" in caught.value.remedy
