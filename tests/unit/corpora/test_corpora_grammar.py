"""Generated sentences and what is exactly known of them, against plain enumeration and counts of drawn sentences."""

import hashlib
import json
import math
import random
import re
from collections import Counter, defaultdict
from importlib import resources
from itertools import product
from pathlib import Path
from string import Formatter
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar import draw, generate, read
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import SentenceGrammar, Topic, grammar_of, templates_of
from pipeline_lib.corpora.grammar_truth import positions
from pipeline_lib.corpora.positional import END, positional_losses
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.text.tokenisers.english import tokenise_array
from reference.grammar import ambiguous, entropy, floor
from reference.positional import count_positions, positional_optimum, unigram_optimum, without_end

Sentence = tuple[str, ...]

ROOT = Path(__file__).parents[3]

DEFAULT = Grammar()
FULL = Grammar(topics=16, words_per_slot=None)
TOY = Grammar(topics=2, words_per_slot=2)
LISTS = {"old": "things", "thing": "things", "action": "actions", "quality": "qualities", "place": "places"}
LISTS |= {"person": "people", "time": "times"}


# --- the language, enumerated without the code under test -------------------------------------------------------------


def written(topic: dict[str, list[str]], template: str) -> list[str]:
    """Every sentence of a template as a person would write it."""
    slots = [slot for _, slot, _, _ in Formatter().parse(template) if slot]
    texts = []
    for chosen in product(*(topic[LISTS[slot.lower()]] for slot in slots)):
        filling = dict(zip(slots, chosen, strict=True))
        if filling["old"] != filling["thing"]:
            text = template.format(**filling)
            texts.append(re.sub(r"\b([Aa]) (?=[aeio]|u(?!s))", r"\1n ", text))
    return texts


def enumerated(topics: int, most: int | None) -> dict[Sentence, float]:
    """Probability of every sentence."""
    data = json.loads(resources.files("pipeline_lib.corpora").joinpath("templates.json").read_text())
    templates = [template for group in data["groups"] for template in group["templates"]]
    probabilities: defaultdict[Sentence, float] = defaultdict(float)
    for lists in list(data["topics"].values())[:topics]:
        topic = {name: items[:most] for name, items in (lists | {"times": data["times"]}).items()}
        for template in templates:
            texts = tokenise_array(pa.array(written(topic, template))).to_pylist()
            for text in texts:
                probabilities[tuple(text.split())] += 1 / (topics * len(templates) * len(texts))
    return probabilities


@pytest.fixture(scope="module")
def toy() -> dict[Sentence, float]:
    return enumerated(2, 2)


def drawn(settings: Grammar, count: int, seed: int = 5) -> list[list[str]]:
    grammar, rng = grammar_of(settings), random.Random(seed)
    return [draw(grammar, rng)[0] for _ in range(count)]


def words(text: str) -> list[str]:
    return text.split()


def rows(settings: Grammar) -> list[dict[str, Any]]:
    return [row for batch in generate(settings) for row in batch.to_pylist()]


# --- probabilities ----------------------------------------------------------------------------------------------------


def test_every_sentence_of_a_toy_language_has_its_enumerated_probability(toy: dict[Sentence, float]) -> None:
    parser = Parser(grammar_of(TOY))
    assert math.fsum(math.exp(parser.log_p(sentence)) for sentence in toy) == pytest.approx(1, abs=1e-12)
    for sentence, probability in toy.items():
        assert math.exp(parser.log_p(sentence)) == pytest.approx(probability, rel=1e-12)


def test_only_enumerated_sentences_are_drawn(toy: dict[Sentence, float]) -> None:
    counts = Counter(map(tuple, drawn(TOY, 20_000)))
    assert counts.keys() <= toy.keys()
    chi_squared = sum((counts[sentence] - 20_000 * p) ** 2 / (20_000 * p) for sentence, p in toy.items())
    assert abs(chi_squared - (len(toy) - 1)) < 4 * math.sqrt(2 * (len(toy) - 1))  # its mean and standard deviation


def test_the_entropy_is_that_of_the_enumerated_language(toy: dict[Sentence, float]) -> None:
    assert entropy(grammar_of(TOY)) == pytest.approx(-sum(p * math.log(p) for p in toy.values()), rel=1e-12)


@pytest.mark.parametrize(("settings", "nats"), [(DEFAULT, 11.340), (FULL, 14.440)])
def test_entropies_are_those_of_the_design_and_of_drawn_sentences(settings: Grammar, nats: float) -> None:
    grammar = grammar_of(settings)
    assert entropy(grammar) == pytest.approx(nats, abs=5e-4)
    sample = floor(Parser(grammar), drawn(settings, 4_000))
    assert abs(sample.mean - entropy(grammar)) < 4 * sample.standard_error
    assert sample.n == 4_000


@pytest.mark.parametrize("settings", [DEFAULT, FULL])
def test_no_sentence_is_ambiguous(settings: Grammar) -> None:
    grammar = grammar_of(settings)
    assert ambiguous(grammar) == {}
    parser = Parser(grammar)
    assert {len(parser.parses(sentence)) for sentence in drawn(settings, 2_000)} == {1}


def test_an_ambiguous_sentence_has_the_probability_of_all_its_parses() -> None:
    """Two topics share things, and two templates share a form; times differ in length."""
    topics = [
        Topic("one", {"old": (("a1",), ("b",)), "thing": (("a1",), ("b",)), "time": (("now",), ("right", "now"))}),
        Topic("two", {"old": (("b",), ("a1",), ("c",)), "thing": (("b",), ("a1",), ("c",)), "time": (("now",),)}),
    ]
    templates = templates_of([["The {old} and the {thing} {time}."], ["The {thing} and the {old} {time}.", "A {old}."]])
    grammar = SentenceGrammar(tuple(topics), templates)
    language: defaultdict[Sentence, float] = defaultdict(float)
    for topic, template in product(topics, templates):
        sentences = [tuple(template.fill(filling)) for filling in topic.fillings(template)]
        for sentence in sentences:
            language[sentence] += 1 / (2 * 3 * len(sentences))

    parser = Parser(grammar)
    for sentence, probability in language.items():
        assert math.exp(parser.log_p(sentence)) == pytest.approx(probability, rel=1e-12)
    shared = tuple(words("the a1 and the b now ."))
    assert parser.topics(shared) == {"one", "two"}
    assert parser.moods(shared) == {0, 1}
    assert math.exp(parser.log_p(shared)) == pytest.approx(2 * (1 / 6 / 4 + 1 / 6 / 6))
    assert entropy(grammar) == pytest.approx(-sum(p * math.log(p) for p in language.values()), rel=1e-12)
    expected = count_weighted(language)
    for found, brute in zip(positions(grammar), expected, strict=True):
        assert found == pytest.approx(brute)


# --- models without memory --------------------------------------------------------------------------------------------


def count_weighted(language: dict[Sentence, float]) -> list[dict[str, float]]:
    found: defaultdict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sentence, probability in language.items():
        for position, token in enumerate([*sentence, END]):
            found[position][token] += probability
    return [dict(found[position]) for position in range(len(found))]


def test_words_by_position_are_those_of_the_enumerated_language(toy: dict[Sentence, float]) -> None:
    found, brute = positions(grammar_of(TOY)), count_weighted(toy)
    for exact, counted in zip(found, brute, strict=True):
        assert exact == pytest.approx(counted)
    losses = positional_losses(found, toy)
    expected = math.fsum(p * loss for p, loss in zip(toy.values(), losses, strict=True))
    assert positional_optimum(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "positional", "unigram"), [(DEFAULT, 50.06912, 66.69284), (FULL, 54.62154, 71.20265)]
)
def test_the_optima_of_models_without_memory(settings: Grammar, positional: float, unigram: float) -> None:
    """The first is also the result of enumerating all 184,560 sentences, once."""
    found = positions(grammar_of(settings))
    assert positional_optimum(found) == pytest.approx(positional, abs=1e-5)
    assert unigram_optimum(found) == pytest.approx(unigram, abs=1e-5)
    assert math.fsum(found[0].values()) == pytest.approx(1, abs=1e-12)
    assert math.fsum(counts.get(END, 0) for counts in found) == pytest.approx(1, abs=1e-12)


def test_the_table_of_the_default_run_states_the_exact_values() -> None:
    preset = yaml.safe_load((ROOT / "papers/sentence_vae/small.yaml").read_text(encoding="utf-8"))
    [note] = [note for note in preset["tables"]["table2"]["notes"] if "entropy" in note]
    stated = [float(number) for number in re.findall(r"\d+\.\d{3}", note)]
    grammar = grammar_of(DEFAULT)
    assert stated == [round(entropy(grammar), 3), round(positional_optimum(positions(grammar)), 3)]


def test_drawn_sentences_have_the_words_that_each_position_expects() -> None:
    count = 20_000
    expected, found = positions(grammar_of(DEFAULT)), count_positions(drawn(DEFAULT, count))
    for exact, counted in zip(expected, found, strict=True):
        assert counted.keys() <= exact.keys()
        for token, p in exact.items():
            if count * p > 20:  # where the binomial is close to normal
                assert abs(counted[token] - count * p) < 5 * math.sqrt(count * p * (1 - p)), token


def test_drawn_sentences_cost_the_positional_optimum() -> None:
    exact = positions(grammar_of(DEFAULT))
    losses = positional_losses(exact, drawn(DEFAULT, 4_000))
    mean = sum(losses) / len(losses)
    deviation = math.sqrt(sum((loss - mean) ** 2 for loss in losses) / len(losses))
    assert abs(mean - positional_optimum(exact)) < 4 * deviation / math.sqrt(len(losses))


def test_optima_of_three_sentences_by_hand() -> None:
    counted = count_positions([["a", "b"], ["a"], ["c", "b"]])
    first = 2 * math.log(3 / 2) + math.log(3)
    second = 2 * math.log(3 / 2) + math.log(3)  # b, END, b
    assert positional_optimum(counted) == pytest.approx((first + second) / 3)
    assert positional_optimum(without_end(counted)) == pytest.approx(first / 3)  # every second word is b
    unigram = 2 * math.log(8 / 2) + 2 * math.log(8 / 2) + math.log(8) + 3 * math.log(8 / 3)
    assert unigram_optimum(counted) == pytest.approx(unigram / 3)
    assert positional_losses(counted, [["b"], ["a", "b", "b"]]) == [math.inf, math.inf]


# --- the parser -------------------------------------------------------------------------------------------------------


def test_topic_and_mood_are_found() -> None:
    parser = Parser(grammar_of(DEFAULT))
    sentence = words("well done , you bake the soup like a real chef with an omelette .")
    assert parser.topics(sentence) == {"cooking"}
    assert parser.moods(sentence) == {5}
    (parse,) = parser.parses(sentence)
    assert parse.filling == {"action": ("bake",), "old": ("soup",), "person": ("chef",), "thing": ("omelette",)}
    assert parse.log_p == pytest.approx(-math.log(8 * 64 * 6 * 6 * 4 * 5))


@pytest.mark.parametrize(
    "wrong",
    [
        "well done , you bake the soup like a real chef with a omelette .",  # the article
        "well done , you bake the soup like a real chef with an bread .",
        "well done , you bake the soup like a real chef with a soup .",  # the same thing twice
        "well done , you book the soup like a real chef with an omelette .",  # words of two topics
        "well done , you bake the soup like a real chef with a recipe .",  # a thing beyond the first six
        "well done , you bake the soup like a real chef with an omelette",
        "well done you bake the soup like a real chef with an omelette .",
        "Well done , you bake the soup like a real chef with an omelette .",
        "of course .",
        "",
    ],
)
def test_what_the_grammar_cannot_give_has_no_probability(wrong: str) -> None:
    parser = Parser(grammar_of(DEFAULT))
    assert not parser.grammatical(words(wrong))
    assert parser.log_p(words(wrong)) == -math.inf
    assert parser.topics(words(wrong)) == set()


def test_perturbed_sentences_are_grammatical_only_where_enumeration_has_them(toy: dict[Sentence, float]) -> None:
    parser, rng = Parser(grammar_of(TOY)), random.Random(1)
    vocabulary = sorted({token for sentence in toy for token in sentence})
    accepted = 0
    for sentence in toy:
        for position in range(len(sentence)):
            replaced = list(sentence)
            replaced[position] = vocabulary[int(rng.random() * len(vocabulary))]
            shortened = sentence[:position] + sentence[position + 1 :]
            assert parser.grammatical(replaced) == (tuple(replaced) in toy)
            assert parser.grammatical(shortened) == (shortened in toy)
            accepted += parser.grammatical(replaced)
    assert accepted  # some replacements do give another sentence


def test_a_sample_with_a_foreign_sentence_has_no_floor() -> None:
    parser = Parser(grammar_of(TOY))
    assert floor(parser, [*drawn(TOY, 3), ["hello"]]).mean == math.inf


# --- the corpus -------------------------------------------------------------------------------------------------------


def test_rows_are_dialogues_of_one_turn_labelled_with_their_mood() -> None:
    settings = Grammar(train=300, validation=40, test=50)
    (batch, *others) = generate(settings)
    assert all(part.schema == DIALOGUES for part in (batch, *others))
    found, parser = rows(settings), Parser(grammar_of(settings))
    assert Counter(row["split"] for row in found) == {"train": 300, "validation": 40, "test": 50}
    assert len({row["dialogue_id"] for row in found}) == 390
    assert {row["turn"] for row in found} == {0}
    assert {row["speaker"] for row in found} == {None}
    assert all(parser.moods(row["text"].split()) == {row["label"]} for row in found)


def test_the_same_settings_give_the_same_bytes_in_every_version() -> None:
    """The digest is of the first revision; it changes only if the corpus is meant to change."""
    text = "\n".join(row["text"] for row in rows(DEFAULT))
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "876c7f7e483bbf1c0001ba7b46a724c400838ae40c88de9785b60551afbf9ae1"
    )


def test_splits_and_seeds_have_streams_of_their_own() -> None:
    small, large = rows(Grammar(train=50, validation=30, test=30)), rows(Grammar(train=90, validation=30, test=30))
    assert small[:50] == large[:50]
    assert small[50:] == large[90:]
    other = rows(Grammar(train=50, validation=30, test=30, seed=2))
    streams = [small[:30], small[50:80], small[80:], other[:30], other[50:80], other[80:]]
    assert len({tuple(row["text"] for row in stream) for stream in streams}) == 6


def test_large_splits_come_in_batches_without_a_seam() -> None:
    sizes = [batch.num_rows for batch in generate(Grammar(train=25_000, validation=1, test=1))]
    assert sizes == [10_000, 10_000, 5_000, 1, 1]
    ids = [row["dialogue_id"] for row in rows(Grammar(train=25_000, validation=1, test=1))]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("settings", [DEFAULT, FULL])
def test_the_tokeniser_leaves_the_text_as_it_is(settings: Grammar, toy: dict[Sentence, float]) -> None:
    texts = [" ".join(tokens) for tokens in [*toy, *drawn(settings, 5_000)]]
    assert tokenise_array(pa.array(texts)).to_pylist() == texts


def test_the_reader_takes_its_settings_from_the_source() -> None:
    settings = Grammar(train=5, validation=2, test=2)
    found = list(read([], SimpleNamespace(grammar=settings), Counter()))  # type: ignore[arg-type]
    assert found == list(generate(settings))


@pytest.mark.parametrize(
    "wrong", [{"words_per_slot": 1}, {"topics": 17}, {"topics": 0}, {"train": 0}, {"sentences": 9}]
)
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Grammar(**wrong)
