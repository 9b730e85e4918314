"""CLAPS: perturbations, contrasts and gradients against loops in float64."""

import math

import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.models.claps import Compared, contrasts
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.system import Objective, create
from unit.model_fixtures import SmallUnits, generator, make_batch
from unit.shared_batches import check_shares, computed, gradients

SIZES = Sizes(width=8, layers=1, heads=2, feed_forward=12, dropout=0.0)


def test_the_contrasts_are_cross_entropies_over_the_other_responses_and_the_negative():
    compared = Compared(*torch.randn(4, 5, 3, generator=generator()).double())
    contexts, responses, negative, positive = compared

    def cosine(one, other):
        return float(torch.cosine_similarity(one, other, dim=0))

    for temperature, second in ((0.1, 0.1), (0.1, 1.0)):
        total = 0.0
        for i in range(5):
            first = [cosine(contexts[i], responses[j]) / temperature for j in range(5)]
            first.append(cosine(contexts[i], negative[i]) / temperature)
            distant = [cosine(contexts[i], positive[i] if j == i else responses[j]) / second for j in range(5)]
            distant.append(cosine(contexts[i], negative[i]) / second)
            for logits in (first, distant):
                total += math.log(sum(map(math.exp, logits))) - logits[i]
        assert float(contrasts(compared, temperature, second)) == pytest.approx(total / 10)


# --- what needs the package transformers -----------------------------------------------------------------------------


@pytest.fixture
def claps():
    pytest.importorskip("transformers", reason="the package transformers is not installed (`make pretrained`)")
    return made()


def made(system="pipeline_lib.models.claps:T5Claps", **options):
    torch.manual_seed(3)
    model = create(system, options, SmallUnits(None), SIZES).double()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator(), dtype=torch.float64) / 2
    return model


def told(model, batch):
    memory = model.read(batch.context)
    states = model.states(batch.response, memory)
    return states.detach(), memory.states.detach(), valid_positions(batch.response.lengths, states.shape[1])


def test_the_negative_follows_the_gradient_of_each_words_likelihood_by_exactly_its_norm(claps):
    batch = make_batch(5)
    states, _, inside = told(claps, batch)
    moved = claps.negative(states, inside, claps.told(states[inside]), batch.response.targets) - states
    assert_close(moved[inside].norm(dim=1), torch.full((int(inside.sum()),), 1.0, dtype=torch.float64))
    for row, step in inside.nonzero().tolist():
        state = states[row, step].clone().requires_grad_()
        nats = -claps.output(state).log_softmax(0)[batch.response.targets[row, step]]
        [slope] = torch.autograd.grad(nats, state)
        assert_close(moved[row, step], slope / slope.norm())


def test_the_positive_moves_away_from_its_context_and_back_to_its_words_by_exactly_its_norm(claps):
    batch = make_batch(4)
    states, memory, inside = told(claps, batch)
    encoded = claps._mean(memory, batch.context.lengths).detach()
    moved = claps.positive(states, inside, claps.told(states[inside]), encoded, batch.response.lengths)
    lengths = batch.response.lengths.tolist()
    words = [states[row, :n].clone().requires_grad_() for row, n in enumerate(lengths)]
    means = [claps.projection(own).mean(0) for own in words]
    contexts = [claps.projection(memory[row, :n]).mean(0).detach() for row, n in enumerate(batch.context.lengths)]
    loss = torch.zeros((), dtype=torch.float64)
    for row, context in enumerate(contexts):
        cosines = torch.stack([torch.cosine_similarity(context, mean, dim=0) for mean in means]) / 0.1
        loss = loss - cosines.log_softmax(0)[row]
    for row, (own, away) in enumerate(zip(words, torch.autograd.grad(loss, words), strict=True)):
        far = (own + 3 * away / away.norm(dim=1, keepdim=True)).detach().requires_grad_()
        true = claps.output(own).softmax(-1).detach()
        divergence = (true * (true.log() - claps.output(far).log_softmax(-1))).sum()
        [back] = torch.autograd.grad(divergence, far)
        assert_close(moved[row, : len(own)], (far - 3 * back / back.norm(dim=1, keepdim=True)).detach())


def test_the_gradient_is_that_of_t5_and_of_contrasts_whose_perturbations_are_constant(claps):
    batch = make_batch(5)
    plain = made("pipeline_lib.models.t5:T5")
    plain.load_state_dict({name: value for name, value in claps.state_dict().items() if "projection" not in name})
    states, memory, inside = told(claps, batch)
    lengths, of_contexts = batch.response.lengths, batch.context.lengths
    claps.zero_grad()
    probabilities = claps.told(states[inside])
    negative = claps.negative(states, inside, probabilities, batch.response.targets)
    positive = claps.positive(states, inside, probabilities, claps._mean(memory, of_contexts).detach(), lengths)
    assert all(parameter.grad is None for parameter in claps.parameters())
    read = claps.read(batch.context)
    texts = ((read.states, of_contexts), (claps.states(batch.response, read), lengths))
    means = [claps._mean(*text) for text in (*texts, (negative, lengths), (positive, lengths))]
    of_contrast = gradients(claps, Objective(contrasts(Compared(*means), 0.1, 0.1), {}))
    of_likelihood = gradients(plain, plain.objective(batch, 1.0, generator()))
    for name, value in gradients(claps, claps.objective(batch, 1.0, generator())).items():
        own = of_likelihood.get(name, torch.zeros_like(value))
        assert_close(value, own + of_contrast[name], msg=lambda m, n=name: f"{n}: {m}")


def test_the_faithful_second_contrast_has_no_temperature(claps):
    batch = make_batch(5)
    ours, faithful = claps, made(faithful=True)
    faithful.load_state_dict(ours.state_dict())
    found = [float(model.objective(batch, 1.0, generator()).log["contrast"]) for model in (ours, faithful)]
    assert found[0] != found[1]
    faithful.faithful = False
    assert float(faithful.objective(batch, 1.0, generator()).log["contrast"]) == found[0]


@pytest.mark.parametrize(("examples", "number"), [(6, 2), (5, 3)])
def test_averaged_over_processes_loss_and_gradient_are_the_whole_batchs(claps, examples, number):
    # a perturbation depends on what others sent, and is sent itself
    check_shares(
        make_batch(examples),
        examples,
        number,
        lambda batch: computed(claps, claps.objective(batch, 1.0, generator())),
        rounds=3,
    )
