"""The RNNLM and the sentence VAE against loops over single sentences, and what the paper says of them."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.compute.sharing import Share, holding
from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.layers.dropping import dropout, keep_words
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged
from unit.model_fixtures import SmallUnits, generator

VOCABULARY = 30
NETWORK = LanguageModel(embedding=6, hidden=7, latent=5, initial_range=0.5)
NAMES = ["RNNLM", "SentenceVAE"]


def model_of(name: str, keep: float = 1.0, **sizes: float) -> System:
    torch.manual_seed(3)
    network = NETWORK.model_copy(update=sizes)
    model = create(f"pipeline_lib.models.sentence_vae:{name}", {"keep": keep}, SmallUnits(None, VOCABULARY), network)
    return model.double()


def sentences(n: int = 9, longest: int = 8) -> ExampleDataset:
    random = np.random.default_rng(0)
    starts = np.concatenate([[0], random.integers(1, longest, n).cumsum()])
    nothing = Ragged(np.empty(0, np.int32), np.zeros(n + 1, np.int64))
    return ExampleDataset(nothing, Ragged(random.integers(4, VOCABULARY, starts[-1]).astype(np.int32), starts))


def batch_of(n: int = 9) -> Batch:
    return sentences(n).batch(np.arange(n))


def log_softmax_by_hand(scores: torch.Tensor) -> torch.Tensor:
    return scores - scores.exp().sum().log()


def loop_nll(model: System, words: list[int], z: torch.Tensor | None) -> tuple[float, float]:
    """-log p(sentence | z) and the end token's share, a cell and a word at a time."""
    decoder = model.decoder
    beside = z.view(1, -1) if z is not None and decoder.reads_z else torch.empty(1, 0, dtype=torch.float64)
    cell = torch.nn.LSTMCell(decoder.lstm.input_size, decoder.lstm.hidden_size).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in decoder.lstm.state_dict().items()})
    h = c = torch.zeros(1, decoder.lstm.hidden_size, dtype=torch.float64)
    if z is not None:
        h, c = model.initial(z).view(1, -1).chunk(2, -1)
    total, last = 0.0, 0.0
    for read, target in zip([Ids().start, *words], [*words, Ids().end], strict=True):
        seen = Ids().unknown if decoder.keep == 0 else read
        h, c = cell(torch.cat([decoder.embedding.weight[seen].unsqueeze(0), beside], 1), (h, c))
        last = -float(log_softmax_by_hand(decoder.output(h)[0])[target])
        total += last
    return total, last


@pytest.mark.parametrize("z_input", [False, True])
@pytest.mark.parametrize("keep", [1.0, 0.0])
@pytest.mark.parametrize("name", NAMES)
def test_likelihoods_are_those_of_a_loop_over_single_sentences(name, keep, z_input):
    model, batch = model_of(name, keep, z_input=z_input).eval(), batch_of()
    with torch.no_grad():
        found = model.likelihood(batch, generator())
        noise = torch.randn(len(batch), NETWORK.latent, generator=generator())
        for row, length in enumerate(batch.response.words.lengths.tolist()):
            words, z = batch.response.words.ids[row, :length].tolist(), None
            if name == "SentenceVAE":
                read = model.decoder.embedding(torch.tensor([words]))
                last = torch.nn.LSTM.forward(model.encoder, read)[1][0][0]
                mu, log_variance = model.recognition(last)[0].chunk(2)
                z = mu + (log_variance / 2).exp() * noise[row]
                kl = 0.5 * float((mu**2 + log_variance.exp() - 1 - log_variance).sum())
                assert float(found.kl[row]) == pytest.approx(kl)
                assert float(found.bound[row]) == pytest.approx(float(found.nll[row]) + kl)
            nll, end = loop_nll(model, words, z)
            assert float(found.nll[row]) == pytest.approx(nll)
            assert float(found.end[row]) == pytest.approx(end)


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(name):
    model, batch = model_of(name).eval(), batch_of()
    wide = torch.nn.functional.pad
    padded = Response(wide(batch.response.inputs, (0, 4)), wide(batch.response.targets, (0, 4)), batch.response.lengths)
    with torch.no_grad():
        found, expected = (model.likelihood(Batch(part), generator()) for part in (padded, batch.response))
    assert_close(found.nll, expected.nll)
    assert_close(found.kl, expected.kl)


@pytest.mark.parametrize("name", NAMES)
def test_an_inputless_decoder_does_not_see_the_words_before(name):
    model, batch = model_of(name, keep=0.0).eval(), batch_of()
    others = Response(torch.randint_like(batch.response.inputs, 4, VOCABULARY), *batch_parts(batch)[1:])
    z = torch.randn(len(batch), NETWORK.latent, dtype=torch.float64)
    state = model._state(z) if name == "SentenceVAE" else None
    with torch.no_grad():
        assert_close(model.decoder(others, state, z, generator()), model.decoder(batch.response, state, z, generator()))


def batch_parts(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return batch.response.inputs, batch.response.targets, batch.response.lengths


def test_states_shared_by_all_sentences_give_the_likelihood_of_their_own():
    model, batch = model_of("RNNLM", keep=0.0).eval(), batch_of()
    zeros = torch.zeros(1, len(batch), NETWORK.hidden, dtype=torch.float64)
    with torch.no_grad():
        own = model.decoder(batch.response, (zeros, zeros), None, generator())
        assert_close(model.decoder(batch.response, None, None, generator()), own)


def test_words_are_hidden_at_the_stated_rate_and_the_start_never_is():
    words = torch.randint(4, VOCABULARY, (400, 30))
    words[:, 0] = Ids().start
    hidden = keep_words(words, 0.62, Ids().unknown, generator())
    assert bool((hidden[:, 0] == Ids().start).all())
    share = float((hidden[:, 1:] == Ids().unknown).double().mean())
    assert abs(share - 0.38) < 3 * math.sqrt(0.38 * 0.62 / (400 * 29))
    assert bool(((hidden == words) | (hidden == Ids().unknown)).all())


def test_hidden_words_are_neither_targets_nor_what_the_encoder_reads(monkeypatch):
    model, batch = model_of("SentenceVAE", keep=0.3).train(), batch_of()
    read, encoded = [], []
    monkeypatch.setattr(
        model.decoder, "read", lambda words, z, read_by=model.decoder.read: read.append(words) or read_by(words, z)
    )
    encode = model.encoder.last_hidden
    monkeypatch.setattr(model.encoder, "last_hidden", lambda *given: encoded.append(given[0]) or encode(*given))
    model.objective(batch, 1.0, generator())
    assert bool((read[0] == Ids().unknown).any())
    assert_close(encoded[0], model.decoder.embedding(batch.response.words.ids))
    read.clear()
    with torch.no_grad():
        model.eval().likelihood(batch, generator())
    assert_close(read[0], batch.response.inputs)


@pytest.mark.parametrize("rows", [1, 50])
def test_dropout_keeps_the_mean_and_drops_the_stated_share(rows):
    found = dropout(torch.ones(rows, 40, 64), 0.3, generator())
    assert abs(float((found == 0).double().mean()) - 0.3) < 4 * math.sqrt(0.3 * 0.7 / found.numel())
    assert_close(found[found > 0], torch.full_like(found[found > 0], 1 / 0.7))
    assert dropout(found, 0.0, generator()) is found


@pytest.mark.parametrize(("keep", "examples"), [(0.6, 9), (0.6, 3), (0.0, 9)])
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_draw_together_what_one_draws_alone(name, keep, examples):
    model, data = model_of(name, keep=keep, dropout=0.2).train(), sentences()
    rows = np.arange(examples)
    alone = model.objective(data.batch(rows), 0.7, generator()).log["nll"]
    for rank in range(2):
        share = Share.of(examples, rank, 2)
        with holding(share):
            found = model.objective(data.batch(rows, share), 0.7, generator()).log["nll"]
        assert_close(found[: share.counted], alone[share.rows])


@pytest.mark.parametrize("keep", [0.6, 0.0])
@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_receives_a_gradient(name, keep):
    model = model_of(name, keep).train()
    model.objective(batch_of(), 1.0, generator()).loss.backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert without == []


def test_importance_weighting_finds_the_exact_likelihood_where_the_decoder_ignores_z():
    model, batch = model_of("SentenceVAE").eval(), batch_of()
    with torch.no_grad():
        model.initial.weight.zero_()
        exact = model.likelihood(batch, generator()).nll
        estimate = model.importance_nll(batch, generator(), 3_000)
    assert_close(estimate, exact, rtol=0, atol=0.15)


def test_importance_weighting_is_not_above_the_bound():
    model, batch = model_of("SentenceVAE").eval(), batch_of()
    with torch.no_grad():
        bound = torch.stack([model.likelihood(batch, generator(seed)).bound for seed in range(200)]).mean(0)
        assert bool((model.importance_nll(batch, generator(), 200) <= bound + 0.05).all())


@pytest.mark.parametrize("keep", [1.0, 0.0])
@pytest.mark.parametrize("name", NAMES)
def test_decoded_words_are_each_the_likeliest_after_the_words_before(name, keep):
    model = model_of(name, keep).eval()
    with torch.no_grad():
        found = model.generate(batch_of(6), Greedy(Ids(), 6), "none", generator()).tokens
        z = torch.randn((6, NETWORK.latent), generator=generator(), dtype=torch.float32).double()
        state = model._state(z) if name == "SentenceVAE" else (torch.zeros(1, 6, NETWORK.hidden).double(),) * 2
        inputs = torch.cat([torch.full((6, 1), Ids().start), found[:, :-1]], 1)
        if keep == 0:
            inputs = torch.full_like(inputs, Ids().unknown)
        scores = model.decoder.output(model.decoder.lstm.outputs(model.decoder.read(inputs, z), state))
    scores[..., [Ids().pad, Ids().start]] = -torch.inf
    alive = torch.cat([torch.ones(6, 1), (found[:, :-1] != Ids().end).cumprod(1)], 1).bool()
    assert bool((scores.argmax(-1) == found)[alive].all())


@pytest.mark.parametrize(
    ("name", "keep", "sizes", "parameters"),
    [  # papers/sentence_vae: the sizes of the paper's Table 11, 10,002 units
        ("RNNLM", 0.66, {"embedding": 464, "hidden": 337}, 9_104_048),
        ("SentenceVAE", 0.62, {"embedding": 353, "hidden": 191, "latent": 13}, 6_295_718),
        ("RNNLM", 0.0, {"embedding": 305, "hidden": 68}, 3_842_748),
        ("SentenceVAE", 0.0, {"embedding": 499, "hidden": 350, "latent": 111}, 11_040_822),
        ("RNNLM", 1.0, {"embedding": 256, "hidden": 256}, 5_657_362),
        ("SentenceVAE", 1.0, {"embedding": 256, "hidden": 256, "latent": 16}, 6_200_626),
    ],
)
def test_parameters_of_the_published_sizes_are_as_many_as_were_counted_by_hand(name, keep, sizes, parameters):
    path = f"pipeline_lib.models.sentence_vae:{name}"
    model = create(path, {"keep": keep}, SmallUnits(None, 10_002), LanguageModel(**sizes))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
