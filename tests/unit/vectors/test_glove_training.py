"""GloVe trained here: counts, objective and steps against plain references, and against glove-python-binary."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import coo_array

from pipeline_lib.config.embeddings import GloveTraining
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.tokenisers.english import tokenise_array
from pipeline_lib.vectors import glove_package
from pipeline_lib.vectors.glove_training import (
    Entries,
    Factors,
    count_cooccurrences,
    sentences,
    train_vectors,
    training_tokens,
)

ROOT = Path(__file__).parents[3]
TOPICS = [
    ["bread", "soup", "dinner", "cook", "salt"],
    ["train", "ticket", "station", "platform", "luggage"],
    ["doctor", "fever", "nurse", "medicine", "cough"],
]


def _topical(sentences: int = 600, seed: int = 1) -> pa.Array:
    """Sentences whose content words are of one topic, among words that all topics share."""
    generator = np.random.default_rng(seed)
    texts = []
    for _ in range(sentences):
        topic = TOPICS[generator.integers(len(TOPICS))]
        words = [
            str(generator.choice(topic if generator.random() < 0.6 else ["the", "a", "is", "and"])) for _ in range(8)
        ]
        texts.append(" ".join(words))
    return pa.array(texts)


def _brute_counts(texts: list[str], tokens: list[str], window: int) -> np.ndarray:
    counts = np.zeros((len(tokens), len(tokens)))
    for text in texts:
        words = [tokens.index(word) for word in text.split() if word in tokens]
        for i, left in enumerate(words):
            for j, right in enumerate(words):
                if i != j and abs(i - j) <= window:
                    counts[left, right] += 1 / abs(i - j)
    return counts


@pytest.mark.parametrize("window", [1, 3, 10])
def test_cooccurrence_counts_equal_a_brute_force_count(window: int) -> None:
    texts = [*_topical(40).to_pylist(), "", "salt", "unseen salt unseen bread", "bread bread bread"]
    tokens = sorted({word for topic in TOPICS for word in topic} | {"the", "a"})
    batches = [pa.array(texts[start : start + 7]) for start in range(0, len(texts), 7)]
    found = count_cooccurrences(batches, pa.array(tokens), window)
    np.testing.assert_allclose(found.toarray(), _brute_counts(texts, tokens, window), atol=1e-12)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_every_utterance_of_the_training_split_is_read_once_alone_or_in_a_dialogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("pipeline_lib.vectors.glove_training._UTTERANCES_AT_ONCE", at_once)
    rows = [
        ("d1", 0, "One."),
        ("d1", 1, "Two"),
        ("d1", 2, ""),
        ("d2", 0, "Two"),
        ("v1", 0, "Three"),
        ("d3", 0, "Don't"),
    ]
    table = [
        {"dialogue_id": name, "turn": turn, "text": text, "split": "validation" if name == "v1" else "train"}
        for name, turn, text in rows
    ]
    write_parquet(tmp_path / "dialogues.parquet", pa.Table.from_pylist(table, DIALOGUES), DIALOGUES)
    found = [text for batch in sentences(tmp_path / "dialogues.parquet", tokenise_array) for text in batch.to_pylist()]
    assert found == ["one .", "two", "", "two", "do n't"]


def _small() -> tuple[Entries, np.ndarray, np.ndarray, coo_array, GloveTraining]:
    generator = np.random.default_rng(3)
    counts = coo_array(np.triu(generator.integers(0, 300, (6, 6)).astype(float)))
    rule = GloveTraining(dimension=4, learning_rate=0.05)
    main, context = generator.normal(0, 0.5, (2, 6, 6)).astype(np.float32)
    return Entries.of(counts, rule), main, context, counts, rule


def _plain_loss(main: np.ndarray, context: np.ndarray, counts: coo_array, rule: GloveTraining) -> float:
    total = 0.0
    for i, j, x in zip(counts.row, counts.col, counts.data, strict=True):
        weight = min(1.0, (x / rule.x_max) ** rule.alpha)
        error = main[i, :4] @ context[j, :4] + main[i, 4] + context[j, 5] - np.log(x)
        total += 0.5 * weight * error**2
    return total


def test_the_loss_equals_the_papers_equation_in_float64() -> None:
    entries, main, context, counts, rule = _small()
    expected = _plain_loss(main.astype(float), context.astype(float), counts, rule)
    assert Factors(main, context).loss(entries) == pytest.approx(expected, rel=1e-5)


def test_a_step_is_adagrad_with_numerical_gradients_of_every_entry() -> None:
    entries, main, context, counts, rule = _small()
    parameters = np.concatenate([main.ravel(), context.ravel()]).astype(float)
    parameters.reshape(2, 6, 6)[0, :, 5] = parameters.reshape(2, 6, 6)[1, :, 4] = 1

    def loss(values: np.ndarray, entry: int) -> float:
        one = coo_array(([counts.data[entry]], ([counts.row[entry]], [counts.col[entry]])), shape=(6, 6))
        return _plain_loss(*values.reshape(2, 6, 6), one, rule)

    gradient, squares, expected = np.zeros(72), np.ones(72), parameters.copy()
    factors = Factors(main, context)
    for _ in range(2):  # the second step sees the sums that the first left
        gradient[:] = 0
        for entry in range(counts.nnz):
            for k in range(72):
                shift = np.zeros(72)
                shift[k] = 1e-5
                slope = (loss(expected + shift, entry) - loss(expected - shift, entry)) / 2e-5
                gradient[k] += slope
                squares[k] += slope**2
        expected = expected - rule.learning_rate * gradient / np.sqrt(squares)
        factors.step(entries, rule.learning_rate)
    np.testing.assert_allclose(np.stack([factors.main, factors.context]).ravel(), expected, atol=1e-4)


def test_words_of_a_topic_become_neighbours_and_the_same_seed_gives_the_same_bytes() -> None:
    texts = _topical()
    tokens = pa.array(sorted({word for text in texts.to_pylist() for word in text.split()}))
    counts = count_cooccurrences([texts], tokens, 5)
    rule = GloveTraining(dimension=12, epochs=60, seed=4)
    vectors = train_vectors(counts, rule)
    assert vectors.shape == (len(tokens), 12)
    assert vectors.dtype == np.float32
    assert _same_topic(vectors, tokens.to_pylist()) > 0.9
    np.testing.assert_array_equal(vectors, train_vectors(counts, rule))
    assert not np.array_equal(vectors, train_vectors(counts, rule.model_copy(update={"seed": 5})))


def test_the_loss_falls_and_hardly_depends_on_the_size_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = _topical()
    tokens = pa.array(sorted({word for text in texts.to_pylist() for word in text.split()}))
    counts = count_cooccurrences([texts], tokens, 5)
    rule = GloveTraining(dimension=12)
    entries = Entries.of(counts, rule)
    losses = []
    for size in (32, 10_000):
        factors = Factors.random(len(tokens), 12, np.random.default_rng(1))
        before = factors.loss(entries)
        for _ in range(100):
            for start in range(0, len(entries.value), size):
                chosen = np.arange(start, min(start + size, len(entries.value)))
                factors.step(entries.take(chosen), rule.learning_rate)
        losses.append(factors.loss(entries))
        assert losses[-1] < before / 10
    assert losses[0] == pytest.approx(losses[1], rel=0.3)


def _same_topic(vectors: np.ndarray, tokens: list[str]) -> float:
    """Share of topic words whose nearest topic word is of their topic."""
    words = [word for topic in TOPICS for word in topic]
    unit = np.stack([vectors[tokens.index(word)] for word in words])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T - 2 * np.eye(len(words))
    return float(np.mean([n // 5 == nearest // 5 for n, nearest in enumerate(similarity.argmax(1))]))


def test_faults_of_input_are_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no two tokens"):
        train_vectors(count_cooccurrences([pa.array(["a", "b"])], pa.array(["a", "b"]), 2), GloveTraining(dimension=2))
    diverging = GloveTraining(dimension=2, learning_rate=1e30, epochs=3)
    with pytest.raises(PipelineError, match="diverged"), np.errstate(all="ignore"):
        train_vectors(count_cooccurrences([_topical(50)], pa.array(["the", "a"]), 2), diverging)
    tokens = pa.table({"token": ["b", "a", "c"], "count": [9, 9, 1], "train_count": [5, 5, 1]}, schema=TOKENS)
    write_parquet(tmp_path / "tokens.parquet", tokens, TOKENS)
    assert training_tokens(tmp_path / "tokens.parquet", 2).to_pylist() == ["a", "b"]
    with pytest.raises(PipelineError, match="no token occurs 6 times"):
        training_tokens(tmp_path / "tokens.parquet", 6)


def test_without_an_old_python_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(PipelineError) as caught:
        glove_package.environment(tmp_path / "environment")
    assert "3.8" in caught.value.expected
    assert "install" in caught.value.remedy
    assert not (tmp_path / "environment").exists()


def test_the_package_reaches_a_similar_loss_and_similar_neighbours() -> None:
    folder = ROOT / ".venv-glove"
    if not folder.exists() and os.environ.get("WORKBENCH_GLOVE_PACKAGE") != "1":
        pytest.skip("no .venv-glove; WORKBENCH_GLOVE_PACKAGE=1 makes it (needs Python 3.6-3.8 and a package index)")
    texts = _topical()
    tokens = pa.array(sorted({word for text in texts.to_pylist() for word in text.split()} - {"and"}))
    rule = GloveTraining(dimension=12, epochs=60, window=5)
    package = glove_package.train_with_package([texts], tokens, rule, folder)
    assert sorted(package.tokens.to_pylist()) == tokens.to_pylist()

    counts = count_cooccurrences([texts], package.tokens, rule.window)
    factors = Factors.random(len(tokens), rule.dimension, np.random.default_rng(1))
    entries = Entries.of(counts, rule)
    for _ in range(rule.epochs):
        factors.step(entries, rule.learning_rate)
    native = factors.loss(entries) / counts.nnz

    x = counts.data
    both = package.vectors.astype(float) @ package.vectors.astype(float).T
    predicted = both + package.biases[:, None] + package.biases[None, :]
    weight = np.minimum(1, (x / rule.x_max) ** rule.alpha)
    theirs = np.mean(0.5 * weight * (predicted[counts.row, counts.col] - np.log(x)) ** 2)
    start = np.mean(0.5 * weight * np.log(x) ** 2)
    assert max(native, theirs) < start / 10
    assert native < 2 * theirs

    names = package.tokens.to_pylist()
    assert _same_topic(package.vectors, names) > 0.9
    assert _same_topic(train_vectors(counts, rule), names) > 0.9
