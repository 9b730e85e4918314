"""Users told from what they said in training: against counts by hand, and against the exact truth of `personas`."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from pipeline_lib.config.personas import Personas
from pipeline_lib.corpora.personas import generate
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.persona import Accuracy as Exact
from pipeline_lib.metrics.spoken import Spoken
from pipeline_lib.metrics.user import F1, Accuracy
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.users import users_schema

SAID = [("tea is nice nice", 1), ("tea please", 1), ("coffee is nice", 2), ("milk milk tea", 3)]


def spoken(said: list[tuple[str, int]] = SAID) -> Spoken:
    return Spoken(pa.array([text for text, _ in said]), np.array([user for _, user in said]))


def items(responses: list[str], users: list[int], said: list[tuple[str, int]] = SAID) -> Items:
    own = Items.of(["hello"] * len(responses), responses, responses)
    return replace(own, user=np.array(users), spoken=spoken(said))


def by_hand(response: str, user: int) -> float:
    """Naive Bayes with add-one smoothing over the words of training and of the responses."""
    counts = {own: Counter(word for text, by in SAID if by == own for word in text.split()) for own in (1, 2, 3)}
    words = {word for text, _ in SAID for word in text.split()} | {"unheard"}
    scores = {
        own: sum(math.log((count[word] + 1) / (count.total() + len(words))) for word in response.split())
        for own, count in counts.items()
    }
    best = [own for own, score in scores.items() if score > max(scores.values()) - 1e-9]
    return (user in best) / len(best)


def test_the_right_user_is_found_as_by_a_classifier_counted_by_hand():
    responses = ["tea please", "coffee", "milk tea", "nice nice", "unheard tea", ""]
    users = [1, 2, 3, 2, 1, 2]
    own = items(["hello unheard", *responses], [0, *users])
    expected = [by_hand(response, user) for response, user in zip(responses, users, strict=True)]
    assert expected[-1] == pytest.approx(1 / 3)  # nothing shown: a tie of all
    score = Accuracy()(own)
    assert score.mean == pytest.approx(np.mean(expected))
    assert score.n == 6  # the unknown user's example does not count


def test_the_right_user_is_found_as_by_the_naive_bayes_of_scikit_learn():
    rng = np.random.default_rng(1)
    vocabulary = np.array([f"w{number}" for number in range(60)])

    def texts(n: int) -> list[str]:
        return [" ".join(rng.choice(vocabulary, rng.integers(1, 9))) for _ in range(n)]

    said, responses = texts(300), [*texts(200), "w1 never-heard"]
    spoken_by, user = rng.choice([1, 2, 3, 5, 9], 300), rng.choice([1, 2, 3, 5, 9], 201)
    counter = CountVectorizer(token_pattern=r"\S+").fit(said + responses)
    theirs = MultinomialNB(fit_prior=False).fit(counter.transform(said), spoken_by)
    expected = np.mean(theirs.predict(counter.transform(responses)) == user)
    assert Accuracy()(items(responses, user.tolist(), list(zip(said, spoken_by, strict=True)))).mean == expected


def test_a_user_without_a_training_response_left_is_unknown():
    said = [(text, user) for text, user in SAID if user != 2]  # between two that have some
    for metric in (Accuracy(), F1()):
        with_it = metric(items(["tea please", "coffee", "milk tea"], [1, 2, 3], said))
        without = metric(items(["tea please", "milk tea", "coffee"], [1, 3, 0], said))
        assert (with_it.mean, with_it.n) == (pytest.approx(without.mean), 2)
    assert Accuracy()(items(["tea"], [4])).mean is None


def test_f1_is_of_different_content_words():
    score = F1()(items(["nice coffee is", "tea", "is"], [2, 1, 3]))
    # coffee's user said {coffee, nice}, tea's {tea, nice}; "is" and "please" are stop words
    assert score.mean == pytest.approx(np.mean([2 * 2 / (2 + 2), 2 * 1 / (1 + 2), 0.0]))
    assert F1(None)(items(["nice coffee is"], [2])).mean == pytest.approx(1)


def test_without_users_and_where_nobody_is_known_both_are_undefined():
    bare = Items.of(["a"], ["b"], ["c"])
    for metric in (Accuracy(), F1()):
        assert metric(bare).mean is None
        assert metric(items(["tea"], [0])).mean is None


def test_several_responses_to_an_example_count_as_their_mean():
    own = replace(items(["tea please", "coffee", "coffee"], [1, 1, 2]), example=np.array([0, 0, 1]))
    assert Accuracy()(own).mean == pytest.approx(np.mean([np.mean([1, 0]), 1]))


def test_users_are_joined_by_example_and_unknown_ones_teach_nothing(tmp_path):
    rows = [
        {
            "example_id": i,
            "dialogue_id": "d",
            "turn": i,
            "context": "c",
            "response": f"w{i}",
            "user": None,
            "label": None,
        }
        for i in (5, 6, 7)
    ]
    write_parquet(tmp_path / "train.parquet", pa.Table.from_pylist(rows, EXAMPLES), EXAMPLES)
    numbers = {"example_id": [7, 6, 5, 9], "user": [2, 0, 1, 2], "floors": [[0, 0]] * 4, "speakers": [[0, 0]] * 4}
    write_parquet(tmp_path / "users.parquet", pa.table(numbers, schema=users_schema(2)), users_schema(2))
    found = Spoken.read(tmp_path / "users.parquet", tmp_path / "train.parquet")
    assert (found.texts.to_pylist(), found.user.tolist()) == (["w5", "w7"], [1, 2])


def test_on_generated_users_the_classifier_comes_near_the_exact_accuracy_of_the_references_and_not_above_it():
    rows = generate(Personas(dialogues=500)).to_pylist()
    texts = [row for row in rows if row["turn"] > 0 and row["label"] is not None and row["label"] < 60]
    contexts = {(row["dialogue_id"], row["turn"]): row["text"] for row in rows}
    train, test = texts[: len(texts) * 4 // 5], texts[len(texts) * 4 // 5 :]
    answered = [contexts[row["dialogue_id"], row["turn"] - 1] for row in test]
    said = [(row["text"], row["label"] + 1) for row in train]
    references = [row["text"] for row in test]
    own = Items.of(answered, references, references)
    users = np.array([row["label"] for row in test])
    own = replace(own, label=users, user=users + 1, spoken=spoken(said))
    exact, found = Exact()(own).mean, Accuracy()(own).mean
    assert 0.5 * exact < found < exact + 0.02
