"""PersonaWAE and the systems beside it: mixtures, critic and gated decoder against closed forms; who trains what."""

import copy
import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.compute.sharing import Share, holding
from pipeline_lib.config.decoding import GreedySettings, SamplingSettings
from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.training import Optimiser, PhaseSettings, Training
from pipeline_lib.decoding.greedy import strategy
from pipeline_lib.decoding.sampling import strategy as sampled
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.layers.critic import Critic, critic_loss
from pipeline_lib.models.layers.gated import GatedDecoder
from pipeline_lib.models.layers.mixtures import FusedPrior, Mixture, MixtureNetwork
from pipeline_lib.models.layers.turns import by_turn
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged, flatten
from pipeline_lib.training.phases import trained_phases
from unit.model_fixtures import generator
from unit.shared_batches import Computed, check_shares, computed

WORDS, TURN_ID, USERS = 20, 4, 6
NETWORK = Dialogue(hidden=5, latent=3, user=4, dropout=0.3, initial_range=None)
WASSERSTEIN = "pipeline_lib.models.persona_wae:PersonaWAE"
SYSTEMS = {
    "seq2seq": ("pipeline_lib.models.persona_seq2seq:AttentiveSeq2Seq", {}),
    "persona": ("pipeline_lib.models.persona_seq2seq:PersonaSeq2Seq", {"users": USERS}),
    "adaptation": ("pipeline_lib.models.persona_seq2seq:AdaptedSeq2Seq", {"general": 2}),
    "rl_persona": ("pipeline_lib.models.persona_policy:PolicySeq2Seq", {"general": 2, "longest": 4}),
    "cvae": ("pipeline_lib.models.persona_wae:PersonaCVAE", {"users": USERS}),
    "diawae_gmd": (WASSERSTEIN, {"personal_prior": False, "personal_decoder": False}),
    "persona_wae": (WASSERSTEIN, {"users": USERS}),
    "without_prior": (WASSERSTEIN, {"users": USERS, "personal_prior": False}),
    "without_fusion": (WASSERSTEIN, {"users": USERS, "personal_decoder": False}),
}
SETTINGS = Training(
    batch_size=4,
    optimiser=Optimiser(kind="sgd", learning_rate=0.5, clip=1.0),
    phases={
        "generator": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=0.01)),
        "critic": PhaseSettings(optimiser=Optimiser(kind="rmsprop", learning_rate=0.01), updates=5),
    },
)


class Units:
    """Words ``w0`` to ``w19``, the mark of turns being the word 4."""

    ids = Ids()

    def __init__(self) -> None:
        self.embeddings = np.random.default_rng(1).normal(size=(WORDS, 7)).astype(np.float32)

    def __len__(self) -> int:
        return WORDS

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> Ragged:
        tokens, offsets = flatten(texts)
        ids = [TURN_ID if token == "<turn>" else int(token[1:]) for token in tokens.to_pylist()]
        return Ragged(np.array(ids, np.int32), offsets)

    def decode(self, ids: Any) -> str:
        return " ".join(f"w{i}" for i in ids)


def made(name: str, **options: Any) -> System:
    torch.manual_seed(2)
    path, own = SYSTEMS[name]
    return create(path, own | options, Units(), NETWORK).double()


def batch(n: int = 6, seed: int = 0) -> Batch:
    """Contexts of two turns; responses of up to five words."""
    rng = torch.Generator().manual_seed(seed)

    def words(count: int) -> Tensor:
        return torch.randint(5, WORDS, (count,), generator=rng)

    contexts, responses = [], []
    for _ in range(n):
        first, second, length = torch.randint(1, 5, (3,), generator=rng).tolist()
        contexts.append(torch.cat([words(first), torch.tensor([TURN_ID]), words(second)]))
        responses.append(words(length))
    padded = torch.nn.utils.rnn.pad_sequence(contexts, batch_first=True)
    lengths = torch.tensor([len(one) for one in responses])
    inputs = torch.nn.utils.rnn.pad_sequence([torch.cat([torch.tensor([2]), one]) for one in responses], True)
    targets = torch.nn.utils.rnn.pad_sequence([torch.cat([one, torch.tensor([3])]) for one in responses], True)
    return Batch(
        Response(inputs, targets, lengths + 1),
        Tokens(padded, torch.tensor([len(one) for one in contexts])),
        user=torch.randint(0, USERS + 1, (n,), generator=rng),
        floors=torch.tensor([[1, 0]] * n),
        profile=torch.tensor([[5, 9, 0]] * n),
    )


def tiled(one: Batch, times: int) -> Batch:
    """The only example of a batch, so many times."""

    def rows(values: Tensor) -> Tensor:
        return values.expand(times, *values.shape[1:])

    response = Response(*(rows(part) for part in (one.response.inputs, one.response.targets, one.response.lengths)))
    context = Tokens(rows(one.context.ids), rows(one.context.lengths))
    return Batch(response, context, user=rows(one.user), floors=rows(one.floors), profile=rows(one.profile))


# --- turns -----------------------------------------------------------------------------------------------------------


def test_words_are_divided_at_the_mark_of_turns_and_a_turn_without_words_is_empty():
    ids = torch.tensor([[7, 8, 4, 9, 0, 0], [5, 4, 4, 6, 7, 8], [9, 9, 9, 9, 4, 0]])
    turns = by_turn(Tokens(ids, torch.tensor([4, 6, 5])), turn=4, pad=0)
    assert turns.lengths.tolist() == [[2, 1, 0], [1, 0, 3], [4, 0, 0]]
    expected = [[[7, 8], [9], []], [[5], [], [6, 7, 8]], [[9] * 4, [], []]]
    for example, own in zip(turns.ids.tolist(), expected, strict=True):
        assert [turn[: len(words)] for turn, words in zip(example, own, strict=True)] == own


@pytest.mark.parametrize("name", SYSTEMS)
def test_padding_of_contexts_and_responses_changes_no_likelihood(name):
    model, whole = made(name).eval(), batch()
    wider = Batch(
        Response(
            *(nn.functional.pad(part, (0, 3)) for part in (whole.response.inputs, whole.response.targets)),
            whole.response.lengths,
        ),
        Tokens(nn.functional.pad(whole.context.ids, (0, 4)), whole.context.lengths),
        user=whole.user,
        floors=whole.floors,
        profile=whole.profile,
    )
    with torch.no_grad():
        one, other = model.likelihood(whole, generator()), model.likelihood(wider, generator())
    torch.testing.assert_close(one.nll, other.nll)


# --- mixtures --------------------------------------------------------------------------------------------------------


def fused(components: int = 2, latent: int = 2) -> tuple[FusedPrior, Tensor, Tensor]:
    torch.manual_seed(4)
    prior = FusedPrior(3, 4, latent, components, components).double()
    for parameter in prior.parameters():
        nn.init.normal_(parameter, std=0.8)
    return prior, torch.randn(1, 3).double(), torch.randn(1, 4).double()


def test_the_fused_mixture_has_the_moments_of_its_draws():
    prior, context, user = fused()
    n = 100_000
    with torch.no_grad():
        draws = prior.sample(context.expand(n, -1), user.expand(n, -1), generator())
        mixture = prior.components(context, user)
    share, mean, variance = mixture.logits[0].exp(), mixture.mean[0], mixture.log_variance[0].exp()
    assert share.sum().item() == pytest.approx(1)
    assert len(share) == 4
    expected = share @ mean
    second = torch.einsum("k,ki,kj->ij", share, mean, mean) + torch.diag(share @ variance)
    covariance = second - torch.outer(expected, expected)
    centred = draws - expected
    products = centred.unsqueeze(2) * centred.unsqueeze(1)
    assert ((draws.mean(0) - expected).abs() < 4 * draws.std(0) / math.sqrt(n)).all()
    assert ((products.mean(0) - covariance).abs() < 4 * products.std(0) / math.sqrt(n)).all()


def test_the_density_of_the_fused_mixture_is_that_of_its_pairs_and_integrates_to_one():
    prior, context, user = fused()
    axis = torch.linspace(-14, 14, 561).double()
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        log_p = prior.log_density(grid, context.expand(len(grid), -1), user.expand(len(grid), -1))
        assert (log_p.exp().sum() * (28 / 560) ** 2).item() == pytest.approx(1, abs=2e-3)
        own, other = prior.of_context(context), prior.of_user(user)
        weight = torch.softmax(prior.fusion(torch.cat([context, user], -1)), -1)[0]
        z, total = grid[[20_000]], 0.0
        for a, p in enumerate(own.logits[0].softmax(0).tolist()):
            for b, q in enumerate(other.logits[0].softmax(0).tolist()):
                mean = weight[0] * own.mean[0, a] + weight[1] * other.mean[0, b]
                variances = [
                    w**2 * part.log_variance[0, k].exp() for w, part, k in ((weight[0], own, a), (weight[1], other, b))
                ]
                normal = torch.distributions.Normal(mean, sum(variances).sqrt())
                total += p * q * normal.log_prob(z[0]).sum().exp().item()
    assert log_p[20_000].exp().item() == pytest.approx(total, rel=1e-9)


def test_hard_choices_are_as_frequent_as_the_softmax_says():
    n, logits = 50_000, torch.tensor([1.0, -0.5, 0.3]).double()
    far = torch.tensor([[-100.0], [0.0], [100.0]]).double()
    mixture = Mixture(logits.expand(n, -1), far.expand(n, -1, -1), torch.full((n, 3, 1), -6.0).double())
    draws = mixture.sample(generator()).squeeze(1)
    for value, share in zip((-100, 0, 100), logits.softmax(0).tolist(), strict=True):
        found = ((draws - value).abs() < 10).double().mean().item()
        assert found == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / n))


def test_a_mixture_of_one_draws_no_gumbel_noise():
    network = MixtureNetwork(3, 2, 1).double()
    condition = torch.randn(5, 3).double()
    noise = generator()
    network(condition).sample(noise)
    after = torch.randn(1, generator=noise)
    reference = generator()
    torch.randn((5, 2), generator=reference)
    assert after == torch.randn(1, generator=reference)


# --- decoder ---------------------------------------------------------------------------------------------------------


def test_with_a_zero_user_the_gated_decoder_equals_a_library_gru_and_its_gradient_is_right():
    torch.manual_seed(1)
    decoder = GatedDecoder(embedding=3, hidden=4, user=2, condition=5, vocabulary_size=9).double()
    words, condition = torch.randn(2, 6, 3).double(), torch.randn(2, 5).double()
    gru = nn.GRU(3, 4, batch_first=True).double()
    own = dict(decoder.gru.named_parameters())
    with torch.no_grad():
        for name, parameter in gru.named_parameters():
            parameter.copy_(own[name][:, :3] if name == "weight_ih_l0" else own[name])
        expected, _ = gru(words, decoder.initial(condition).unsqueeze(0))
        found = decoder.states(words, condition, torch.zeros(2, 2).double())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

    user = torch.randn(2, 2).double().requires_grad_()
    words.requires_grad_()
    assert torch.autograd.gradcheck(lambda w, u: decoder.states(w, condition, u), (words, user))


def test_the_gated_decoder_computes_equations_13_and_14_step_by_step():
    torch.manual_seed(1)
    decoder = GatedDecoder(embedding=3, hidden=4, user=2, condition=5, vocabulary_size=9).double()
    words, condition, user = (torch.randn(*shape).double() for shape in ((2, 4, 3), (2, 5), (2, 2)))
    cell = nn.GRUCell(5, 4).double()
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(dict(decoder.gru.named_parameters())[f"{name}_l0"])
        state = decoder.initial(condition)
        for step, found in enumerate(decoder.states(words, condition, user).unbind(1)):
            gate = torch.sigmoid(
                state @ decoder.gate_of_state.weight.T
                + words[:, step] @ decoder.gate_of_word.weight.T
                + user @ decoder.gate_of_user.weight.T
            )
            state = cell(torch.cat([words[:, step], gate * user], -1), state)
            torch.testing.assert_close(found, state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_decoded_greedily_is_the_likeliest_word_under_teacher_forcing(name):
    model, given = made(name).eval(), batch(3)
    with torch.no_grad():
        decode = strategy(GreedySettings(max_length=4), model.ids, [generator()])
        tokens = model.generate(given, decode, "none", generator()).tokens
        forced = torch.cat([torch.full((3, 1), 2), tokens[:, :-1]], 1)
        response = Response(forced, tokens, torch.full((3,), tokens.shape[1]))
        again = replace(given, response=response)
        logits = teacher_forced(model, again)
    logits[..., [0, 2]] = -torch.inf
    inside = (tokens != 0) & (tokens != 3)
    assert (logits.argmax(-1) == tokens)[inside].all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_samples_decoded_together_are_those_decoded_one_after_the_other(name):
    model, given = made(name).eval(), batch(5)
    decoding = partial(sampled, SamplingSettings(kind="sampling", max_length=6), model.ids)
    with torch.no_grad():
        together = model.generate_samples(given, decoding, "none", [generator(seed) for seed in (1, 2, 3)])
        alone = System.generate_samples(model, given, decoding, "none", [generator(seed) for seed in (1, 2, 3)])
    for one, other in zip(together, alone, strict=True):
        width = other.tokens.shape[1]
        assert torch.equal(one.tokens[:, :width], other.tokens)
        assert not one.tokens[:, width:].any()


def teacher_forced(model: Any, given: Batch) -> Tensor:
    """Logits (B, T, V) of a system under the noise that its `generate` would draw."""
    noise = generator()
    if hasattr(model, "encoder"):
        first, context = model._encode(given.context, noise)
        words = model.words(given.response.inputs)
        return model.decoder.output(model.decoder.states(words, first, model._beside(given, noise), context))
    context, user = model.encode_context(given, noise), model.user_vectors(given, noise)
    condition = torch.cat([model.z_of_prior(context, user, noise), context], -1)
    read = user if model.personal_decoder else None
    return model.decoder.output(model.decoder.states(model.words(given.response.inputs), condition, read))


# --- critic ----------------------------------------------------------------------------------------------------------


def closed_form(mean: float, deviation: float, weight: float = 10.0) -> float:
    """W1 + ∫ (F_p - F_q)² / (2 λ p̂) of N(0, 1) and N(mean, deviation²), p̂ being the density between the draws."""
    x = np.linspace(-14, 20, 6801)
    cdf = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))
    difference = cdf(x) - cdf((x - mean) / deviation)
    shares = (np.arange(400) + 0.5) / 400
    centre, variance = shares * mean, (1 - shares) ** 2 + (shares * deviation) ** 2
    density = np.mean(np.exp(-((x[:, None] - centre) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance), axis=1)
    step = x[1] - x[0]
    penalised = np.where(density > 1e-14, difference**2 / (2 * weight * np.maximum(density, 1e-14)), 0)
    return float(np.abs(difference).sum() * step + penalised.sum() * step)


def trained_gap(norm: str, mean: float, deviation: float, steps: int = 900) -> float:
    """Gap of a critic trained on N(0, 1) against N(mean, deviation²), both on a line in the plane."""
    torch.manual_seed(0)
    critic, noise = Critic(3, 32, norm), generator()
    optimiser = torch.optim.Adam(critic.parameters(), lr=5e-3, betas=(0.5, 0.9))

    def drawn(n: int) -> tuple[Tensor, Tensor]:
        both = torch.randn(2, n, 2, generator=noise) * torch.tensor([1.0, 0.0])
        return both[0], both[1] * deviation + torch.tensor([mean, 0.0])

    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * 0.5 ** (4 * step // steps)
        one, other = drawn(512)
        loss, _ = critic_loss(critic, one, other, torch.zeros(512, 1), noise)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    one, other = drawn(50_000)
    with torch.no_grad():
        return critic_loss_gap(critic, one, other)


def critic_loss_gap(critic: Critic, one: Tensor, other: Tensor) -> float:
    still = torch.zeros(len(one), 1)
    return float(critic(torch.cat([other, still], -1)).mean() - critic(torch.cat([one, still], -1)).mean())


def test_the_closed_form_of_the_gap_has_the_known_values():
    assert closed_form(5, 1) == pytest.approx(6.262, abs=0.01)
    assert closed_form(2, 1) == pytest.approx(2.210, abs=0.005)
    assert closed_form(0, 3) == pytest.approx(1.837, abs=0.005)


@pytest.mark.parametrize(("mean", "deviation"), [(5, 1), (2, 1), (0, 3)])
def test_the_gap_at_the_optimum_is_the_closed_form_and_not_the_wasserstein_distance(mean, deviation):
    assert trained_gap("layer", mean, deviation) == pytest.approx(closed_form(mean, deviation), rel=0.03)


def test_a_critic_with_batch_norm_sees_no_shift_that_is_common_to_a_batch():
    assert abs(trained_gap("batch", 5, 1, steps=150)) < 0.05


def generator_taught(norm: str, steps: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation, (8,) each, that a critic teaches a generator from 0 and 0.5; the target has 2 and 1.

    They are averaged over the last fifth of the steps, around which the two networks circle.
    """
    torch.manual_seed(0)
    critic, noise = Critic(8 + 2, 24, norm), generator(3)
    mean, deviation = torch.zeros(8, requires_grad=True), torch.full((8,), 0.5, requires_grad=True)
    own = torch.optim.Adam([mean, deviation], 0.02, betas=(0.5, 0.9))
    of_critic = torch.optim.Adam(critic.parameters(), 0.01, betas=(0.5, 0.9))
    last = []
    for step in range(steps):
        own.param_groups[0]["lr"] = 0.02 if step < 0.7 * steps else 0.004
        for update in range(6):
            target, draw, context = (torch.randn(64, size, generator=noise) for size in (8, 8, 2))
            imitated = mean + deviation * draw
            if update < 5:
                loss, _ = critic_loss(critic, 2 + target, imitated.detach(), context, noise)
                of_critic.zero_grad()
                loss.backward()
                of_critic.step()
        gap = critic(torch.cat([imitated, context], -1)) - critic(torch.cat([2 + target, context], -1))
        own.zero_grad()
        gap.mean().backward()
        own.step()
        if step >= 0.8 * steps:
            last.append(torch.stack([mean.detach(), deviation.detach().abs()]))
    return tuple(torch.stack(last).mean(0))


def test_a_critic_teaches_a_generator_in_eight_dimensions_where_the_target_is_and_one_with_batch_norm_does_not():
    mean, deviation = generator_taught("layer", 300)
    assert (mean - 2).abs().max() < 0.1
    assert (deviation - 1).abs().max() < 0.25
    assert generator_taught("batch", 150)[0].mean() < 0.5


def test_the_released_penalty_asks_each_example_for_a_slope_of_the_batch_size():
    line = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        line.weight.copy_(torch.tensor([[4.0, 0.0]]))
    at, none = torch.randn(4, 1), torch.zeros(4, 1)
    own, gap = critic_loss(line, at, at, none, generator())
    released, _ = critic_loss(line, at, at, none, generator(), of_batch_mean=True)
    assert own.item() == pytest.approx(10 * (4 - 1) ** 2)
    assert released.item() == pytest.approx(0, abs=1e-9)
    assert gap.abs().max() == 0


# --- phases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_parameter_is_owned_once_and_moves_in_a_round(name):
    model = made(name).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    noise = generator()
    for _ in range(3):  # the first critic's steps give the generator something to follow
        for phase in trained_phases(model, SETTINGS if "wae" in type(model).__name__.lower() else Training()):
            for _ in range(phase.updates):
                loss = phase.objective(batch(), 1.0, noise).loss
                assert torch.isfinite(loss)
                phase.optimiser.zero_grad()
                loss.backward(inputs=phase.parameters)
                phase.optimiser.step()
    still = [key for key, value in model.named_parameters() if torch.equal(value, before[key])]
    assert still == []


OF_AUTOENCODER = {
    *("words", "context_encoder", "response_encoder", "recognition", "posterior_generator", "decoder", "users")
}
OF_GENERATOR = {"prior", "prior_generator", "recognition", "posterior_generator", "users"}
TRAINED = {
    "persona_wae": (OF_AUTOENCODER, OF_GENERATOR),
    "diawae_gmd": (OF_AUTOENCODER - {"users"}, OF_GENERATOR - {"users"}),
    "without_prior": (OF_AUTOENCODER, OF_GENERATOR - {"users"}),
    "without_fusion": (OF_AUTOENCODER - {"users"}, OF_GENERATOR),
}


@pytest.mark.parametrize("name", TRAINED)
def test_each_optimiser_has_exactly_the_parameters_of_the_networks_that_its_phase_trains(name):
    model = made(name)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        phase.name: [names[id(own)] for group in phase.optimiser.param_groups for own in group["params"]]
        for phase in trained_phases(model, SETTINGS)
    }
    networks = dict(zip(("autoencoder", "generator", "critic"), (*TRAINED[name], {"critic"}), strict=True))
    assert found.keys() == networks.keys()
    for phase, own in networks.items():
        assert sorted(found[phase]) == sorted(key for key in names.values() if key.partition(".")[0] in own)


def test_a_step_of_the_generator_lessens_the_gap_that_the_critic_has_found():
    model, given = made("persona_wae").eval(), batch()  # without dropout; equal noise at each call
    rates = {"generator": 0.001, "critic": 0.01}
    own = {name: PhaseSettings(optimiser=Optimiser(kind="adam", learning_rate=rate)) for name, rate in rates.items()}
    _, generation, critic = trained_phases(model, Training(phases=own))

    def gap() -> float:
        return model.criticism(given, 1.0, generator()).log["gap"].mean().item()

    for _ in range(20):
        critic.update(critic.objective(given, 1.0, generator()).loss, 0, Ranks())
    widened = gap()
    assert widened > 0.1
    generation.update(generation.objective(given, 1.0, generator()).loss, 0, Ranks())
    assert gap() < widened


def test_adaptation_learns_first_without_users_and_then_from_their_words():
    model, whole = made("adaptation").eval(), batch()
    nobody = replace(whole, profile=torch.zeros_like(whole.profile))
    general, adapted = model.phases()
    assert (general.until, adapted.since) == (2, 2)
    losses = {
        (phase.name, known): phase.objective(own, 1.0, generator()).loss.item()
        for phase in (general, adapted)
        for known, own in ((True, whole), (False, nobody))
    }
    assert losses["general", True] == losses["general", False] == losses["adapted", False] != losses["adapted", True]
    mean = model.words.weight[[5, 9]].mean(0)
    torch.testing.assert_close(model._beside(whole, generator())[0], mean)


def test_without_the_fusion_the_generators_phase_alone_trains_the_users():
    model = made("without_fusion")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    phases = {phase.name: phase for phase in model.phases()}
    assert "users.vectors.weight" in [names[id(parameter)] for parameter in phases["generator"].parameters]
    assert all("gate" not in name for name in names.values())


def test_without_prior_and_without_fusion_differ_from_the_whole_by_the_networks_they_lack():
    whole, no_prior, no_fusion, none = (
        {name for name, _ in made(system).named_parameters()}
        for system in ("persona_wae", "without_prior", "without_fusion", "diawae_gmd")
    )
    prior = {name for name in whole if name.startswith(("prior.of_user", "prior.fusion"))}
    fusion = {f"decoder.gate_of_{part}.weight" for part in ("state", "word", "user")}
    assert (whole - no_prior, no_prior - whole) == (prior, set())
    assert (whole - no_fusion, no_fusion - whole) == (fusion, set())
    assert whole - none == prior | fusion | {"users.vectors.weight"}


def test_the_frozen_mixture_of_the_released_code_is_in_no_optimiser():
    model = made("persona_wae", released=["frozen_mixture"])
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    assert frozen
    assert all(name.startswith("prior.") for name in frozen)
    trained = {id(p) for phase in trained_phases(model, SETTINGS) for p in phase.parameters}
    assert not trained & {id(p) for n, p in model.named_parameters() if n in frozen}
    # means, log-variances and logits of both mixtures, their trunks, and the weights of the fusion
    assert len(frozen) == 18


def test_words_that_are_listed_twice_are_moved_twice_and_count_twice_in_clipping():
    """SGD at rate 0.5, whose gradient is clipped at 1e-3: the words' is scaled twice, by a coefficient of a norm
    in which they count twice."""
    model = made("persona_wae", released=["embedding_twice"])
    settings = SETTINGS.model_copy(update={"optimiser": Optimiser(kind="sgd", learning_rate=0.5, clip=1e-3)})
    autoencoder = trained_phases(model, settings)[0]
    loss = autoencoder.objective(batch(), 1.0, generator()).loss
    owned = list(dict.fromkeys(autoencoder.parameters))
    gradients = torch.autograd.grad(loss, owned, retain_graph=True)
    squares = sum((own**2).sum() for own in gradients) + (gradients[0] ** 2).sum()
    scale = 1e-3 / (squares.sqrt() + 1e-6)
    before = [parameter.detach().clone() for parameter in owned]
    norm = autoencoder.update(loss, 0.0, Ranks())
    torch.testing.assert_close(norm, squares.sqrt())
    assert owned[0] is model.words.weight
    for number, (old, parameter, own) in enumerate(zip(before, owned, gradients, strict=True)):
        moved = 2 * scale**2 * own if number == 0 else scale * own
        torch.testing.assert_close(parameter.detach(), old - 0.5 * moved, rtol=1e-9, atol=1e-12)


def test_the_generators_phase_moves_neither_words_nor_encoders():
    model = made("persona_wae").train()
    loss = model.imitation(batch(), 1.0, generator()).loss
    encoders = [*model.words.parameters(), *model.context_encoder.parameters(), *model.response_encoder.parameters()]
    assert all(grad is None for grad in torch.autograd.grad(loss, encoders, allow_unused=True))


# --- likelihoods -----------------------------------------------------------------------------------------------------


def test_the_kl_of_the_cvae_is_right_on_average_where_it_has_a_closed_form():
    model, given = made("cvae", context_components=1, user_components=1).eval(), batch(1)
    noise = generator()
    with torch.no_grad():
        context, posterior, user = model._encoded(given, noise)
        mixture = model.prior.components(context, user)
        q = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
        p = torch.distributions.Normal(mixture.mean[:, 0], (mixture.log_variance[:, 0] / 2).exp())
        expected = torch.distributions.kl_divergence(q, p).sum().item()
        found = model.likelihood(tiled(given, 4000), noise).kl
    assert found.mean().item() == pytest.approx(expected, abs=4 * found.std().item() / math.sqrt(4000))


def test_an_unknown_user_is_row_zero_and_user_dropout_takes_as_many_as_it_says():
    model = made("persona_wae", user_dropout=0.25)
    many = Batch(batch(1).response, user=torch.full((4000,), 3))
    vectors = model.users.train()(many, generator())
    lost = (vectors == model.users.vectors.weight[0]).all(1).double().mean().item()
    assert lost == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 4000))
    assert torch.equal(model.users.eval()(many, generator())[7], model.users.vectors.weight[3])


def test_a_range_of_initial_weights_leaves_words_and_normalisation_as_they_are():
    model = create(WASSERSTEIN, {"users": 3}, Units(), NETWORK.model_copy(update={"initial_range": 0.01}))
    words, norms = torch.from_numpy(Units().embeddings), 0
    assert torch.equal(model.words.weight, words.to(model.words.weight))
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            norms += 1
            assert (set(module.weight.tolist()), set(module.bias.tolist())) == ({1.0}, {0.0})
        elif not isinstance(module, nn.Embedding):
            assert all(own.abs().max() <= 0.01 for own in module.parameters(recurse=False))
    assert norms > 0


def test_words_that_are_drawn_have_the_size_of_the_vectors_and_nothing_else_of_them():
    torch.manual_seed(5)
    units = Units()
    units.embeddings = np.full((WORDS, 400), 9, np.float32)
    model = create(WASSERSTEIN, {"users": 3}, units, NETWORK.model_copy(update={"words": "drawn"}))
    drawn = model.words.weight.detach()
    assert drawn.shape == units.embeddings.shape
    assert abs(drawn.mean()) < 0.05
    assert abs(drawn.std() - 1) < 0.05
    assert model.words.weight.requires_grad


def test_a_personal_system_that_reads_no_users_and_one_without_vectors_are_errors():
    for path in (WASSERSTEIN, "pipeline_lib.models.persona_seq2seq:PersonaSeq2Seq"):
        with pytest.raises(PipelineError, match="no users are read"):
            create(path, {}, Units(), NETWORK)
    bare = Units()
    bare.embeddings = None
    with pytest.raises(PipelineError, match="needs word vectors to begin with"):
        create(*SYSTEMS["seq2seq"], bare, NETWORK)
    with pytest.raises(PipelineError, match="greater than 0"):
        create(WASSERSTEIN, {"users": 3, "context_components": 0}, Units(), NETWORK)


def test_a_critic_with_batch_norm_is_refused_in_a_job_of_several_processes():
    model = made("persona_wae", released=["batchnorm_critic"]).train()
    model.criticism(batch(), 1.0, generator())
    with holding(Share.of(6, 0, 2)), pytest.raises(PipelineError, match="several processes"):
        model.criticism(batch(), 1.0, generator())


SHARED = [
    ("persona_wae", {}),
    ("persona_wae", {"released": ["batch_mean_penalty"]}),
    ("cvae", {}),
    ("adaptation", {}),
    ("rl_persona", {}),
]


@pytest.mark.parametrize(("examples", "number"), [(6, 2), (3, 2), (2, 2)])
@pytest.mark.parametrize(("name", "options"), SHARED, ids=str)
def test_processes_have_together_the_losses_and_gradients_of_one_in_every_phase(name, options, examples, number):
    model = made(name, **options).train()
    for place in range(len(model.phases())):

        def compute(given: Batch, place: int = place) -> Computed:
            own = copy.deepcopy(model)  # some phases count what they have seen
            return computed(own, own.phases()[place].objective(given, 0.7, generator()))

        check_shares(batch(examples), examples, number, compute)


@pytest.mark.parametrize(("words", "rates"), [("given", [1e-3, 1e-5]), ("drawn", [1e-3])])
def test_only_words_that_were_given_have_the_rate_of_given_parameters(words, rates):
    model = create(*SYSTEMS["seq2seq"], Units(), NETWORK.model_copy(update={"words": words}))
    [phase] = trained_phases(model, Training(optimiser=Optimiser(given_learning_rate=1e-5)))
    assert phase.rates(0) == rates
