"""Group-wise contrastive learning: its loss by a loop over pairs, its phases, and resumption in each of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.config.training import Sigmoid, Training
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.group_wise import GroupWise, group_loss
from pipeline_lib.models.system import create
from pipeline_lib.models.weights import load_tensors
from pipeline_lib.training.loop import Trainer
from pipeline_lib.training.phases import trained_phases
from unit.model_fixtures import SmallUnits, generator, make_batch, make_dataset
from unit.refusals import refusal
from unit.shared_batches import check_shares, computed

PRETRAINING = 7
OPTIONS = {"pretraining": PRETRAINING, "others": 3, "candidates": 2}
SIZES = Sizes(width=8, layers=1, heads=2, feed_forward=12, dropout=0.1)
SETTINGS = Training(
    batch_size=6,
    epochs=4,
    annealing=Sigmoid(kind="sigmoid", midpoint=PRETRAINING + 5, steepness=0.6),
    validate_every=6,
    checkpoint_every=3,
    device="cpu",
    select="ppl",
)


def made(**options) -> GroupWise:
    torch.manual_seed(4)
    units = SmallUnits(None)
    reference = create("pipeline_lib.models.transformer:Transformer", {}, units, SIZES)
    model = create("pipeline_lib.models.group_wise:GroupWise", OPTIONS | options, units, SIZES)
    model.start_from(reference.state_dict())
    return model.double()


def pair_nll(model, batch: Batch, context: int, response: int) -> torch.Tensor:
    """-log p of one response given one context, both without padding."""
    length, words = int(batch.context.lengths[context]), int(batch.response.lengths[response])
    own = batch.response
    alone = Batch(
        Response(own.inputs[[response], :words], own.targets[[response], :words], own.lengths[[response]]),
        Tokens(batch.context.ids[[context], :length], batch.context.lengths[[context]]),
    )
    return model.likelihood(alone, generator()).nll[0]


# --- the loss --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_contrast_is_the_loss_of_a_loop_over_pairs():
    model, batch = made().eval(), make_batch(7)
    group = model.groups(batch.context, batch.response.words, generator())
    nats, tokens, contrast = 0.0, 0, 0.0
    for row in range(7):
        terms = []
        for context, response, score in zip(*(part[row].tolist() for part in group), strict=True):
            gain = pair_nll(model.reference, batch, context, response) - pair_nll(model, batch, context, response)
            s, likelier = 2 * score - 1, 1 / (1 + math.exp(-float(gain)))
            terms.append(-math.log(0.5 - s * (0.5 - likelier)))
        contrast += sum(terms) / len(terms) / 7
        nats, tokens = nats + float(pair_nll(model, batch, row, row)), tokens + int(batch.response.lengths[row])
    for weight in (0.0, 0.3, 1.0):
        found = model.contrast(batch, weight, generator())
        assert float(found.loss) == pytest.approx((1 - weight) * nats / tokens + weight * contrast, rel=1e-12)


def test_the_group_loss_is_the_printed_one_and_finite_for_huge_gains():
    gains, scores = torch.randn(5, 4).double() * 3, torch.rand(5, 4).double()
    expected = -torch.log(0.5 - (2 * scores - 1) * (0.5 - gains.sigmoid())).mean(1)
    assert_close(group_loss(gains, scores), expected)
    far = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = group_loss(far, torch.tensor([[0.0, 1.0]]))
    assert float(loss.detach()) == pytest.approx(1e4)
    loss.backward()
    assert_close(far.grad, torch.tensor([[0.5, -0.5]]))


# --- groups ----------------------------------------------------------------------------------------------------------


def test_a_group_begins_with_the_example_and_exchanges_one_side_with_a_candidate():
    model, batch = made(others=400).eval(), make_batch(9)
    group = model.groups(batch.context, batch.response.words, generator())
    vectors = vectors_by_hand(model, batch)
    for row in range(9):
        contexts, responses = group.contexts[row].tolist(), group.responses[row].tolist()
        assert (contexts[0], responses[0], float(group.scores[row, 0])) == (row, row, 1.0)
        pairs = list(zip(contexts[1:], responses[1:], strict=True))
        assert all((c == row) != (r == row) for c, r in pairs)
        others = sorted(set(range(9)) - {row}, key=lambda other: float(vectors[0][row] @ vectors[0][other]))
        assert {c + r - row for c, r in pairs} == {*others[:2], *others[-2:]}
        assert 150 < sum(r == row for _, r in pairs) < 250  # a fair coin


def test_scores_are_cosines_of_centred_means_of_the_reference_models_words_and_never_negative():
    model, batch = made().eval(), make_batch(8)
    group = model.groups(batch.context, batch.response.words, generator())
    vectors = vectors_by_hand(model, batch)
    for row in range(8):
        for context, response, score in list(zip(*(part[row].tolist() for part in group), strict=True))[1:]:
            cosine = float(torch.cosine_similarity(vectors[0][context], vectors[1][response], dim=0))
            assert score == pytest.approx(max(0.0, cosine), abs=1e-12)


def vectors_by_hand(model, batch) -> list[torch.Tensor]:
    words = model.reference.output.weight.detach()
    said = batch.response.words
    sides = [
        torch.stack([words[ids[:n]].mean(0) if n else words[:0].sum(0) for ids, n in zip(*side, strict=True)])
        for side in ((batch.context.ids, batch.context.lengths), (said.ids, said.lengths))
    ]
    centre = torch.cat(sides).mean(0)
    return [torch.nn.functional.normalize(side - centre, dim=1) for side in sides]


@torch.no_grad()
def test_a_batch_of_one_is_a_group_of_its_own():
    model, batch = made().eval(), make_batch(1)
    gain = pair_nll(model.reference, batch, 0, 0) - pair_nll(model, batch, 0, 0)
    assert float(model.contrast(batch, 1.0, generator()).loss) == pytest.approx(math.log1p(math.exp(-float(gain))))


@pytest.mark.parametrize(("examples", "number"), [(8, 2), (7, 3), (2, 3)])
def test_averaged_over_processes_loss_and_gradient_are_the_whole_batchs(examples, number):
    model = made().train()
    check_shares(
        make_batch(examples), examples, number, lambda batch: computed(model, model.contrast(batch, 0.6, generator()))
    )


# --- phases ----------------------------------------------------------------------------------------------------------


def test_likelihood_alone_has_exactly_its_updates_and_no_optimiser_has_the_reference_model():
    model = made()
    likelihood, contrast = trained_phases(model, SETTINGS)
    assert [likelihood.takes_part(n) for n in (0, PRETRAINING - 1, PRETRAINING)] == [True, True, False]
    assert [contrast.takes_part(n) for n in (0, PRETRAINING - 1, PRETRAINING)] == [False, False, True]
    frozen = {id(parameter) for parameter in model.reference.parameters()}
    trained = {id(parameter) for parameter in model.parameters()} - frozen
    for phase in (likelihood, contrast):
        assert {id(parameter) for parameter in phase.parameters} == trained


def test_training_moves_the_model_and_never_the_reference_model(tmp_path):
    model = made()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weights = trainer(tmp_path, model).run().weights
    same = {name for name, value in weights.items() if torch.equal(value, before[name])}
    assert same == {name for name in weights if name.startswith("reference.")}


def test_without_a_reference_model_training_is_refused_before_it_begins():
    model = create("pipeline_lib.models.group_wise:GroupWise", OPTIONS, SmallUnits(None), SIZES)
    error = refusal(model.phases)
    assert error.where == "systems.<name>.starts_from"
    with pytest.raises(PipelineError, match="no reference model"):
        trained_phases(model, SETTINGS)


class Killed(BaseException):
    """Ends a job as abruptly as a signal would, between any two of its lines."""


def trainer(folder, model=None) -> Trainer:
    train, validation = make_dataset(19), make_dataset(5, seed=3)
    return Trainer(model or made(), train, validation, SETTINGS, 1, folder / "state", folder / "events", Ranks())


def kill(model: GroupWise, phase: str, at: int) -> None:
    """Have the model's job end in the middle of the ``at``-th update of a phase."""
    objective, begun = getattr(model, phase), []

    def killed(*arguments):
        begun.append(None)
        if len(begun) == at:
            raise Killed
        return objective(*arguments)

    setattr(model, phase, killed)


def test_a_job_killed_in_each_phase_ends_with_the_same_weights_bit_for_bit(tmp_path):
    expected = trainer(tmp_path / "whole").run().weights
    for phase, at in (("objective", 5), ("contrast", 4)):
        model = made()
        kill(model, phase, at)
        with pytest.raises(Killed):
            trainer(tmp_path / "killed", model).run()
    checkpoint, _ = load_tensors(next(tmp_path.glob("killed/**/checkpoint.safetensors")))
    kept = {name.removeprefix("model/") for name in checkpoint if name.startswith("model/reference.")}
    assert kept == {name for name in expected if name.startswith("reference.")}
    resumed = trainer(tmp_path / "killed")
    assert resumed.progress.round >= PRETRAINING
    found = resumed.run().weights
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@torch.no_grad()
def test_a_response_without_words_is_compared_like_any_other():
    model, batch = made().eval(), make_batch(4)
    response = batch.response
    lengths = response.lengths.clone()
    lengths[2] = 1
    batch = replace(batch, response=replace(response, lengths=lengths))
    assert np.isfinite(float(model.contrast(batch, 0.5, generator()).loss))
