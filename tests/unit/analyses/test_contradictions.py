"""Cases: which contexts become one, against word vectors whose cosines can be worked out by hand."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.analyses.contradictions import Options, _count_new, _mean_cosine, _nearest, find_cases
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.vectors import vectors_schema

# two directions of meaning: weather and money
WEATHER = {word: (1.0, 0.0) for word in ("rain", "cloud", "storm", "umbrella", "snow", "wind")}
MONEY = {word: (0.0, 1.0) for word in ("card", "bank", "cheque", "coin", "loan", "credit")}


def examples_of(*texts, first=0):
    rows = [
        {
            "example_id": first + i,
            "dialogue_id": "d",
            "turn": 0,
            "context": context,
            "response": response,
            "label": None,
        }
        for i, (context, response) in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, EXAMPLES)


@pytest.fixture
def find(tmp_path):
    """Gives the cases of a made-up corpus."""

    def run(train, validation=None, test=None, **settings):
        near = [("rain cloud storm", "yes"), ("card bank cheque", "no")]
        tables = {"train": train, "validation": validation or near, "test": test or near}
        files = {}
        for i, (split, texts) in enumerate(tables.items()):
            files[split] = tmp_path / f"{split}.parquet"
            write_parquet(files[split], examples_of(*texts, first=1000 * i), EXAMPLES)
        words = WEATHER | MONEY | {"the": (1.0, 1.0), "is": (0.5, 1.0), "n't": (1.0, 0.0), ".": (1.0, 1.0)}
        table = pa.table(
            {"token": list(words), "vector": pa.array(list(words.values()), pa.list_(pa.float32(), 2))},
            schema=vectors_schema(2),
        )
        write_parquet(tmp_path / "vectors.parquet", table, vectors_schema(2), {"source": "made", "sha256": "0" * 64})
        return find_cases(files, tmp_path / "vectors.parquet", Options(**settings)).to_pylist()

    return run


CONTRADICTORY = [
    ("rain cloud umbrella", "rain ."),
    ("rain cloud umbrella", "card ."),
    ("snow", "wind"),
    ("loan", "coin"),
]


def test_a_context_with_opposite_responses_is_a_case_with_its_nearest_contexts(find):
    rows = find(CONTRADICTORY)
    assert [(row["split"], row["context"], row["response"]) for row in rows] == [
        ("train", "rain cloud umbrella", "rain ."),
        ("train", "rain cloud umbrella", "card ."),
        ("validation", "rain cloud storm", "yes"),
        ("test", "rain cloud storm", "yes"),
    ]
    assert [row["similarity"] for row in rows] == pytest.approx([0, 0, 1, 1], abs=1e-6)  # right angle; same direction
    assert [row["example_id"] for row in rows] == [0, 1, 1000, 2000]


def test_a_context_with_alike_responses_is_no_case(find):
    alike = [("rain cloud umbrella", "rain ."), ("rain cloud umbrella", "snow ."), ("card", "coin"), ("card", "storm")]
    assert find(alike) == []


@pytest.mark.parametrize(
    "context",
    [
        "rain",  # one token
        "the is the is",  # stop words
        "rain n't rain . rain cloud",  # two different content words, a clitic and a stop
        "unknown words without vectors",
    ],
)
def test_a_context_without_content_is_no_case(find, context):
    assert find([(context, "rain"), (context, "card"), ("snow", "wind"), ("loan", "coin")]) == []


def test_a_context_that_is_itself_in_the_other_split_is_not_its_own_neighbour(find):
    own = ("rain cloud umbrella", "itself")
    near = [("rain cloud storm", "yes"), own, ("card bank cheque", "no")]
    rows = find(CONTRADICTORY, validation=near, test=near, neighbours=3)
    for split, first in (("validation", 1000), ("test", 2000)):
        of_split = [(row["context"], row["example_id"] - first) for row in rows if row["split"] == split]
        assert of_split == [("rain cloud storm", 0), ("card bank cheque", 2)]


def test_a_context_whose_other_split_has_nothing_but_itself_is_no_case(find):
    assert find(CONTRADICTORY, test=[("rain cloud umbrella", "itself")]) == []


def test_repeated_responses_are_counted_and_shown_first(find):
    rows = find([*CONTRADICTORY, ("rain cloud umbrella", "card .")])
    of_train = [(row["response"], row["count"]) for row in rows if row["split"] == "train"]
    assert of_train == [("card .", 2), ("rain .", 1)]


def test_near_duplicates_are_neither_two_responses_nor_two_cases(find):
    assert _count_new([{"it", "is", "rain"}, {"it", "is", "card"}, {"loan"}]) == 2
    twice = [(f"rain cloud {word}", answer) for word in ("umbrella", "snow") for answer in ("rain .", "card .")]
    rows = find([*twice, ("snow", "wind"), ("loan", "coin")])
    assert {row["context"] for row in rows if row["split"] == "train"} == {"rain cloud snow"}  # first in the alphabet


def test_no_more_cases_are_taken_than_asked_for_and_the_least_alike_come_first(find):
    nearly = [("bank cheque loan", "card loan storm"), ("bank cheque loan", "rain")]
    more = [*CONTRADICTORY, *nearly]
    assert [row["context"] for row in find(more) if row["split"] == "train"][::2] == [
        "rain cloud umbrella",
        "bank cheque loan",
    ]
    assert {row["context"] for row in find(more, contexts=1) if row["split"] == "train"} == {"rain cloud umbrella"}


def test_the_mean_cosine_of_a_set_is_that_of_its_pairs():
    vectors = np.random.default_rng(0).normal(size=(7, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    examples = [float(a @ b) for a, b in combinations(vectors, 2)]
    assert float(_mean_cosine(vectors.sum(axis=0), np.array(7))) == pytest.approx(np.mean(examples))


def test_the_nearest_are_those_of_a_sorted_list_and_ties_go_to_the_first():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(1500, 3)), rng.normal(size=(40, 3))
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right))
    right[7] = right[3]
    index, cosine = _nearest(left, right, 3)
    expected = [sorted(range(40), key=lambda j: (-round(float(row @ right[j]), 6), j))[:3] for row in left]
    assert index.tolist() == expected
    assert cosine[:, 0] == pytest.approx((left @ right.T).max(axis=1), abs=1e-6)
