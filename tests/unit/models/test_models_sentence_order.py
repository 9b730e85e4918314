"""Decoders that emit the last word first, and the sequence autoencoder."""

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.decoding.beam import FREE, Beam
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged
from reference.comparison import assert_same, assert_same_objective
from reference.examples import average, examples_of, leaves
from reference.layers import linear, lstm_states
from reference.sentences import Noise, Sentences
from unit.model_fixtures import VOCABULARY, SmallUnits, generator

LATENT = 5
NETWORK = LanguageModel(embedding=6, hidden=7, latent=LATENT, initial_range=0.5)
NAMES = ["RNNLM", "SentenceVAE", "SequenceAutoencoder"]
SENTENCES = [[5, 6, 7, 8], [9], [10, 4, 11], [6, 6, 12, 13, 14, 15]]
NOTHING = Noise(None, None, None)
ALLOWED = [word for word in range(VOCABULARY) if word not in (Ids().pad, Ids().unknown, Ids().start, Ids().end)]


def model_of(name: str, direction: str = "left_to_right", keep: float = 1.0, z_input: bool = False) -> System:
    torch.manual_seed(3)
    path, options = f"pipeline_lib.models.sentence_vae:{name}", {"direction": direction, "keep": keep}
    sizes = NETWORK.model_copy(update={"z_input": z_input})
    return create(path, options, SmallUnits(None, VOCABULARY), sizes).double()


def both(name: str, keep: float = 1.0) -> tuple[System, System]:
    """Two models with the same weights, whose decoders go in opposite directions."""
    return model_of(name, keep=keep).eval(), model_of(name, "right_to_left", keep).eval()


def batch_of(sentences: list[list[int]]) -> Batch:
    starts = np.concatenate([[0], np.cumsum([len(each) for each in sentences])])
    nothing = Ragged(np.empty(0, np.int32), np.zeros(len(sentences) + 1, np.int64))
    words = Ragged(np.array([word for each in sentences for word in each], np.int32), starts)
    return ExampleDataset(nothing, words).batch(np.arange(len(sentences)))


def mirrored(sentences: list[list[int]]) -> list[list[int]]:
    return [each[::-1] for each in sentences]


def begun(model: System, z: torch.Tensor):
    return model.steps(len(z)) if type(model).__name__ == "RNNLM" else model.steps(z)


def nll(model: System, sentences: list[list[int]], z: torch.Tensor) -> torch.Tensor:
    given = (batch_of(sentences).response, *([] if type(model).__name__ == "RNNLM" else [z]))
    return model.nll(*given, generator())


def codes(rows: int) -> torch.Tensor:
    return torch.randn(rows, LATENT, generator=generator(), dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("keep", [1.0, 0.0])
@pytest.mark.parametrize("name", NAMES)
def test_a_reversed_decoder_gives_reversed_sentences_the_likelihood_of_the_forward_one(name, keep):
    forward, backward = both(name, keep)
    z = codes(len(SENTENCES))
    assert_close(nll(backward, mirrored(SENTENCES), z), nll(forward, SENTENCES, z))
    if keep:
        assert bool((nll(backward, SENTENCES, z) != nll(forward, SENTENCES, z))[[0, 2, 3]].all())


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES[1:])
def test_the_encoder_reads_from_left_to_right_whatever_the_decoder_does(name):
    forward, backward = both(name)
    batch = batch_of(SENTENCES)
    assert_close(backward.code(batch), forward.code(batch))
    assert bool((backward.code(batch_of(mirrored(SENTENCES))) != forward.code(batch))[[0, 2, 3]].any(1).all())


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_the_end_tokens_share_is_that_of_the_last_step_in_both_directions(name):
    forward, backward = both(name)
    if name != "RNNLM":  # the same code of both, though the sentences differ
        for model in (forward, backward):
            model.recognition.weight.zero_()
    ends = [
        model.likelihood(batch_of(sentences), generator()).end
        for model, sentences in ((forward, SENTENCES), (backward, mirrored(SENTENCES)))
    ]
    assert_close(*ends)


@torch.no_grad()
@pytest.mark.parametrize("longest", [2, 9])  # sentences that are cut off have no end token
@pytest.mark.parametrize("name", NAMES)
def test_sentences_of_a_reversed_decoder_are_returned_in_reading_order(name, longest):
    forward, backward = both(name)
    if name == "SequenceAutoencoder":
        for model in (forward, backward):
            model.recognition.weight.zero_()
    batch, decode = batch_of(SENTENCES), Greedy(Ids(), longest)
    found = [model.generate(batch, decode, "none", generator()).tokens.tolist() for model in (forward, backward)]
    over = (Ids().end, Ids().pad)
    for one, other in zip(*found, strict=True):
        words = [word for word in one if word not in over]
        assert other == words[::-1] + one[len(words) :]


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_beam_of_a_reversed_decoder_finds_the_likeliest_sentence_with_the_known_words(name):
    model = model_of(name, "right_to_left").eval()
    known = [[5, 6, FREE, FREE], [9, FREE, Ids().end, Ids().pad], [7, 8, 9, FREE]]
    z = codes(len(known))
    barred = torch.zeros(VOCABULARY, dtype=torch.bool)
    barred[Ids().unknown] = True
    beam = Beam(Ids(), size=VOCABULARY**2, max_length=4, length_penalty=0.0)
    found = beam.n_best(begun(model, z), 1, model.decoder.turned(torch.tensor(known)), barred)
    sentences = model.decoder.turned(found.words)[:, 0].tolist()
    for row, (given, words) in enumerate(zip(known, sentences, strict=True)):
        length = given.index(Ids().end) if Ids().end in given else len(given)
        choices = [ALLOWED if word == FREE else [word] for word in given[:length]]
        every = [list(each) for each in itertools.product(*choices)]
        totals = nll(model, every, z[[row]].expand(len(every), -1))
        assert words[:length] == every[int(totals.argmin())]
        assert float(found.scores[row, 0]) == pytest.approx(-float(totals.min()))


def test_words_turned_twice_are_as_they_were():
    turned = model_of("RNNLM", "right_to_left").decoder.turned
    words = torch.tensor(
        [[[5, 6, 7], [8, Ids().end, Ids().pad]], [[9, 10, Ids().end], [Ids().end, Ids().pad, Ids().pad]]]
    )
    assert turned(words).tolist() == [
        [[7, 6, 5], [8, Ids().end, Ids().pad]],
        [[10, 9, Ids().end], [Ids().end, Ids().pad, Ids().pad]],
    ]
    assert torch.equal(turned(turned(words)), words)
    assert torch.equal(model_of("RNNLM").decoder.turned(words), words)


@pytest.mark.parametrize("z_input", [False, True])
def test_the_autoencoders_objective_and_gradients_are_those_of_loops_over_single_sentences(z_input):
    model, batch = model_of("SequenceAutoencoder", z_input=z_input).train(), batch_of(SENTENCES)
    weights = leaves(model)
    reference, values = Sentences(weights, 1.0, z_input), []
    zeros = torch.zeros(NETWORK.hidden, dtype=torch.float64)
    for example in examples_of(batch):
        last = lstm_states(weights, "encoder", reference.embedded(example.response), zeros, zeros)[-1]
        z = linear(weights, "recognition", last)
        values.append(torch.stack(reference.token_nll(example, z, NOTHING)).sum())
    found = model.objective(batch, 0.3, generator())
    assert_same_objective(model, found, average(values), {"nll": values}, weights)
    with torch.no_grad():
        measured = model.eval().likelihood(batch, generator())
    assert_same(measured.nll, values)
    assert (measured.kl, measured.bound) == (None, None)


@pytest.mark.parametrize("direction", ["left_to_right", "right_to_left"])
def test_a_trained_autoencoder_writes_each_sentence_again_from_its_code(direction):
    model, batch = model_of("SequenceAutoencoder", direction), batch_of(SENTENCES)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(150):
        optimiser.zero_grad()
        model.objective(batch, 1.0, generator()).loss.backward()
        optimiser.step()
    with torch.no_grad():
        written = model.eval().generate(batch, Greedy(Ids(), 7), "none", generator()).tokens
        own = model.latent_use(batch, batch.response, generator())
    assert [row[: row.index(Ids().end)] for row in written.tolist()] == SENTENCES
    assert_close(own, torch.zeros_like(own))
