"""Decoding strategies against enumeration, plain loops, softmax probabilities and the greedy decoder of before."""

import itertools
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch.nn import functional as F
from torch.testing import assert_close

from pipeline_lib.config import decoding as settings_of
from pipeline_lib.decoding.beam import FREE, Beam
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.sampling import Sampling
from pipeline_lib.decoding.steps import word_lengths
from pipeline_lib.models.layers.recurrent import Decoder, DecoderSteps
from pipeline_lib.responses.generate import DECODING
from pipeline_lib.stage.kinds import load
from pipeline_lib.text.ids import Ids

PAD, UNKNOWN, START, END, A, B, C, D = range(8)
IDS = Ids(pad=PAD, start=START, end=END)
WORDS = (UNKNOWN, A, B, C, D)  # all that a sentence can hold
HOLDS_ALL = len(WORDS) ** 4  # the size of a beam that prunes nothing up to four words


class Toy:
    """A random recurrent network over 8 tokens, in float64. What it expects next depends on all words before."""

    def __init__(self, seed=0, contexts=3, sharpness=3.0):
        random = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return torch.randn(*shape, generator=random, dtype=torch.float64)

        self.embeddings, self.recurrent, self.output = draw(8, 6), draw(6, 6), sharpness * draw(6, 8)
        self.contexts = draw(contexts, 6)

    def read(self, state, words):
        """(R, 6) and (R,) words -> (R, 6)."""
        return torch.tanh(state @ self.recurrent + self.embeddings[words])

    def log_probability(self, context, sentences):
        """Log p of each of the (N, T) ``sentences`` and the end after them, (N,)."""
        state = self.contexts[context].expand(len(sentences), -1)
        total = torch.zeros(len(sentences), dtype=torch.float64)
        read = torch.full((len(sentences),), START)
        for words in [*sentences.T, torch.full_like(read, END)]:
            state = self.read(state, read)
            total += F.log_softmax(state @ self.output, -1)[torch.arange(len(sentences)), words]
            read = words
        return total


class CachedSteps:
    """Steps that keep the network's state."""

    def __init__(self, toy, contexts=slice(None)):
        self.toy, self.state = toy, toy.contexts[contexts]
        self.device = self.state.device

    @property
    def rows(self):
        return len(self.state)

    def next(self, words):
        self.state = self.toy.read(self.state, words)
        return self.state @ self.toy.output

    def keep(self, rows):
        self.state = self.state[rows]


class UncachedSteps(CachedSteps):
    """Steps that read all words again at every position."""

    def __init__(self, toy, contexts=slice(None)):
        super().__init__(toy, contexts)
        self.words = torch.empty(self.rows, 0, dtype=torch.int64)

    def next(self, words):
        self.words = torch.cat([self.words, words.unsqueeze(1)], 1)
        state = self.state
        for read in self.words.T:
            state = self.toy.read(state, read)
        return state @ self.toy.output

    def keep(self, rows):
        super().keep(rows)
        self.words = self.words[rows]


class TableSteps:
    """The same logits (V, V), by the last word, in every row."""

    def __init__(self, logits, rows):
        self.logits, self.rows, self.device = logits, rows, logits.device

    def next(self, words):
        return self.logits[words]

    def keep(self, rows):
        self.rows = len(rows)


def sentence(row):
    """Words of a row before its end; whatever follows the end must be padding."""
    words = row.tolist()
    length = int(word_lengths(row.unsqueeze(0), IDS)[0])
    assert words[length:] in ([], [END] + [PAD] * (len(words) - length - 1))
    return tuple(words[:length])


def ranking(found, context):
    """[(words, score)] of the hypotheses of one context."""
    places = zip(found.words[context], found.scores[context], strict=True)
    return [(sentence(row), float(score)) for row, score in places if score > -torch.inf]


def assert_same_ranking(ours, expected):
    assert [words for words, _ in ours] == [words for words, _ in expected]
    assert_close(torch.tensor([s for _, s in ours]), torch.tensor([s for _, s in expected]))


# Greedy


@pytest.mark.parametrize("constant", [0, 3])
def test_a_decoder_goes_on_with_the_hypotheses_that_are_kept(constant):
    torch.manual_seed(constant)
    decoder = Decoder(6 + constant, 16, layers=2, vocabulary_size=40, condition_size=5)
    embeddings, condition = torch.randn(40, 6), torch.randn(4, 5)
    beside = torch.randn(4, constant) if constant else None
    kept = torch.tensor([2, 2, 0])
    first, second = torch.tensor([4, 5, 6, 7]), torch.tensor([8, 9, 10])
    with torch.no_grad():
        steps = DecoderSteps(decoder, embeddings, condition, beside)
        steps.next(first)
        steps.keep(kept)
        found = steps.next(second)
        inputs = embeddings[torch.stack([first[kept], second], 1)]
        if beside is not None:
            inputs = torch.cat([inputs, beside[kept].unsqueeze(1).expand(-1, 2, -1)], -1)
        whole = decoder.output(decoder(inputs, condition[kept]))[:, -1]
    assert steps.rows == 3
    assert_close(found, whole)


class CountedSteps(CachedSteps):
    """Steps that count the hypotheses which the network continues."""

    read = 0

    def next(self, words):
        self.read += len(words)
        return super().next(words)


@pytest.mark.parametrize("strategy", ["greedy", "sampling"])
def test_hypotheses_that_have_ended_are_left_out_and_the_words_are_those_of_each_alone(strategy):
    toy = Toy(3, contexts=64)

    def decoded(steps):
        if strategy == "greedy":
            return Greedy(IDS, 12)(steps)
        return Sampling(IDS, 12, 1.0, (torch.Generator().manual_seed(5),))(steps)

    steps = CountedSteps(toy)
    found = decoded(steps)
    lengths = word_lengths(found, IDS)
    assert found.shape[1] == min(12, int(lengths.max()) + 1)
    assert len(lengths.unique()) > 3
    assert int(lengths.sum()) < steps.read < 0.7 * found.numel()
    plain = CachedSteps(toy)  # every hypothesis is continued to the last position
    plain.keep = lambda rows: pytest.fail("nothing has to be left out")
    noise = torch.rand(64, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    word, ended = torch.full((64,), START), torch.zeros(64, dtype=torch.bool)
    for position in range(found.shape[1]):
        logits = plain.next(word)
        logits[:, [PAD, START]] = -torch.inf
        if strategy == "greedy":
            word = logits.argmax(1)
        else:
            cumulative = logits.softmax(1, dtype=torch.float64).cumsum(1)
            word = (cumulative <= noise[:, position, None] * cumulative[:, -1:]).sum(1)
        word = word.masked_fill(ended, PAD)
        assert torch.equal(found[:, position], word)
        ended |= word == END


# Beam


def every_sentence(toy, context, longest):
    """{words: log p} of all sentences of at most ``longest`` words."""
    found = {}
    for length in range(longest + 1):
        sentences = list(itertools.product(WORDS, repeat=length))
        words = torch.tensor(sentences, dtype=torch.int64)
        found |= dict(zip(sentences, toy.log_probability(context, words).tolist(), strict=True))
    return found


def ranked(log_probabilities, length_penalty, n):
    scores = [(words, log_p / (len(words) + 1) ** length_penalty) for words, log_p in log_probabilities.items()]
    return sorted(scores, key=lambda entry: -entry[1])[:n]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(("shortest", "barred"), [(0, ()), (2, ()), (4, ()), (0, (UNKNOWN, B)), (1, (A, D))])
def test_a_beam_over_everything_finds_what_enumeration_finds(length_penalty, shortest, barred):
    toy = Toy()
    mask = torch.isin(torch.arange(8), torch.tensor(barred)) if barred else None
    beam = Beam(IDS, HOLDS_ALL, max_length=4, min_length=shortest, length_penalty=length_penalty)
    found = beam.n_best(CachedSteps(toy), 10, barred=mask)
    best = beam(CachedSteps(toy), barred=mask)
    for context in range(3):
        sentences = every_sentence(toy, context, 4)
        allowed = {s: p for s, p in sentences.items() if len(s) >= shortest and not set(s) & set(barred)}
        expected = ranked(allowed, length_penalty, 10)
        assert_same_ranking(ranking(found, context), expected)
        assert sentence(best[context]) == expected[0][0]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("barred", [(), (UNKNOWN, B)])
def test_a_beam_over_everything_with_forced_words_finds_what_enumeration_finds(length_penalty, barred):
    toy = Toy()
    forced = torch.tensor([[FREE, B, FREE, A], [D, FREE, FREE, FREE], [FREE, FREE, C, END]])
    mask = torch.isin(torch.arange(8), torch.tensor(barred)) if barred else None
    beam = Beam(IDS, HOLDS_ALL, max_length=1, min_length=1, length_penalty=length_penalty)  # these do not apply
    found = beam.n_best(CachedSteps(toy), 10, forced, mask)
    assert found.words.shape == (3, 10, 4)

    def admitted(words, pattern):
        return len(words) == len(pattern) and all(
            word not in barred if wanted == FREE else word == wanted
            for word, wanted in zip(words, pattern, strict=True)
        )

    for context, pattern in enumerate(forced.tolist()):
        pattern = [word for word in pattern if word != END]
        allowed = {s: p for s, p in every_sentence(toy, context, 4).items() if admitted(s, pattern)}
        assert_same_ranking(ranking(found, context), ranked(allowed, length_penalty, 10))


def plain_beam(toy, context, beam, n, pattern=None):
    """The search for one context in lists, to the last position: the n best [(words, score)]."""
    longest = len(pattern) if pattern else beam.max_length
    growing, ended = [((), 0.0)], []
    for position in range(longest + 1):
        if position == longest:
            choices = (END,)
        elif pattern:
            choices = WORDS if pattern[position] == FREE else (pattern[position],)
        else:
            choices = (*WORDS, END) if position >= beam.min_length else WORDS
        continuations = []
        for words, total in growing:
            state = toy.contexts[context : context + 1]
            for word in (START, *words):
                state = toy.read(state, torch.tensor([word]))
            log_p = F.log_softmax(state @ toy.output, -1)[0].tolist()
            continuations += [((*words, word), total + log_p[word]) for word in choices]
        kept = sorted(continuations, key=lambda entry: -entry[1])[: beam.size]
        growing = [entry for entry in kept if entry[0][-1] != END]
        ended += [(words[:-1], p / len(words) ** beam.length_penalty) for words, p in kept if words[-1] == END]
    return sorted(ended, key=lambda entry: -entry[1])[:n]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_small_beams_find_what_a_plain_search_to_the_last_position_finds(size, length_penalty):
    for seed in range(6):
        toy = Toy(seed, sharpness=1.0)
        beam = Beam(IDS, size, max_length=7, min_length=seed % 3, length_penalty=length_penalty)
        several, best = beam.n_best(CachedSteps(toy), 3), beam.n_best(CachedSteps(toy), 1)
        for context in range(3):
            expected = plain_beam(toy, context, beam, 3)
            assert_same_ranking(ranking(several, context), expected)
            assert_same_ranking(ranking(best, context), expected[:1])


def test_imputed_words_are_ranked_by_the_whole_sentence():
    """The unknown words come first: the beam finds some, reads the known words after each, and ranks the totals."""
    pattern = [FREE, FREE, C, A, A, D, UNKNOWN, B]
    reordered = 0
    for seed in range(6):
        toy = Toy(seed, sharpness=1.0)
        beam = Beam(IDS, 6, max_length=8, length_penalty=0.0)
        found = beam.n_best(CachedSteps(toy), 6, forced=torch.tensor([pattern] * 3))
        for context in range(3):
            expected = plain_beam(toy, context, beam, 6, pattern)
            assert_same_ranking(ranking(found, context), expected)
            assert len(expected) == 6  # no hypothesis is lost on the way
            whole = torch.tensor([words for words, _ in expected])
            assert_close(found.scores[context], toy.log_probability(context, whole))
            reordered += plain_beam(toy, context, beam, 1, pattern[:2])[0][0] != expected[0][0][:2]
    assert reordered  # what is likeliest alone is not always likeliest before the known words


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_of_one_gives_the_greedy_words(length_penalty):
    lengths = set()
    for seed in range(20):
        toy = Toy(seed, contexts=10)
        greedy = Greedy(IDS, 6)(CachedSteps(toy))
        beam = Beam(IDS, 1, max_length=6, length_penalty=length_penalty)(CachedSteps(toy))
        assert [sentence(row) for row in beam] == [sentence(row) for row in greedy]
        lengths |= set(word_lengths(greedy, IDS).tolist())
    assert lengths == set(range(7))


def test_cached_states_give_the_beam_of_states_computed_afresh():
    for seed in range(5):
        toy = Toy(seed, contexts=4, sharpness=1.0)
        beam = Beam(IDS, 5, max_length=9, min_length=3)
        cached, uncached = beam.n_best(CachedSteps(toy), 5), beam.n_best(UncachedSteps(toy), 5)
        assert torch.equal(cached.words, uncached.words)
        assert_close(cached.scores, uncached.scores)


@pytest.mark.parametrize("is_forced", [False, True])
def test_contexts_whose_search_is_over_are_left_out_and_find_what_each_finds_alone(is_forced):
    toy, beam, forced = Toy(8, contexts=64), Beam(IDS, 4, max_length=30, length_penalty=0.0), [None] * 64
    if is_forced:  # each sentence has 2 to 9 words, of which the second is known
        forced = [torch.tensor([[FREE, A, *[FREE] * (row % 8), END, *[PAD] * (7 - row % 8)]]) for row in range(64)]
    steps, alone = CountedSteps(toy), [CountedSteps(toy, [row]) for row in range(64)]
    together = beam.n_best(steps, 2, torch.cat(forced) if is_forced else None)
    for row, own in enumerate(alone):
        assert_same_ranking(ranking(together, row), ranking(beam.n_best(own, 2, forced[row]), 0))
    continued = [own.read for own in alone]
    assert sum(continued) < steps.read < 0.8 * 64 * max(continued)


def test_places_for_which_there_is_no_sentence_are_padding():
    barred = ~torch.isin(torch.arange(8), torch.tensor([A, END]))
    found = Beam(IDS, 4, max_length=2).n_best(CachedSteps(Toy()), 5, barred=barred)
    assert {words for words, _ in ranking(found, 0)} == {(), (A,), (A, A)}
    assert found.scores[0, 3:].tolist() == [-torch.inf] * 2
    assert found.words[0, 3:].unique().tolist() == [PAD]


@given(
    seed=st.integers(0, 2**20),
    size=st.integers(1, 9),
    lengths=st.tuples(st.integers(0, 6), st.integers(1, 6)).map(sorted),
    length_penalty=st.sampled_from([0.0, 0.5, 1.0]),
    barred=st.sets(st.sampled_from(WORDS), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_every_hypothesis_has_the_score_of_its_sentence_and_obeys_the_limits(
    seed, size, lengths, length_penalty, barred
):
    toy = Toy(seed)
    shortest, longest = lengths
    beam = Beam(IDS, size, max_length=longest, min_length=shortest, length_penalty=length_penalty)
    found = beam.n_best(CachedSteps(toy), size, barred=torch.tensor([word in barred for word in range(8)]))
    for context in range(3):
        existing = [entry for entry in ranking(found, context) if entry[1] > -torch.inf]
        assert existing
        assert len({words for words, _ in existing}) == len(existing)
        assert [score for _, score in existing] == sorted((score for _, score in existing), reverse=True)
        for words, score in existing:
            assert shortest <= len(words) <= longest
            assert not set(words) & (barred | {PAD, START, END})
            own = toy.log_probability(context, torch.tensor([words], dtype=torch.int64))
            assert_close(score, float(own) / (len(words) + 1) ** length_penalty)


# Sampling


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampled_words_are_as_frequent_as_the_model_says(temperature):
    rows, vocabulary = 40_000, 6  # four words can be drawn: unknown, end, A, B
    logits = torch.randn(vocabulary, vocabulary, generator=torch.Generator().manual_seed(1))
    drawn = Sampling(IDS, 2, temperature, (torch.Generator().manual_seed(2),))(TableSteps(logits, rows))
    possible = logits.double() / temperature
    possible[:, [PAD, START]] = -torch.inf
    first, after = possible[START].softmax(-1), possible.softmax(-1)
    for one in (UNKNOWN, END, A, B):
        counted = [((drawn[:, 0] == one), float(first[one]))]
        if one != END:
            counted += [
                ((drawn[:, 0] == one) & (drawn[:, 1] == other), float(first[one] * after[one, other]))
                for other in (UNKNOWN, END, A, B)
            ]
        for hits, p in counted:
            assert abs(float(hits.double().mean()) - p) < 4 * (p * (1 - p) / rows) ** 0.5
    assert drawn[drawn[:, 0] == END, 1].unique().tolist() == [PAD]
    assert not torch.isin(drawn[:, 0], torch.tensor([PAD, START])).any()


def test_a_generator_of_the_same_seed_draws_the_same_words():
    toy = Toy(contexts=50)
    drawn = [Sampling(IDS, 8, 1.0, (torch.Generator().manual_seed(s),))(CachedSteps(toy)) for s in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_call_draws_the_same_amount_however_soon_the_responses_end():
    logits = torch.zeros(8, 8)
    logits[:, END] = 100.0
    ending, going_on = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    assert Sampling(IDS, 9, 1.0, (ending,))(TableSteps(logits, 4)).shape == (4, 1)
    assert Sampling(IDS, 9, 1.0, (going_on,))(TableSteps(-logits, 4)).shape == (4, 9)
    assert torch.equal(ending.get_state(), going_on.get_state())


def test_rows_of_several_generators_are_drawn_as_each_generator_draws_them_alone():
    toy = Toy(seed=2, contexts=15)
    generators = [torch.Generator().manual_seed(seed) for seed in (4, 5, 6)]
    together = Sampling(IDS, 8, 1.0, tuple(generators))(CachedSteps(toy, [*range(15)] * 3))
    alone = [Sampling(IDS, 8, 1.0, (torch.Generator().manual_seed(seed),))(CachedSteps(toy)) for seed in (4, 5, 6)]
    for one, other in zip(together.chunk(3), alone, strict=True):
        assert [sentence(row) for row in one] == [sentence(row) for row in other]


# All strategies


STRATEGIES = {
    "greedy": lambda generator: Greedy(IDS, 9),
    "sampling": lambda generator: Sampling(IDS, 9, 1.0, (generator,)),
    "beam": lambda generator: Beam(IDS, 3, max_length=9),
    "beam, forced": lambda generator: partial(Beam(IDS, 3, 9, length_penalty=0.0), forced=torch.tensor([[FREE, A, C]])),
}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_rows_do_not_depend_on_one_another(kind):
    """Responses of a batch, of different lengths, are those of the rows decoded one at a time, one after the other."""
    toy = Toy(seed=4, contexts=20)
    together = STRATEGIES[kind](torch.Generator().manual_seed(7))(CachedSteps(toy))
    decode = STRATEGIES[kind](torch.Generator().manual_seed(7))
    alone = [decode(CachedSteps(toy, [row])) for row in range(20)]
    assert [sentence(row) for row in together] == [sentence(row[0]) for row in alone]
    if "forced" not in kind:
        assert len(set(word_lengths(together, IDS).tolist())) > 2


@pytest.mark.parametrize("kind", STRATEGIES)
def test_after_the_end_there_is_only_padding(kind):
    words = STRATEGIES[kind](torch.Generator().manual_seed(7))(CachedSteps(Toy(contexts=30)))
    assert words.shape[1] <= 9
    for row in words:
        assert not set(sentence(row)) & {PAD, START, END}


# Settings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"kind": "greedy"}, Greedy(IDS, 25)),
        ({"kind": "beam", "size": 4, "min_length": 5, "max_length": 20}, Beam(IDS, 4, 20, 5, 1.0)),
        ({"kind": "beam", "size": 15, "length_penalty": 0.0}, Beam(IDS, 15, 25, 0, 0.0)),
    ],
)
def test_settings_name_the_strategy(written, expected):
    read = TypeAdapter(settings_of.Decoding).validate_python(written)
    assert load(DECODING, read.kind, "strategy").strategy(read, IDS, [torch.Generator()]) == expected


def test_sampling_draws_from_the_generator_of_the_caller():
    generator = torch.Generator()
    read = TypeAdapter(settings_of.Decoding).validate_python({"kind": "sampling", "temperature": 0.5, "max_length": 3})
    assert load(DECODING, read.kind, "strategy").strategy(read, IDS, [generator]) == Sampling(IDS, 3, 0.5, (generator,))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"kind": "greedy", "size": 4}, r"size\s+Extra inputs"),
        ({"kind": "beam", "size": 0}, r"size\s+Input should be greater than 0"),
        ({"kind": "beam", "min_length": 6, "max_length": 5}, "min_length"),
        ({"kind": "beam", "length_penalty": -1.0}, r"length_penalty\s+Input should be greater than or equal to 0"),
        ({"kind": "sampling", "temperature": 0.0}, r"temperature\s+Input should be greater than or equal to 0.01"),
        ({"kind": "nucleus"}, "'nucleus'"),
        ({"size": 4}, r"greedy\.size"),
    ],
)
def test_settings_of_no_strategy_are_refused(written, problem):
    with pytest.raises(ValidationError, match=problem):
        TypeAdapter(settings_of.Decoding).validate_python(written)
