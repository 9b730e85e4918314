"""Embedding metrics against one-example-at-a-time definitions, and at their edges."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.average import Average
from pipeline_lib.metrics.coherence import Coherence
from pipeline_lib.metrics.extrema import Extrema
from pipeline_lib.metrics.greedy import Greedy
from pipeline_lib.metrics.items import Items
from pipeline_lib.schemas.vectors import vectors_schema as vectors_schema
from pipeline_lib.vectors.space import VectorSpace

WORDS = [f"w{i}" for i in range(40)]


@pytest.fixture(scope="module")
def space():
    rng = np.random.default_rng(1)
    return VectorSpace(pa.array(WORDS), rng.normal(size=(len(WORDS), 16)).astype(np.float32), "test@00000000")


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(2)

    def texts():
        return [" ".join(f"w{i}" for i in rng.integers(0, 50, rng.integers(0, 14))) for _ in range(500)]

    contexts, references, responses = texts(), texts(), texts()
    return contexts, references, responses


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def words_of(text, space):
    known = dict(zip(space.tokens.to_pylist(), space.matrix.astype(np.float64), strict=True))
    return np.array([known[word] for word in text.split() if word in known])


def plain_average(a, b):
    return cosine(a.mean(axis=0), b.mean(axis=0))


def plain_extrema(a, b):
    def extreme(m):
        return np.array([max(column, key=lambda v: (abs(v), v)) for column in m.T])

    return cosine(extreme(a), extreme(b))


def plain_greedy(a, b):
    forth = np.mean([max(cosine(w, v) for v in b) for w in a])
    back = np.mean([max(cosine(w, v) for w in a) for v in b])
    return (forth + back) / 2


PLAIN = [(Average, plain_average), (Extrema, plain_extrema), (Greedy, plain_greedy)]


@pytest.mark.parametrize(("metric", "plain"), PLAIN)
def test_each_pair_scores_what_its_definition_says_however_it_is_batched(space, items, metric, plain):
    contexts, references, responses = items
    expected = []
    for reference, response in zip(references, responses, strict=True):
        a, b = words_of(response, space), words_of(reference, space)
        expected.append(plain(a, b) if len(a) and len(b) else 0.0)
    found = metric(space)(Items.of(contexts, references, responses))
    np.testing.assert_allclose(found.per_item, expected, atol=2e-6)
    assert found.mean == pytest.approx(np.mean(expected), abs=1e-6)


def test_coherence_is_the_cosine_of_context_and_response_without_stop_words(space):
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(4, 8)).astype(np.float32)
    space = VectorSpace(pa.array(["the", "cat", "dog", "bird"]), matrix, "test@0")
    found = Coherence(space, "drop")(Items.of(["the cat dog"], ["x"], ["the bird"]))
    assert found.mean == pytest.approx(cosine((matrix[1] + matrix[2]).astype(float), matrix[3].astype(float)), abs=1e-6)
    for every in (Coherence(space, "keep"), Coherence(space, "drop", language=None)):
        kept = every(Items.of(["the cat dog"], ["x"], ["the bird"]))
        assert kept.mean == pytest.approx(
            cosine(matrix[:3].sum(axis=0).astype(float), (matrix[0] + matrix[3]).astype(float)), abs=1e-6
        )
        assert "|stopwords:keep|" in every.signature


def test_nothing_left_after_stop_words_scores_zero_and_is_counted(space):
    found = Coherence(space, "drop")(Items.of(["w1", "w1"], ["x", "x"], ["the and", "w1"]))
    assert (found.per_item[0], found.n_empty, found.n_oov) == (0.0, 1, 0)
    assert found.per_item[1] == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [Average, Extrema, Greedy])
def test_empty_and_unknown_sides_score_zero_and_are_counted_apart(space, metric):
    found = metric(space)(Items.of([""] * 4, ["w1", "w1", "zzz", "w1"], ["", "yyy", "w1", "w1 yyy"]))
    np.testing.assert_allclose(found.per_item, [0, 0, 0, 1], atol=1e-6)
    assert (found.n, found.n_empty, found.n_oov) == (4, 1, 2)


@pytest.mark.parametrize("metric", [Average, Extrema, Greedy])
def test_the_best_of_several_references_counts(space, metric):
    several = metric(space)(Items.of([""], [["w1 w2", "w3", "w7 w9"]], ["w3 w4"])).mean
    alone = [metric(space)(Items.of([""], [one], ["w3 w4"])).mean for one in ("w1 w2", "w3", "w7 w9")]
    assert several == pytest.approx(max(alone))


@pytest.mark.parametrize(("metric", "plain"), PLAIN)
def test_several_references_score_what_the_best_of_those_with_a_vector_does_alone(metric, plain):
    """In three dimensions, negative cosines are common, which a reference without a vector must not beat with its 0."""
    rng = np.random.default_rng(5)
    small = VectorSpace(pa.array(WORDS[:6]), rng.normal(size=(6, 3)).astype(np.float32), "test@0")

    def text():
        return " ".join(f"w{i}" for i in rng.integers(0, 12, rng.integers(0, 4)))  # half of the words are unknown

    responses = [text() for _ in range(300)]
    references = [[text() for _ in range(rng.integers(1, 5))] for _ in responses]
    expected, n_empty, n_oov, n_negative = [], 0, 0, 0
    for response, several in zip(responses, references, strict=True):
        known = [(words_of(response, small), words_of(reference, small)) for reference in several]
        scores = [plain(a, b) for a, b in known if len(a) and len(b)]
        expected.append(max(scores, default=0.0))
        n_negative += len(scores) < len(several) and expected[-1] < 0
        is_empty = not response or "" in several
        n_empty += is_empty
        n_oov += not is_empty and len(scores) < len(several)
    found = metric(small)(Items.of([""] * len(responses), references, responses))
    np.testing.assert_allclose(found.per_item, expected, atol=2e-6)
    assert (found.n_empty, found.n_oov) == (n_empty, n_oov)
    assert n_negative > 10


@pytest.mark.parametrize("metric", [Average, Extrema, Greedy])
def test_an_unknown_reference_beats_no_negative_cosine_and_is_counted(metric):
    space = VectorSpace(pa.array(["up", "down"]), np.array([[0, 1], [0, -1]], np.float32), "test@0")
    found = metric(space)(Items.of([""], [["down", "zzz"]], ["up"]))
    assert found.mean == pytest.approx(-1.0)
    assert (found.n_empty, found.n_oov) == (0, 1)


def test_a_tie_of_magnitudes_goes_to_the_positive_value():
    space = VectorSpace(pa.array(["a", "b"]), np.array([[1, 0.5], [-1, 0.5]], np.float32), "test@0")
    assert Extrema(space)(Items.of([""], ["a"], ["a b"])).mean == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e-21, 1e20, 1e30, 3e37])
@pytest.mark.parametrize("metric", [Average, Extrema, Greedy, Coherence])
def test_vectors_of_any_size_have_the_cosines_of_their_directions(metric, scale):
    """Below 1e-21 the square of a float32 is lost, above 1e20 it is infinite; four such words may overflow a sum."""
    directions = np.array([[4, 3, 0], [0, 3, 4], [-4, 0, 3], [3, 4, 4]], np.float32)
    words = pa.array(["north", "east", "south", "west"])
    texts = (["north east", "south"], ["south west", "west"], ["west east north west", "north west"])
    found = metric(VectorSpace(words, directions * np.float32(scale), "test@0"))(Items.of(*texts))
    expected = metric(VectorSpace(words, directions, "test@0"))(Items.of(*texts))
    tolerance = 5e-3 if scale < 1e-40 else 1e-6  # of a float32 of 1e-42 not three digits are left
    np.testing.assert_allclose(found.per_item, expected.per_item, atol=tolerance)
    assert (found.n_empty, found.n_oov) == (0, 0)


def test_a_power_of_two_changes_no_bit_of_a_cosine(space, items):
    doubled = VectorSpace(space.tokens, space.matrix * np.float32(2**40), space.label)
    for metric in (Average, Extrema, Greedy, Coherence):
        assert (
            metric(space)(Items.of(*items)).per_item.tobytes() == metric(doubled)(Items.of(*items)).per_item.tobytes()
        )


def test_a_vector_of_zeros_counts_as_unknown():
    space = VectorSpace(pa.array(["a", "b"]), np.array([[1, 2], [0, 0]], np.float32), "test@0")
    assert Greedy(space)(Items.of([""], ["a"], ["a b"])).mean == pytest.approx(1.0)
    assert Average(space)(Items.of([""], ["a"], ["b"])).n_oov == 1


def test_the_signature_names_the_vectors_by_source_and_checksum(tmp_path):
    path = tmp_path / "vectors.parquet"
    table = pa.table({"token": ["a"], "vector": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))})
    write_parquet(path, table, vectors_schema(2), {"source": "glove.6B.50d", "sha256": "183adf28" + "0" * 56})
    assert "|vectors:glove.6B.50d@183adf28|" in Coherence(VectorSpace.read(path)).signature


def test_vectors_without_provenance_or_with_nan_are_refused(tmp_path):
    table = pa.table({"token": ["a"], "vector": pa.array([[1.0, float("nan")]], pa.list_(pa.float32(), 2))})
    write_parquet(tmp_path / "bare.parquet", table, vectors_schema(2))
    write_parquet(tmp_path / "nan.parquet", table, vectors_schema(2), {"source": "s", "sha256": "0" * 64})
    with pytest.raises(PipelineError, match="not a file of word vectors") as bare:
        VectorSpace.read(tmp_path / "bare.parquet")
    assert "metadata source" in bare.value.expected
    with pytest.raises(PipelineError, match="not finite") as nan:
        VectorSpace.read(tmp_path / "nan.parquet")
    assert "token 'a'" in nan.value.where
