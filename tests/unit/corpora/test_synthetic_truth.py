"""The distribution of the generated dialogues, against enumeration and against the generator's own choices."""

import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise, product
from string import Formatter
from typing import Any

import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import Synthetic
from pipeline_lib.corpora import synthetic
from pipeline_lib.corpora.synthetic import generate
from pipeline_lib.corpora.synthetic_language import Language
from pipeline_lib.corpora.synthetic_truth import Truth, dialogue_losses
from pipeline_lib.text.tokenisers.english import tokenise, tokenise_array

DATA = json.loads(resources.files("pipeline_lib.corpora").joinpath("templates.json").read_text(encoding="utf-8"))
LISTS = {"thing": "things", "action": "actions", "quality": "qualities", "place": "places", "person": "people"}
MOSTLY_TEST: dict[str, Any] = {"dialogues": 1250, "validation": 0.1, "test": 0.8}  # so that few corpora give the rates
SMALL = Synthetic(topics=1, groups=2, **MOSTLY_TEST)
OPENING, SENTENCE = "Here is the fresh soup that the chef brought.", "I agree, the pie and the soup belong together."


def tokens(texts: list[str]) -> list[str]:
    return tokenise_array(pa.array(texts)).to_pylist()


def sentences(topic: str, group: int, old: str) -> Iterator[str]:
    """Every new sentence of a group that takes up a thing, as a person would write it."""
    words = {slot: DATA["topics"][topic][name] for slot, name in LISTS.items()}
    words |= {"thing": [thing for thing in words["thing"] if thing != old], "old": [old], "time": DATA["times"]}
    words["Time"] = [time[0].upper() + time[1:] for time in DATA["times"]]
    for template in DATA["groups"][group]["templates"]:
        slots = [slot for _, slot, _, _ in Formatter().parse(template) if slot]
        for filling in product(*(words[slot] for slot in slots)):
            text = template.format(**dict(zip(slots, filling, strict=True)))
            yield re.sub(r"\b([Aa]) (?=[aeio]|u(?!s))", r"\1n ", text)


def responses(groups: int, things: list[str]) -> set[str]:
    """Every response of the first groups to a context about one of some things of cooking, each once, as tokens."""
    texts = [text for group in range(groups) for old in things for text in sentences("cooking", group, old)]
    return set(tokens(texts + [reply for group in DATA["groups"][:groups] for reply in group["generic"]]))


def probabilities(settings: Synthetic, context: str, answers: set[str]) -> list[float]:
    """Probability of each of some responses to one context."""
    contexts = tokens([context]) * len(answers)
    return [math.exp(-loss) for loss in dialogue_losses(settings, "test", contexts, sorted(answers))]


@pytest.mark.parametrize("context", [OPENING, SENTENCE])
def test_the_responses_to_a_context_have_probabilities_that_sum_to_one(context):
    found = probabilities(SMALL, context, responses(2, ["soup"]))
    assert math.fsum(found) == pytest.approx(1)
    assert min(found) > 0


def test_a_generic_reply_as_context_leaves_all_sixteen_things_open():
    settings = SMALL.model_copy(update={"groups": 1})
    found = probabilities(settings, "Yes, of course.", responses(1, ["soup", "dough"]))
    assert math.fsum(found) == pytest.approx(0.2 + 0.8 * 2 / 16)  # generic replies, and sentences about two things
    assert min(found) > 0


# --- the generator's own choices --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """A turn with the choices behind it; ``nats`` are those of template and slots, or of the generic reply."""

    text: str
    group: int | None
    taken_up: int | None  # number of the thing within its topic; None of an opening
    thing: int  # that the next turn takes up
    is_generic: bool
    nats: float


class Recorder(synthetic._Speaker):
    """A speaker that remembers how many ways there were to compose each sentence."""

    template: str  # picked last
    nats: dict[tuple[str, str], float]  # by the text and the thing that it takes up

    def _compose(self, topic: str, group: int | None, old: str) -> Any:
        turn = super()._compose(topic, group, old)
        words = self.data["topics"][topic]
        sizes = {slot: len(words[name]) for slot, name in LISTS.items()} | {"time": 16, "Time": 16, "old": 1}
        sizes["thing"] -= bool(old)
        slots = [slot for _, slot, _, _ in Formatter().parse(self.template) if slot]
        ways = math.prod(sizes[slot] for slot in slots)
        templates = self.data["openers"] if group is None else self.data["groups"][group]["templates"]
        self.nats[turn.text, old] = math.log(len(templates) * ways)
        return turn


@pytest.fixture
def dialogues(monkeypatch) -> Any:
    """Gives the dialogues of a split of a corpus, with the choices behind every turn."""
    pick = synthetic.pick

    def recorded(settings: Synthetic, split: str) -> list[list[Said]]:
        rng = random.Random(settings.seed)
        speaker = Recorder(settings, rng)
        speaker.nats = {}

        def remembered(rng: random.Random, items: Any) -> Any:
            chosen = pick(rng, items)
            if items and isinstance(items[0], str) and "{" in items[0]:
                speaker.template = chosen
            return chosen

        monkeypatch.setattr(synthetic, "pick", remembered)
        fewest, most = settings.turns
        found = []
        for own in synthetic.splits(settings.dialogues, settings.validation, settings.test, rng):
            turns = list(speaker.dialogue(own, fewest + int(rng.random() * (most - fewest + 1))))
            if own == split:
                found.append(list(_said(turns, speaker)))
        return found

    return recorded


def _said(turns: list[Any], speaker: Recorder) -> Iterator[Said]:
    generic = {reply for group in DATA["groups"] for reply in group["generic"]}
    things = {thing: number for words in DATA["topics"].values() for number, thing in enumerate(words["things"])}
    old = ""
    for turn in turns:
        is_generic = turn.text in generic
        nats = math.log(3) if is_generic else speaker.nats[turn.text, old]
        yield Said(turn.text, turn.group, things.get(old), things[turn.thing], is_generic, nats)
        old = turn.thing


def own_losses(found: list[list[Said]], settings: Synthetic) -> list[float]:
    """-log p(response | context) from the choices: rates of this very corpus, no parser, no other corpora."""
    pairs = [pair for turns in found for pair in pairwise(turns)]
    groups, again, often = settings.groups, settings.one_to_many, settings.many_to_one

    def kind(context: Said) -> Any:
        if context.is_generic or context.taken_up is None:
            return "generic" if context.is_generic else "opening"
        return context.taken_up % groups == context.group

    answers: defaultdict[Any, Counter[bool]] = defaultdict(Counter)
    for context, response in pairs:
        answers[kind(context)][context.thing % groups == response.group] += 1
    rates = {key: count[True] / count.total() for key, count in answers.items()}
    rates["generic"] = 1 - again + again / groups
    overall = sum(rates[kind(context)] for context, _ in pairs) / len(pairs)

    def share(rate: float, thing: int, group: int | None) -> float:
        return rate if thing % groups == group else (1 - rate) / (groups - 1)

    losses = []
    for context, response in pairs:
        p = share(rates[kind(context)], context.thing, response.group)
        if context.is_generic:  # sixteen things of each topic, and which are more likely the group of the reply tells
            prior = [share(overall, thing, context.group) for thing in range(16)]
            answer = [prior[thing] * share(rates["generic"], thing, response.group) for thing in range(16)]
            p = sum(answer) if response.is_generic else answer[context.thing] / settings.topics
            p /= sum(prior)
        losses.append(response.nats - math.log(p * (often if response.is_generic else 1 - often)))
    return losses


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_mean_loss_is_the_entropy_of_the_generators_own_choices(dialogues, split):
    settings = Synthetic(dialogues=800, validation=0.0, test=0.5)
    found = dialogues(settings, split)
    pairs = [(context.text, response.text) for turns in found for context, response in pairwise(turns)]
    contexts, answers = tokens([context for context, _ in pairs]), tokens([answer for _, answer in pairs])
    losses = dialogue_losses(settings, split, contexts, answers)
    expected = own_losses(found, settings)
    assert losses == pytest.approx(expected, abs=0.25)  # rates of some hundred contexts differ
    assert math.fsum(losses) / len(losses) == pytest.approx(math.fsum(expected) / len(expected), abs=0.01)


# --- corpora ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [Synthetic(), Synthetic(one_to_many=0, groups=3, topics=2, **MOSTLY_TEST)])
def test_every_held_out_example_of_a_corpus_has_a_probability(settings):
    turns = generate(settings)
    texts, splits = tokenise_array(turns["text"]).to_pylist(), turns["split"].to_pylist()
    dialogue = turns["dialogue_id"].to_pylist()
    rows = [n for n in range(1, len(texts)) if dialogue[n] == dialogue[n - 1] and splits[n] == "test"]
    losses = dialogue_losses(settings, "test", [texts[n - 1] for n in rows], [texts[n] for n in rows])
    assert len(losses) > 100
    assert max(losses) < 25


def test_a_turn_has_one_meaning():
    language = Language(Synthetic())
    turns = generate(Synthetic(dialogues=200))
    texts = tokenise_array(turns["text"]).to_pylist()
    assert {len(language.meanings(text)) + (text in language.generic) for text in texts} == {1}


def test_rates_are_those_of_the_split_since_contexts_come_again_more_often_in_a_larger_one():
    rates = {split: Truth(Synthetic(), split).rates for split in ("train", "test")}
    assert all(rates["train"][kind] < rates["test"][kind] - 0.01 for kind in ("opening", "determined", "free"))
    assert rates["train"]["generic"] == rates["test"]["generic"] == 0.5 + 0.5 / 8


def test_a_response_that_takes_up_nothing_of_its_context_has_no_probability():
    truth = Truth(SMALL, "test")
    opening = " ".join(tokenise(OPENING))
    assert truth.log_p(opening, "i agree , the pie and the soup belong together .") == -math.inf
    assert truth.log_p(opening, "i agree , the soup and the pie belong together .") > -math.inf
    assert truth.log_p("good evening .", "i agree , the soup and the pie belong together .") == -math.inf
    assert truth.log_p(opening, "good evening .") == -math.inf
