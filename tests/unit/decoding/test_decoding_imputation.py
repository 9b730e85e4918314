"""Unknown words in the middle of known ones: the search against enumeration, and its one pass against single steps."""

from itertools import product

import pytest
import torch

from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.decoding.beam import FREE, Beam
from pipeline_lib.decoding.imputation import complete
from pipeline_lib.examples.batch import Response
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ids import Ids
from unit.model_fixtures import SmallUnits, generator

IDS = Ids()
WORDS = range(4, 9)  # five words after the four other tokens
BARRED = torch.tensor([True] * 4 + [False] * len(WORDS))
NETWORK = LanguageModel(embedding=4, hidden=5, latent=3, initial_range=1.5)


def model_of() -> System:
    torch.manual_seed(2)
    path = "pipeline_lib.models.sentence_vae:RNNLM"
    return create(path, {"direction": "right_to_left"}, SmallUnits(None, 9), NETWORK).double().eval()


def log_p(model: System, sentences: torch.Tensor) -> torch.Tensor:
    """log p of sentences in the order of the decoder, one by one, a step at a time."""
    found = []
    for words in sentences.tolist():
        steps, total = model.steps(1), 0.0
        for read, target in zip([IDS.start, *words], [*words, IDS.end], strict=True):
            total += float(steps.next(torch.tensor([read])).log_softmax(-1)[0, target])
        found.append(total)
    return torch.tensor(found, dtype=torch.float64)


def in_one_pass(model: System):
    def score(sentences: torch.Tensor, of_context: torch.Tensor) -> torch.Tensor:
        words = model.decoder.turned(sentences)
        one = words.new_ones(len(words), 1)
        inputs, targets = torch.cat([IDS.start * one, words], 1), torch.cat([words, IDS.end * one], 1)
        lengths = words.new_full((len(words),), targets.shape[1])
        return -model.nll(Response(inputs, targets, lengths), generator())

    return score


def best(model: System, known: list[int]) -> list[int]:
    """The likeliest sentence of all that agree with the known words."""
    choices = [list(WORDS) if word == FREE else [word] for word in known]
    sentences = torch.tensor(list(product(*choices)))
    return sentences[log_p(model, sentences).argmax()].tolist()


@pytest.mark.parametrize(
    "known",
    [
        [[FREE, FREE, FREE], [FREE, FREE, FREE]],
        [[FREE, FREE, 5, 8], [FREE, FREE, 4, 4]],
        [[6, FREE, 7, FREE, 5], [FREE, 8, FREE, 4, 4]],
    ],
    ids=["no suffix", "forced suffix", "anywhere"],
)
def test_a_beam_that_holds_everything_finds_what_enumeration_finds(known):
    model = model_of()
    beam = Beam(IDS, len(WORDS) ** 3, max_length=0)
    with torch.no_grad():
        found = complete(beam, model.steps(len(known)), torch.tensor(known), BARRED, in_one_pass(model))
        assert found.tolist() == [best(model, words) for words in known]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_one_pass_over_the_known_words_takes_what_single_steps_take(size):
    model = model_of()
    known = torch.tensor([[FREE, FREE, a, b, a] for a in WORDS for b in WORDS])
    beam = Beam(IDS, size, max_length=5)
    with torch.no_grad():
        found = complete(beam, model.steps(len(known)), known, BARRED, in_one_pass(model))
        step_by_step = beam(model.steps(len(known)), known, BARRED)
    assert found.tolist() == step_by_step.tolist()


def test_known_words_at_the_end_take_no_step_of_the_search():
    model, steps = model_of(), []
    known = torch.tensor([[6, FREE, 7, 5, 4, 8]])
    started = model.steps(1)
    one_step = started.next
    started.next = lambda words: steps.append(words) or one_step(words)
    with torch.no_grad():
        complete(Beam(IDS, 2, max_length=0), started, known, BARRED, in_one_pass(model))
    assert len(steps) == 2  # as far as the unknown word


def test_a_beam_of_one_takes_the_likeliest_word_at_each_unknown_position():
    model, known = model_of(), torch.tensor([[FREE, FREE, FREE, 6]])
    with torch.no_grad():
        steps, words = model.steps(1), [IDS.start]
        for _ in range(3):
            logits = steps.next(torch.tensor(words[-1:])).masked_fill(BARRED, -torch.inf)
            words.append(int(logits.argmax()))
        found = complete(Beam(IDS, 1, max_length=0), model.steps(1), known, BARRED, in_one_pass(model))
    assert found.tolist() == [[*words[1:], 6]]


def test_a_beam_with_more_places_than_there_are_words_gives_none_that_is_barred_or_not_forced():
    model, known = model_of(), torch.tensor([[7, FREE, 5], [4, FREE, 4]])
    with torch.no_grad():
        found = complete(Beam(IDS, 50, max_length=0), model.steps(2), known, BARRED, in_one_pass(model))
        assert found.tolist() == [best(model, words) for words in known.tolist()]


def test_a_sentence_of_known_words_stays_as_it_is():
    known = torch.tensor([[7, 6, 5]])
    assert complete(Beam(IDS, 3, max_length=0), model_of().steps(1), known, BARRED, lambda *_: known) is known
