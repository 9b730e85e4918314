"""Keywords: summa's graph, true PageRank, and at least one keyword for everything that is said."""

import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from summa import keywords as summa_keywords
from summa.pagerank_weighted import build_adjacency_matrix

from pipeline_lib.config.keywords import Keywords
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.text import keywords
from pipeline_lib.text.keywords import rank

WORDS = ["market", "river", "bread", "fish", "teacher", "teachers", "letter", "garden", "winter", "train", "doctor"]
WORDS += ["paper", "window", "music", "lesson", "dinner", "bridge", "summer", "walking", "walked", "old", "quiet"]
FILLERS = ["the", "and", "of", "a", ",", "with", "."]


def _text(seed: int, length: int = 60) -> str:
    generator = np.random.default_rng(seed)
    drawn = [generator.choice(WORDS) if generator.random() < 0.6 else generator.choice(FILLERS) for _ in range(length)]
    return " ".join(drawn)


def _packaged_words(text: str) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        phrases = summa_keywords.keywords(text, ratio=1.0, split=True)
    return {word for phrase in phrases for word in phrase.split()}


@pytest.mark.parametrize("seed", range(20))
def test_the_words_to_choose_from_are_those_of_the_package(seed: int) -> None:
    text = _text(seed)
    assert set(rank(text, "english")) == _packaged_words(text)


def test_the_ranking_is_the_packages_wherever_the_package_returns_pageranks_eigenvector() -> None:
    agreed = 0
    for seed in range(60):
        text = _text(seed)
        graph = summa_keywords.get_graph(text)
        summa_keywords._remove_unreachable_nodes(graph)
        scores = summa_keywords._pagerank(graph)
        nodes = graph.nodes()
        step = keywords.DAMPING * build_adjacency_matrix(graph).toarray() + (1 - keywords.DAMPING) / len(nodes)
        found = np.array([scores[node] for node in nodes])
        if not np.allclose(found @ step, found, atol=1e-8):
            continue  # the eigenvector of another eigenvalue
        agreed += 1
        ours = [scores[keywords.stem_of(word, "english")] for word in rank(text, "english")]
        assert ours == sorted(ours, reverse=True) or np.all(np.diff(ours) < 1e-9)
    assert agreed >= 20


def test_scores_are_the_stationary_distribution_found_by_walking() -> None:
    edges = ((0, 1), (1, 2), (2, 0), (2, 3), (4, 5))
    graph = np.zeros((6, 6))
    for a, b in edges:
        graph[a, b] = graph[b, a] = 1
    step = 0.85 * graph / graph.sum(1, keepdims=True) + 0.15 / 6
    expected = np.full(6, 1 / 6)
    for _ in range(500):
        expected = expected @ step
    np.testing.assert_allclose(keywords._pagerank(6, edges), expected, atol=1e-10)


def test_without_a_language_every_word_is_a_node_and_its_own_stem() -> None:
    assert rank("old teacher quiet teachers", "english") == ["teacher", "teachers", "old", "quiet"]
    assert rank("old teacher quiet teachers", None) == ["teacher", "quiet", "old", "teachers"]  # a path of four
    assert rank("the river", None) == ["the", "river"]
    assert rank("der fluss", "german") == rank("the river", "english") == []
    assert rank("the fluss", "german") == ["the", "fluss"]  # summa keeps one language: that of the call counts
    assert rank("小 拳 拳 捶 你", None)[:2] == ["拳", "捶"]


def test_equal_scores_go_by_earlier_position() -> None:
    assert rank("zebra apple", "english") == ["zebra", "apple"]
    assert rank("river market river", "english") == ["river", "market"]


def test_of_equal_scores_the_rarer_word_comes_first_where_ties_go_by_idf(tmp_path: Path) -> None:
    contexts = ["river zebra", "the river", "the old river"]  # in the first both words have one edge
    examples = _examples(tmp_path / "examples.parquet", contexts, ["river market", "yes", "no"])
    found = {}
    for ties in ("position", "idf"):
        out = tmp_path / f"{ties}.parquet"
        keywords.extract_keywords(examples, examples, Keywords.model_validate({"ties": ties}), "english", 1, out)
        table = read_parquet(out, KEYWORDS)
        found[ties] = table["context_keywords"].to_pylist()[0], table["response_keywords"].to_pylist()[0]
    assert found["position"] == (["river", "zebra"], ["river", "market"])
    assert found["idf"] == (["zebra", "river"], ["market", "river"])
    # a word of higher rank comes first however frequent it is
    assert rank("zebra river market", "english", Counter(zebra=1, river=9, market=1))[0] == "river"


def _examples(path: Path, contexts: list[str], responses: list[str]) -> Path:
    n = len(contexts)
    columns = {
        "example_id": pa.array(range(10, 10 + n), pa.int64()),
        "dialogue_id": ["d"] * n,
        "turn": pa.array(range(n), pa.int32()),
        "context": contexts,
        "response": responses,
        "user": pa.nulls(n, pa.string()),
        "label": pa.nulls(n, pa.int32()),
    }
    write_parquet(path, pa.table(columns, schema=EXAMPLES), EXAMPLES)
    return path


def extract_keywords(examples: Path, most: int, threads: int = 1, language: str | None = "english") -> pa.Table:
    """The table that is written."""
    out = examples.with_name("keywords.parquet")
    keywords.extract_keywords(examples, examples, Keywords(most=most), language, threads, out)
    return read_parquet(out, KEYWORDS)


def test_every_utterance_that_is_not_empty_has_a_keyword(tmp_path: Path) -> None:
    contexts = ["yes i do", "? !", "the doctor", "green river and quiet garden walking"]
    examples = _examples(tmp_path / "examples.parquet", contexts, ["i do", "5", "i do", "yes i do"])
    table = extract_keywords(examples, most=2)
    assert table["example_id"].to_pylist() == [10, 11, 12, 13]
    # document frequencies: yes 2, i 4, do 4, the 1, doctor 1
    assert table["context_keywords"].to_pylist()[:3] == [["yes"], ["?"], ["the"]]
    assert len(table["context_keywords"][3]) == 2
    assert table["response_keywords"].to_pylist() == [["i"], ["5"], ["i"], ["yes"]]


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_and_processes_give_the_keywords_of_each_utterance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    texts = ["river", *(_text(seed, 12) for seed in range(40)), "", "of the market"]
    examples = _examples(tmp_path / "examples.parquet", texts[:-1], texts[1:])
    monkeypatch.setattr(keywords, "_EXAMPLES_AT_ONCE", 5)
    table = extract_keywords(examples, most=3, threads=threads)
    expected = [
        rank(text, "english")[:3] or {"river": ["river"], "": [], "of the market": ["market"]}[text] for text in texts
    ]
    assert table["context_keywords"].to_pylist() == expected[:-1]
    assert table["response_keywords"].to_pylist() == expected[1:]


def _die(examples: pa.RecordBatch) -> None:
    os._exit(9)


def test_a_killed_process_is_an_error_and_leaves_earlier_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = _examples(tmp_path / "examples.parquet", ["one two"] * 40, ["two one"] * 40)
    (tmp_path / "keywords.parquet").write_text("earlier")
    monkeypatch.setattr(keywords, "_EXAMPLES_AT_ONCE", 5)
    monkeypatch.setattr(keywords, "_extract", _die)
    with pytest.raises(PipelineError, match="was killed"):
        extract_keywords(examples, most=3, threads=2)
    assert (tmp_path / "keywords.parquet").read_text() == "earlier"


def test_no_utterance_of_dailydialog_is_without_a_keyword(real_data, tmp_path: Path) -> None:
    import zipfile

    from pipeline_lib.text.tokenisers.english import tokenise_array

    with zipfile.ZipFile(real_data("dailydialog/test.zip")) as file:
        name = next(n for n in file.namelist() if n.endswith("dialogues_test.txt"))
        turns = [turn for line in file.read(name).decode().splitlines() for turn in line.split("__eou__")]
    texts = [text for text in tokenise_array(pa.array(turns)).to_pylist() if text]
    examples = _examples(tmp_path / "examples.parquet", texts[:-1], texts[1:])
    table = extract_keywords(examples, most=5)
    for side in ("context", "response"):
        assert min(len(words) for words in table[f"{side}_keywords"].to_pylist()) >= 1
