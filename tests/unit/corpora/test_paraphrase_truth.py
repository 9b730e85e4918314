"""The distribution of generated paraphrases, against draws of the generator."""

import math
import random
from collections import Counter

import pytest

from pipeline_lib.config.paraphrases import Paraphrases
from pipeline_lib.corpora.paraphrase_truth import ParaphraseTruth
from pipeline_lib.corpora.paraphrases import generate
from pipeline_lib.corpora.questions import Language
from pipeline_lib.errors import PipelineError

TRUTH = ParaphraseTruth()


def test_the_probabilities_of_all_responses_to_a_question_sum_to_one_and_are_the_shares_of_draws():
    things = Language().topics[0].phrases["thing"]
    asked = " ".join(Language().frames(21)[0].fill({"thing": things[0], "old": things[1]}))
    rng = random.Random(2)
    drawn = Counter(TRUTH.sample(asked, rng) for _ in range(4000))
    shares = {said: math.exp(TRUTH.log_p(asked, said)) for said in drawn}
    assert sum(shares.values()) == pytest.approx(1)
    for said, share in shares.items():
        assert abs(drawn[said] / 4000 - share) < 4 * math.sqrt(share * (1 - share) / 4000)


def test_every_generated_pair_has_the_loss_of_a_choice_among_five_frames():
    rows = generate(Paraphrases(meanings=200)).to_pylist()
    losses = [-TRUTH.log_p(a["text"], b["text"]) for a, b in zip(rows[::2], rows[1::2], strict=True)]
    assert losses == pytest.approx([math.log(5)] * len(losses))


def test_what_is_no_paraphrase_has_no_probability():
    things = Language().topics[0].phrases["thing"]
    question = " ".join(Language().frames(0)[0].fill({"thing": things[0]}))
    other = " ".join(Language().frames(0)[1].fill({"thing": things[1]}))
    assert TRUTH.log_p(question, question) == TRUTH.log_p(question, other) == TRUTH.log_p("hello", other) == -math.inf
    assert TRUTH.sample("hello there", random.Random(1)) is None


def test_every_meaning_of_a_language_can_be_asked_for_and_not_one_more():
    language = Language(topics=2, words_per_slot=2)
    intents = range(language.intents)
    every = {
        (intent, frozenset(filling.items()))
        for intent in intents
        for topic in language.topics
        for filling in topic.fillings(language.frames(intent)[0])
    }
    most = Paraphrases(meanings=len(every), topics=2, words_per_slot=2, pairs=(1, 1), unlabelled=0)
    asked = [row["text"] for row in generate(most).to_pylist()[::2]]
    assert {(one.meaning.intent, one.meaning.filling) for text in asked for one in language.readings(text)} == every
    with pytest.raises(PipelineError, match=f"meanings: {len(every) + 1}, but `topics: 2` and") as caught:
        generate(most.model_copy(update={"meanings": len(every) + 1}))
    assert caught.value.expected == f"at most {len(every)}"
    assert "`words_per_slot`" in caught.value.remedy
