"""BLEU against NLTK, against the formulas of NLTK 3.4.3 written out, against values of NLTK 3.5, in closed cases."""

import math
import zipfile
from collections import Counter

import numpy as np
import pytest

from pipeline_lib.metrics.bleu import Bleu1, Bleu2, Bleu3, Bleu4
from pipeline_lib.metrics.corpus_bleu import CorpusBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.ngrams import ORDERS

CUMULATIVE = {n: [1 / n] * n + [0] * (4 - n) for n in range(1, 5)}
ONEHOT = {n: [float(i == n - 1) for i in range(4)] for n in range(1, 5)}
WEIGHTS = {"cumulative": CUMULATIVE, "onehot": ONEHOT}

# What NLTK 3.5 returned: sentence_bleu([reference.split()], response.split(), weights, SmoothingFunction().method7)
# with the weights of BLEU-1 to BLEU-4, cumulative, then with those of orders 2 to 4 alone. Keys: response|reference.
NLTK_3_5 = {
    "a b c d e f g|a b c d e f g": [
        *(1.333333333333, 1.217161238900, 1.153887578189, 1.116747096418),
        *(1.111111111111, 1.037037037037, 1.012345679012),
    ],
    "the cat sat on the mat|a cat is on a mat": [
        *(0.919370208850, 0.938669069220, 1.062692561849, 1.071269167861),
        *(0.958373039530, 1.362065233435, 1.097416537007),
    ],
    "the cat|the dog sat down": [
        *(1.252442516877, 1.788671969827, 2.178994472194, 2.215888355206),
        *(2.554486431540, 3.233754030543, 2.330360527057),
    ],
    "the cat sat|the cat": [
        *(0.944444444444, 1.586551640432, 2.414086024001, 2.801795110418),
        *(2.665213525860, 5.589201930709, 4.380132687948),
    ],
    "one two three four|four three two one": [
        *(1.511859733580, 1.717129448054, 2.235077071329, 2.493904546336),
        *(1.950269245144, 3.786791882826, 3.464509828349),
    ],
    "w a|a b c d e f": [
        *(0.460747853208, 0.658015644699, 0.801607268746, 0.815179769811),
        *(0.939743040915, 1.189631625642, 0.857291728422),
    ],
    "a a a a a|a b": [
        *(0.808889556067, 0.976673915817, 1.235744173193, 1.333806703137),
        *(1.179261038400, 1.978274421910, 1.677203919436),
    ],
    "x y a z|p q a r s t u": [
        *(0.477968694209, 0.634582865134, 0.892009595142, 1.036753412724),
        *(0.842514201455, 1.762511241375, 1.627771035800),
    ],
    "a b c x y z|a b c d e f": [
        *(0.800000000000, 0.621825270206, 0.700202552469, 0.753570017147),
        *(0.483333333333, 0.887839236973, 0.939341204853),
    ],
    "a b c d e x|a b c d e y z": [
        *(0.978156659874, 0.864133022762, 0.787570369056, 0.719057963814),
        *(0.763401111151, 0.654194518249, 0.547252176874),
    ],
}

BLEU = {1: Bleu1, 2: Bleu2, 3: Bleu3, 4: Bleu4}


def random_texts(n, rng, shortest=0, longest=12, words=9):
    return [" ".join(f"w{i}" for i in rng.integers(0, words, rng.integers(shortest, longest + 1))) for _ in range(n)]


def score(metric, references, responses):
    return metric(Items.of([""] * len(responses), references, responses))


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(7)
    return random_texts(3000, rng, shortest=1), random_texts(3000, rng)


def legacy_bleu(reference, response, weights):
    """The rule of NLTK 3.4.3 for one reference, one line of the formula at a time."""
    if len(response) <= 1:
        return 0.0
    precisions = []
    for n in range(1, ORDERS + 1):
        found = Counter(tuple(response[i : i + n]) for i in range(len(response) - n + 1))
        there = Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
        precisions.append([sum(min(c, there[g]) for g, c in found.items()), max(1, sum(found.values()))])
    if precisions[0][0] == 0:
        return 0.0
    p = [a / b for a, b in precisions]
    for i in range(4):
        if precisions[i][0] == 0:
            p[i] = 1 / (i + 5 / math.log(len(response)))
    m = p[0] + 1
    logs = []
    for i in range(4):
        m = (m + p[i] + p[i + 1]) / 3
        logs.append(math.log(m))
    penalty = 1.0 if len(response) > len(reference) else math.exp(1 - len(reference) / len(response))
    return penalty * math.exp(sum(w * x for w, x in zip(weights, logs, strict=True)))


@pytest.mark.parametrize("weights", ["cumulative", "onehot"])
def test_current_smoothing_is_what_nltk_computes(examples, weights):
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    references, responses = examples
    orders = [WEIGHTS[weights][n] for n in range(1, 5)]
    method7 = SmoothingFunction().method7
    expected = np.zeros((len(responses), 4))
    for i, (reference, response) in enumerate(zip(references, responses, strict=True)):
        if len(response.split()) > 1:
            expected[i] = sentence_bleu([reference.split()], response.split(), orders, method7)
    found = [score(BLEU[n]("current", weights), references, responses).per_item for n in range(1, 5)]
    np.testing.assert_allclose(np.column_stack(found), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weights", ["cumulative", "onehot"])
def test_legacy_smoothing_follows_the_formulas_of_nltk_3_4_3(examples, weights):
    references, responses = examples
    for n in range(1, 5):
        expected = [
            legacy_bleu(a.split(), b.split(), WEIGHTS[weights][n]) for a, b in zip(references, responses, strict=True)
        ]
        found = score(BLEU[n]("legacy", weights), references, responses).per_item
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pair", NLTK_3_5)
def test_inverted_smoothing_gives_the_values_of_nltk_3_5(pair):
    response, reference = pair.split("|")
    variants = [(n, "cumulative") for n in range(1, 5)] + [(n, "onehot") for n in range(2, 5)]
    found = [score(BLEU[n]("inverted", weights), [reference], [response]).mean for n, weights in variants]
    np.testing.assert_allclose(found, NLTK_3_5[pair], rtol=0, atol=1e-11)


def test_a_short_response_with_one_common_word_exceeds_one_under_inverted_smoothing_alone():
    found = {
        smoothing: score(BLEU[4](smoothing, "cumulative"), ["the dog sat down"], ["the cat"]).mean
        for smoothing in ("legacy", "inverted", "current")
    }
    assert found["inverted"] > 2
    assert max(found["legacy"], found["current"]) < 1


@pytest.mark.parametrize("smoothing", ["legacy", "inverted", "current"])
def test_identical_sentences_score_above_one(smoothing):
    text = ["the cat sat on the mat today"]
    for n, expected in enumerate([1.333, 1.217, 1.154, 1.117], start=1):
        assert score(BLEU[n](smoothing, "cumulative"), text, text).mean == pytest.approx(expected, abs=5e-4)


def test_the_nearest_of_several_references_sets_the_brevity_penalty_and_the_best_count_the_clip():
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    rng = np.random.default_rng(3)
    responses = random_texts(400, rng, shortest=2)
    references = [random_texts(int(rng.integers(1, 5)), rng, shortest=1) for _ in responses]
    found = score(BLEU[4]("current", "cumulative"), references, responses).per_item
    expected = [
        sentence_bleu([r.split() for r in several], one.split(), smoothing_function=SmoothingFunction().method7)
        for several, one in zip(references, responses, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("response", ["", "a", "x y z"])
def test_an_empty_a_one_word_and_a_disjoint_response_score_zero(response):
    for smoothing in ("legacy", "inverted", "current"):
        assert score(BLEU[1](smoothing, "cumulative"), ["a b c"], [response]).mean == 0


def test_empty_responses_are_counted():
    assert score(BLEU[1]("legacy", "onehot"), ["a", "b", "c"], ["", "b c", ""]).n_empty == 2


def test_corpus_bleu_is_what_nltk_computes(examples):
    from nltk.translate.bleu_score import corpus_bleu

    references, responses = examples
    kept = [(a, b) for a, b in zip(references, responses, strict=True) if len(b.split()) > 4]
    found = score(CorpusBleu(), [a for a, _ in kept], [b for _, b in kept])
    assert found.mean == pytest.approx(
        corpus_bleu([[a.split()] for a, _ in kept], [b.split() for _, b in kept]), abs=1e-12
    )


def test_corpus_bleu_of_responses_without_a_four_gram_in_common_is_zero():
    assert score(CorpusBleu(), ["a b c d e"], ["a b c x"]).mean == 0
    assert score(CorpusBleu(), ["a b c d e"], [""]).mean == 0


def test_random_responses_to_real_contexts_score_near_the_known_floor(real_data):
    """Floor of 1,500 random DailyDialog test responses: BLEU-1 0.263 now and 0.321 under 3.4.3, BLEU-4 0.060, 0.180."""
    with zipfile.ZipFile(real_data("dailydialog/test.zip")) as archive:
        name = next(n for n in archive.namelist() if n.endswith("dialogues_test.txt"))
        lines = archive.read(name).decode().lower().splitlines()
    turns = [turn.strip() for line in lines for turn in line.split("__eou__")[1:] if turn.strip()]
    references = [turn for turn in turns if len(turn.split()) <= 20][:1500]
    shuffled = [references[i] for i in np.random.default_rng(0).permutation(len(references))]
    for smoothing, floors in (("current", (0.263, 0.060)), ("legacy", (0.321, 0.180))):
        found = [score(BLEU[n](smoothing, "cumulative"), references, shuffled).mean for n in (1, 4)]
        np.testing.assert_allclose(found, floors, atol=0.03)
