"""The choice of negatives, against a search through all texts."""

import math
from collections import Counter

import numpy as np
import pytest

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.config.paraphrases import Paraphrases
from pipeline_lib.corpora.paraphrases import generate
from pipeline_lib.corpora.questions import whole_language
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.negatives import Examples, choose_negatives
from pipeline_lib.text.keywords import stem_of


def keyword(question: str) -> str:
    [reading] = whole_language().readings(question)
    return reading.meaning.keyword[0]


@pytest.fixture(scope="module")
def examples() -> Examples:
    rows = generate(Paraphrases(meanings=150, unlabelled=0.2)).to_pylist()
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    return Examples(
        np.arange(len(pairs)) + 7,
        [first["dialogue_id"] for first, _ in pairs],
        [first["text"] for first, _ in pairs],
        [second["text"] for _, second in pairs],
        [keyword(first["text"]) for first, _ in pairs],
        [keyword(second["text"]) for _, second in pairs],
    )


def cosines_with(texts: list[str], context: str) -> list[float]:
    """TF-IDF with smoothed idf and unit length, as scikit-learn defines it, text by text."""
    documents = Counter(word for text in texts for word in set(text.split()))
    idf = {word: math.log((1 + len(texts)) / (1 + number)) + 1 for word, number in documents.items()}

    def vector(text: str) -> dict[str, float]:
        raw = {word: count * idf[word] for word, count in Counter(text.split()).items() if word in idf and len(word)}
        norm = math.sqrt(sum(value**2 for value in raw.values()))
        return {word: value / norm for word, value in raw.items()}

    mine = vector(context)
    return [sum(mine.get(word, 0.0) * value for word, value in vector(text).items()) for text in texts]


def test_the_negative_is_the_nearest_text_of_another_cluster_with_a_keyword_of_its_own(examples):
    table = choose_negatives(examples, {}, "english", Contrasts()).to_pylist()
    texts = list(dict.fromkeys([*examples.contexts, *examples.responses]))
    keywords = dict(
        zip([*examples.contexts, *examples.responses], [*examples.keywords_in, *examples.keywords_out], strict=True)
    )
    clusters: dict[str, set[str]] = {text: set() for text in texts}
    for side in (examples.contexts, examples.responses):
        for text, cluster in zip(side, examples.cluster, strict=True):
            clusters[text].add(cluster)
    for row in range(0, len(table), 9):
        stems = {stem_of(w, "english") for w in f"{examples.contexts[row]} {examples.responses[row]}".split()}
        allowed = [
            t
            for t in texts
            if examples.cluster[row] not in clusters[t] and stem_of(keywords[t], "english") not in stems
        ]
        cosines = dict(zip(texts, cosines_with(texts, examples.contexts[row]), strict=True))
        best = max(cosines[text] for text in allowed)
        assert table[row]["source"] == "mined"
        assert table[row]["similarity"] == pytest.approx(best, abs=1e-5)
        assert table[row]["negative"] in [text for text in allowed if cosines[text] > best - 1e-6]


def test_a_labelled_negative_comes_before_any_other(examples):
    text = examples.contexts[40]
    table = choose_negatives(examples, {12: (text, "x")}, "english", Contrasts()).to_pylist()
    assert [row["source"] for row in table].count("labelled") == 1
    assert (table[5]["negative"], table[5]["source"], table[5]["keyword_negative"]) == (text, "labelled", "x")


def test_where_all_texts_share_the_keyword_one_of_another_cluster_is_drawn():
    contexts = ["the cat sat", "a cat ran", "one cat slept"]
    examples = Examples(np.arange(3), ["a", "b", "c"], contexts, contexts, ["cat"] * 3, ["cat"] * 3)
    table = choose_negatives(examples, {}, "english", Contrasts(seed=3))
    assert table["source"].to_pylist() == ["drawn"] * 3
    assert all(negative != own for negative, own in zip(table["negative"].to_pylist(), contexts, strict=True))
    assert table.equals(choose_negatives(examples, {}, "english", Contrasts(seed=3)))


def test_random_negatives_are_drawn_from_all_other_clusters(examples):
    table = choose_negatives(examples, {}, "english", Contrasts(negatives="random"))
    assert set(table["source"].to_pylist()) == {"drawn"}
    own = dict(zip(examples.contexts, examples.cluster, strict=True)) | dict(
        zip(examples.responses, examples.cluster, strict=True)
    )
    pairs = zip(table["negative"].to_pylist(), examples.cluster, strict=True)
    other = [own[negative] != cluster for negative, cluster in pairs]
    assert sum(other) >= len(other) - 3  # a text may be of two clusters


def test_a_drawn_negative_is_of_another_cluster_where_nearly_all_texts_are_of_the_own():
    texts = [f"text {number}" for number in range(2000)]
    clusters = ["large"] * 999 + ["small"]
    given = Examples(np.arange(1000), clusters, texts[::2], texts[1::2], ["text"] * 1000, ["text"] * 1000)
    table = choose_negatives(given, {}, "english", Contrasts(negatives="random"))
    assert set(table["negative"].to_pylist()[:-1]) == {"text 1998", "text 1999"}


def test_texts_that_are_all_of_the_own_cluster_are_an_error():
    given = Examples(np.arange(2), ["a", "b"], ["same", "same"], ["same", "same"], ["same"] * 2, ["same"] * 2)
    with pytest.raises(PipelineError, match="all 1 texts of a split are of cluster 'a'"):
        choose_negatives(given, {}, "english", Contrasts(negatives="random"))
