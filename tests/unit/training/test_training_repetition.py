"""Updates that are repeated while they lower the loss: an aggressive encoder, from its rule to a resumed training."""

import itertools
import json

import pytest
import torch

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import NoAnnealing, Optimiser, Training
from pipeline_lib.models.system import Objective, Repeated, create
from pipeline_lib.training import loop
from pipeline_lib.training.loop import Trainer
from pipeline_lib.training.repetition import Falling, Repetition
from pipeline_lib.training.validation import validate
from unit.model_fixtures import VOCABULARY, SmallUnits, make_dataset

WINDOW, MOST = 3, 9
REPEATED = Repeated("mutual_information", window=WINDOW, most=MOST)
SETTINGS = Training(
    batch_size=4,
    epochs=3,
    optimiser=Optimiser(kind="fused_adam", learning_rate=0.03),
    annealing=NoAnnealing(kind="none"),
    validate_every=4,
    checkpoint_every=2,
    device="cpu",
)


def updates_until_it_ends(losses: list[float], tokens: list[int] | None = None) -> int:
    falling = Falling(REPEATED)
    given = zip(losses, tokens or [1] * len(losses), strict=True)
    return next(n for n, (nats, count) in enumerate(given, 1) if not falling.goes_on(nats, count))


@pytest.mark.parametrize(
    ("losses", "updates"),
    [
        ([9, 9, 9, 8, 9, 9, 8, 8, 9, 1], 9),  # falling: as many as are allowed
        ([9, 9, 9, 9, 9, 9, 1], 6),  # equal is not falling
        ([3, 3, 3, 9, 1, 2, 1], 6),
        ([9, 9, 9, 5, 5, 5, 6, 6, 6, 1], 9),
        ([9, 9, 9, float("nan"), 1, 1, 1], 6),
    ],
)
def test_updates_go_on_until_the_mean_loss_of_a_window_is_not_below_that_of_the_one_before(losses, updates):
    assert updates_until_it_ends(losses) == updates


def test_losses_are_compared_as_nats_a_token():
    assert updates_until_it_ends([4, 4, 4, 6, 6, 6, 0, 0, 0], [1, 1, 1, 3, 3, 3, 1, 1, 1]) == 9
    assert updates_until_it_ends([4, 4, 4, 3, 3, 3, 0], [2, 2, 2, 1, 1, 1, 1]) == 6


def test_it_ends_for_good_at_the_first_validation_whose_value_has_fallen():
    repetition = Repetition()
    for value, ended in ((1.0, []), (1.0, []), (2.0, []), (1.9, ["encoder"]), (5.0, ["encoder"]), (4.0, ["encoder"])):
        repetition.consider("encoder", REPEATED, {"mutual_information": value, "kl": -value})
        assert repetition.ended == ended


def aggressive(monkeypatch) -> torch.nn.Module:
    monkeypatch.setattr("pipeline_lib.models.sentence_vae.Repeated", lambda while_rising: REPEATED)
    torch.manual_seed(3)
    sizes = LanguageModel(embedding=6, hidden=7, latent=3, initial_range=0.5)
    path = "pipeline_lib.models.sentence_vae:SentenceVAE"
    return create(path, {"aggressive": True}, SmallUnits(None, VOCABULARY), sizes)


def trainer_of(model, folder) -> Trainer:
    data = make_dataset(40)
    return Trainer(model, data, data, SETTINGS, 1, folder / "state", folder / "events", Ranks())


def with_values(monkeypatch, values: list[float]) -> None:
    """Let mutual information be these values, one for each validation after the first, which trains nothing."""
    given = iter([0.0, *values])
    monkeypatch.setattr(loop, "validate", lambda *a: validate(*a) | {"mutual_information": next(given)})


def test_each_round_repeats_encoder_updates_before_one_of_the_decoder_until_the_value_falls(monkeypatch, tmp_path):
    with_values(monkeypatch, [1.0, 2.0, 1.5, *[3.0] * 9])  # falls at the third validation, after twelve rounds
    model, seen = aggressive(monkeypatch), []
    trainer = trainer_of(model, tmp_path)
    assert trainer.rounds == 30  # as many as draw three epochs in rounds that repeat nothing

    def watched(name, objective):
        def of_update(batch, weight, noise) -> Objective:
            found = objective(batch, weight, noise)
            tokens = int(batch.response.lengths.sum())
            seen.append((name, float(found.loss.detach()) * len(batch), tokens, batch.response.targets.tolist()))
            return found

        return of_update

    for phase in trainer.phases:
        phase.objective = watched(phase.name, phase.objective)
    trainer.run()
    rounds = []
    for name, group in itertools.groupby(seen, key=lambda update: update[0]):
        updates = list(group)
        if name == "encoder":
            rounds.append(updates)
        else:
            assert [update[3] for update in updates] == [rounds[-1][-1][3]]  # one, on the encoder's last batch
    assert len(rounds) == 30
    for updates in rounds[:12]:
        assert len(updates) == updates_until_it_ends([u[1] for u in updates], [u[2] for u in updates])
    assert any(len(updates) == 6 for updates in rounds[:12])
    assert [len(updates) for updates in rounds[12:]] == [1] * 18
    batches = [update[3] for updates in rounds for update in updates]
    assert all(one != other for one, other in itertools.pairwise(batches))  # every encoder update has its own
    assert trainer.progress.drawn == len(batches)


@pytest.mark.parametrize("killed", [3, 7, 15, 27])  # rounds, some of them before and some after the value falls
def test_killed_while_updates_are_repeated_or_later_it_ends_with_the_same_weights(monkeypatch, tmp_path, killed):
    values = [1.0, 2.0, 1.5, *[3.0] * 9]
    with_values(monkeypatch, values)
    whole = trainer_of(aggressive(monkeypatch), tmp_path / "whole").run()

    def one_round(self: Trainer, real=Trainer._one_round) -> None:
        if self.progress.round == killed:
            raise KeyboardInterrupt
        real(self)

    with monkeypatch.context() as patch:
        with_values(patch, values)
        patch.setattr(Trainer, "_one_round", one_round)
        with pytest.raises(KeyboardInterrupt):
            trainer_of(aggressive(patch), tmp_path / "killed").run()
    kept = killed // SETTINGS.checkpoint_every * SETTINGS.checkpoint_every
    with_values(monkeypatch, values[kept // SETTINGS.validate_every :])
    resumed = trainer_of(aggressive(monkeypatch), tmp_path / "killed")
    assert resumed.progress.round == kept
    found = resumed.run()
    assert all(torch.equal(tensor, found.weights[name]) for name, tensor in whole.weights.items())

    def records(history: str) -> list[dict[str, float]]:
        return [{k: v for k, v in json.loads(line).items() if k != "tokens_per_s"} for line in history.splitlines()]

    assert records(found.history) == records(whole.history)
    assert found.summary["updates"] == whole.summary["updates"]
