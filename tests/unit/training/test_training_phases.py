"""Phases: who trains what, when, on which batches; killed in any of them, a job ends with the same weights."""

import dataclasses
import json
import math
import signal
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.training import Decay, Optimiser, PhaseSettings, Training
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.files.checksums import sha256
from pipeline_lib.models.system import Objective, Phase
from pipeline_lib.training.loop import Trainer
from pipeline_lib.training.phases import TrainedPhase, check_owners, rounds_until, trained_phases
from unit.adversarial import ADVERSARIAL, KILL, SETTINGS, SINCE, UNTIL, Adversarial
from unit.model_fixtures import (
    EMBEDDING,
    NETWORK,
    VOCABULARY,
    SmallUnits,
    generator,
    make_batch,
    make_dataset,
    make_model,
)
from unit.training_jobs import finish, start, without_speed, write_corpus

ROUNDS = UNTIL + math.ceil((30 * 10 - 5 * UNTIL) / 4)  # of 30 epochs of 10 batches: 5 a round, then 4


def adversarial() -> Adversarial:
    torch.manual_seed(1)
    units = SmallUnits(torch.randn(VOCABULARY, EMBEDDING).numpy())
    return Adversarial(units, NETWORK, Adversarial.Options()).double()


def trainer_of(model: Adversarial, tmp_path, settings: Training = SETTINGS, examples: int = 40) -> Trainer:
    data = make_dataset(examples)
    return Trainer(model, data, data, settings, 1, tmp_path / "state", tmp_path / "events", Ranks())


# --- killed and resumed --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted")
    finish(start(corpus, out, SETTINGS, model=ADVERSARIAL))
    return out


def test_a_job_killed_in_each_phase_ends_with_the_same_weights_bit_for_bit(corpus, tmp_path, uninterrupted):
    # counted from the start of each process: between two updates of the critic in round 12, then in rounds 23 and 36
    for kill in ("critic:63", "generator:14", "autoencoder:17"):
        process = start(corpus, tmp_path, SETTINGS, model=ADVERSARIAL, environment={KILL: kill})
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
    finish(start(corpus, tmp_path, SETTINGS, model=ADVERSARIAL))
    assert sha256(tmp_path / "model.safetensors") == sha256(uninterrupted / "model.safetensors")
    assert without_speed(tmp_path / "history.jsonl") == without_speed(uninterrupted / "history.jsonl")


def test_records_name_the_phase_and_the_summary_counts_rounds_and_updates(uninterrupted):
    records = [json.loads(line) for line in (uninterrupted / "history.jsonl").read_text().splitlines()]
    train = {record["step"]: set(record) for record in records if record["kind"] == "train"}
    of_round = {"kind", "step", "weight", "tokens_per_s"}
    autoencoder = {"autoencoder/nll", "autoencoder/loss", "autoencoder/gradient_norm"}
    generated = {"generator/loss", "generator/gradient_norm"}
    critic = {"critic/gap", "critic/loss", "critic/gradient_norm"}
    assert train == {
        0: of_round | autoencoder | critic,
        20: of_round | autoencoder | generated | critic,
        40: of_round | generated | critic,
        60: of_round | generated | critic,
    }
    summary = json.loads((uninterrupted / "summary.json").read_text())
    assert (summary["steps"], summary["epochs"]) == (ROUNDS, 30)
    assert summary["updates"] == UNTIL + (ROUNDS - SINCE) + 5 * ROUNDS


# --- batches and noise ---------------------------------------------------------------------------------------------


def test_a_phase_that_is_not_fresh_begins_with_the_batch_of_the_one_before(tmp_path):
    model = adversarial()
    seen: list[tuple[str, int, int]] = []
    data, order = make_dataset(40), BatchOrder(make_dataset(40), 4, SETTINGS.bucket_batches, 1)
    numbers = {data.batch(order.rows(number)).response.targets.numpy().tobytes(): number for number in range(10)}

    def watched(phase: Phase) -> Phase:
        def objective(batch: Any, weight: float, noise: torch.Generator) -> Objective:
            seen.append((phase.name, numbers[batch.response.targets.numpy().tobytes()], noise.initial_seed()))
            return phase.objective(batch, weight, noise)

        return dataclasses.replace(phase, objective=objective, since=0)

    phases = [watched(phase) for phase in model.phases()]
    model.phases = lambda: phases  # type: ignore[method-assign]
    trainer_of(model, tmp_path, SETTINGS.model_copy(update={"max_steps": 2})).run()
    critic = [("critic", number) for number in range(5)]
    later = [("critic", number) for number in range(5, 10)]
    expected = [("autoencoder", 0), ("generator", 0), *critic, ("autoencoder", 5), ("generator", 5), *later]
    assert [(name, number) for name, number, _ in seen] == expected
    assert len({noise for _, _, noise in seen}) == len(seen)  # shared batches or not, no noise comes twice


def test_rounds_are_counted_as_a_loop_over_them_counts():
    random = np.random.default_rng(5)
    for _ in range(200):
        phases = []
        for _ in range(random.integers(1, 4)):
            since, length, updates = (int(random.integers(0, 9)) for _ in range(3))
            until = None if random.random() < 0.5 else since + length
            phase = Phase("p", [nn.Parameter(torch.zeros(1))], None, since, until, fresh=bool(random.random() < 0.7))
            phases.append(TrainedPhase(phase, Optimiser(), updates + 1))
        batches = int(random.integers(1, 80))
        drawn = rounds = 0
        while drawn < batches and rounds < 200:  # where nothing is left to draw, phases or not, training is over
            drawn += sum(phase.batches for phase in phases if phase.takes_part(rounds))
            rounds += 1
        found = rounds_until(batches, phases)
        last = max((phase.until or phase.since for phase in phases), default=0)
        assert found == rounds if drawn >= batches else found <= last


@pytest.mark.parametrize("changes", [{"max_steps": SINCE}, {"epochs": 0.1}])
def test_a_phase_that_would_begin_after_the_last_round_is_an_error_before_training(tmp_path, changes):
    with pytest.raises(PipelineError, match="the phase generator would take part in no round") as error:
        trainer_of(adversarial(), tmp_path, SETTINGS.model_copy(update=changes))
    [key] = changes
    rounds = changes.get("max_steps", 1)
    assert f"it begins after {SINCE} rounds, and training has {rounds}" in error.value.problem
    assert error.value.where == f"training.{key}"
    assert f"raise `training.{key}`" in error.value.remedy
    assert not (tmp_path / "state").exists()


def test_a_phase_that_takes_part_in_the_last_round_alone_is_trained(tmp_path):
    done = trainer_of(adversarial(), tmp_path, SETTINGS.model_copy(update={"max_steps": SINCE + 1})).run()
    assert done.summary["updates"] == 6 * SINCE + 7


# --- who owns what -------------------------------------------------------------------------------------------------


def changed(model: Adversarial, phase: str, **changes: Any) -> list[Phase]:
    return [dataclasses.replace(p, **changes) if p.name == phase else p for p in model.phases()]


def fault(model: Adversarial, phases: list[Phase]) -> PipelineError:
    with pytest.raises(PipelineError) as error:
        check_owners(model, phases)
    assert "unit.adversarial:Adversarial" in error.value.where
    return error.value


def test_every_parameter_of_the_three_phases_is_owned_once():
    model = adversarial()
    check_owners(model, model.phases())
    owned = [id(parameter) for phase in model.phases() for parameter in phase.parameters]
    assert sorted(owned) == sorted(id(parameter) for parameter in model.parameters())


def test_a_parameter_in_no_phase_is_an_error_unless_it_takes_no_gradient():
    model = adversarial()
    phases = changed(model, "generator", parameters=[model.generator.weight])
    assert fault(model, phases).problem == "no phase trains the parameter generator.bias"
    model.generator.bias.requires_grad_(False)
    check_owners(model, phases)


def test_a_parameter_in_two_phases_is_an_error_unless_one_of_them_says_that_it_shares_it():
    model = adversarial()
    encoder = list(model.encoder.parameters())
    phases = changed(model, "critic", parameters=[*model.critic.parameters(), *encoder])
    assert fault(model, phases).problem == (
        "the parameter encoder.weight (and 1 more) is in the phases autoencoder and critic"
    )
    check_owners(model, changed(model, "critic", shared=encoder))


def test_a_parameter_that_is_shared_and_owned_by_none_is_in_no_phase():
    model = adversarial()
    phases = changed(model, "autoencoder", parameters=list(model.decoder.parameters()))
    assert fault(model, phases).problem == "no phase trains the parameter encoder.weight (and 1 more)"


def test_a_phase_with_a_parameter_twice_or_a_foreign_one_is_an_error():
    model = adversarial()
    critic = list(model.critic.parameters())
    assert "has a parameter twice" in fault(model, changed(model, "critic", shared=critic[:1])).problem
    foreign = [*critic, nn.Parameter(torch.zeros(1))]
    assert "not the system's" in fault(model, changed(model, "critic", parameters=foreign)).problem
    assert "same name" in fault(model, changed(model, "critic", name="generator")).problem


def test_settings_for_a_phase_that_there_is_not_are_an_error_with_the_nearest():
    with pytest.raises(PipelineError, match="no phase 'critics'") as error:
        trained_phases(adversarial(), Training(phases={"critics": PhaseSettings()}))
    assert error.value.expected == "did you mean 'critic'?"


def test_a_parameter_without_gradient_is_kept_with_the_model_and_in_no_optimiser(tmp_path):
    model = make_model("cvae")
    model.recognition.requires_grad_(False)
    frozen = {name: tensor.clone() for name, tensor in model.recognition.state_dict().items()}
    trainer = trainer_of(model, tmp_path, Training(batch_size=4, epochs=1, select="ppl", device="cpu"))  # type: ignore[arg-type]
    weights = trainer.run().weights
    optimised = [p for group in trainer.phases[0].optimiser.param_groups for p in group["params"]]
    assert len(optimised) == len(list(model.parameters())) - 2
    for name, tensor in frozen.items():
        assert torch.equal(weights[f"recognition.{name}"], tensor)


def test_a_phase_moves_its_own_parameters_and_those_it_shares_alone(tmp_path):
    moves = defaultdict(set)
    for name in ("autoencoder", "generator", "critic"):
        model = adversarial()
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        [phase] = [phase for phase in trained_phases(model, SETTINGS) if phase.name == name]
        phase.update(phase.objective(make_batch(), 1.0, generator()).loss, 0, Ranks())
        for key, tensor in model.state_dict().items():
            if not torch.equal(tensor, before[key]):
                moves[name].add(key.partition(".")[0])
        others = [parameter for parameter in model.parameters() if all(parameter is not p for p in phase.parameters)]
        assert all(parameter.grad is None for parameter in others)
    assert moves == {"autoencoder": {"encoder", "decoder"}, "generator": {"encoder", "generator"}, "critic": {"critic"}}


# --- how an update is made -----------------------------------------------------------------------------------------


def moved(settings: Optimiser, gradients: list[float], epochs: list[float] | None = None) -> list[float]:
    """Where a parameter that begins at 0 is after each update, its gradient given."""
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    phase = TrainedPhase(Phase("p", [parameter], None), settings, 1)  # type: ignore[arg-type]
    found = []
    for gradient, epoch in zip(gradients, epochs or [0.0] * len(gradients), strict=True):
        phase.update((gradient * parameter).sum(), epoch, Ranks())
        found.append(parameter.item())
    return found


def test_the_three_optimisers_make_the_updates_of_their_papers():
    gradients = [2.0, -1.0, 0.5]
    mean, square, of_adam, position = 0.0, 0.0, [], 0.0
    for step, gradient in enumerate(gradients, 1):  # Kingma and Ba 2015, algorithm 1
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        position -= 0.1 * (mean / (1 - 0.9**step)) / (math.sqrt(square / (1 - 0.999**step)) + 1e-8)
        of_adam.append(position)
    for kind in ("adam", "fused_adam"):
        assert moved(Optimiser(kind=kind, learning_rate=0.1, clip=None), gradients) == pytest.approx(of_adam)
    assert moved(Optimiser(kind="sgd", learning_rate=0.1, clip=None), gradients) == pytest.approx([-0.2, -0.1, -0.15])
    square, of_rmsprop, position = 0.0, [], 0.0
    for gradient in gradients:  # Tieleman and Hinton 2012
        square = 0.99 * square + 0.01 * gradient**2
        position -= 0.1 * gradient / (math.sqrt(square) + 1e-8)
        of_rmsprop.append(position)
    assert moved(Optimiser(kind="rmsprop", learning_rate=0.1, clip=None), gradients) == pytest.approx(of_rmsprop)


def test_a_gradient_above_the_largest_norm_is_scaled_down_to_it():
    assert moved(Optimiser(kind="sgd", learning_rate=1.0, clip=0.5), [3.0]) == pytest.approx([-0.5], rel=1e-5)
    assert moved(Optimiser(kind="sgd", learning_rate=1.0, clip=5.0), [3.0]) == [-3.0]
    assert moved(Optimiser(kind="sgd", learning_rate=1.0, clip=None), [1e30]) == [-1e30]


def test_the_learning_rate_falls_in_stairs_of_so_many_epochs():
    settings = Optimiser(kind="sgd", learning_rate=1.0, clip=None, decay=Decay(factor=0.6, epochs=10))
    positions = moved(settings, [1.0] * 5, [0, 9.9, 10, 19.95, 20])
    assert np.diff([0, *positions]) == pytest.approx([-1, -1, -0.6, -0.6, -0.36])


def test_given_parameters_have_a_learning_rate_of_their_own_which_falls_as_the_others_does():
    settings = Optimiser(
        kind="sgd", learning_rate=1.0, given_learning_rate=0.125, clip=None, decay=Decay(factor=0.5, epochs=10)
    )
    given, own = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    phase = TrainedPhase(Phase("p", [given, own], None), settings, 1, {given})  # type: ignore[arg-type]
    for epoch in (0, 10):
        phase.update((given + own).sum(), epoch, Ranks())
    assert own.item() == -1.5
    assert given.item() == -1.5 * 0.125


def test_a_gradient_penalty_is_differentiated_twice():
    model, batch = adversarial(), make_batch()
    [phase] = [phase for phase in trained_phases(model, SETTINGS) if phase.name == "critic"]
    weight = model.critic[0].weight
    expected = torch.zeros_like(weight)
    with torch.no_grad():
        for position in np.ndindex(*weight.shape):
            values = []
            for step in (1e-6, -1e-6):
                weight[position] += step
                with torch.enable_grad():
                    values.append(float(phase.objective(batch, 1.0, generator()).loss.detach()))
                weight[position] -= step
            expected[position] = (values[0] - values[1]) / 2e-6
    settings = Optimiser(kind="sgd", clip=None)
    TrainedPhase(model.phases()[2], settings, 1).update(phase.objective(batch, 1.0, generator()).loss, 0, Ranks())
    assert_close(weight.grad, expected, rtol=1e-5, atol=1e-7)


def test_an_adversarial_system_responds_like_any_other():
    model, batch, units = adversarial(), make_dataset(5).batch(np.arange(5)), SmallUnits(None)
    decode = Greedy(units.ids, max_length=3)
    answers = model.generate(batch, decode, "", torch.Generator().manual_seed(2)).tokens
    assert answers.shape == (5, 3)
    assert all(len(set(row)) == 1 for row in answers.tolist() if units.ids.end not in row)  # a bag has no order
    texts = [units.decode(row) for row in answers.tolist()]
    assert np.array_equal(units.encode(pa.array(texts)).ids, answers.flatten().numpy())


def test_a_loss_that_is_not_finite_names_its_phase(tmp_path):
    model = adversarial()
    with torch.no_grad():
        model.critic[2].bias.fill_(torch.nan)
    with pytest.raises(PipelineError, match=r"the loss of the phase critic is nan .* at step 0"):
        trainer_of(model, tmp_path).run()
