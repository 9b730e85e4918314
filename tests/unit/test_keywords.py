"""Keywords: summa's graph, true PageRank, and at least one keyword for everything that is said."""

import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from summa import keywords as summa_keywords
from summa.pagerank_weighted import build_adjacency_matrix

from pipeline_lib.schema import KEYWORDS, PAIRS
from pipeline_lib.storage import write_parquet
from pipeline_lib.text import keywords
from pipeline_lib.text.keywords import extract_keywords, rank, rank_utterances

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
    assert set(rank(text)) == _packaged_words(text)


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
        ours = [scores[keywords._stem(word)] for word in rank(text)]
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


def test_equal_scores_go_by_earlier_position() -> None:
    assert rank("zebra apple") == ["zebra", "apple"]
    assert rank("river market river") == ["river", "market"]


def _pairs(path: Path, contexts: list[str], responses: list[str]) -> Path:
    n = len(contexts)
    columns = {
        "pair_id": pa.array(range(10, 10 + n), pa.int64()),
        "dialogue_id": ["d"] * n,
        "turn": pa.array(range(n), pa.int32()),
        "context": contexts,
        "response": responses,
        "label": pa.nulls(n, pa.int32()),
    }
    write_parquet(path, pa.table(columns, schema=PAIRS), PAIRS)
    return path


def test_every_utterance_that_is_not_empty_has_a_keyword(tmp_path: Path) -> None:
    contexts = ["yes i do", "? !", "the doctor", "green river and quiet garden walking"]
    pairs = _pairs(tmp_path / "pairs.parquet", contexts, ["i do", "5", "i do", "yes i do"])
    table = extract_keywords(pairs, pairs, most=2, threads=1)
    assert table.schema.equals(KEYWORDS)
    assert table["pair_id"].to_pylist() == [10, 11, 12, 13]
    # document frequencies: yes 2, i 4, do 4, the 1, doctor 1
    assert table["context_keywords"].to_pylist()[:3] == [["yes"], ["?"], ["the"]]
    assert len(table["context_keywords"][3]) == 2
    assert table["response_keywords"].to_pylist() == [["i"], ["5"], ["i"], ["yes"]]


def test_more_processes_give_the_same_keywords(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [_text(seed, 12) for seed in range(40)]
    alone = rank_utterances(texts, threads=1)
    monkeypatch.setattr(keywords, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(keywords, "_AT_ONCE", 7)
    assert rank_utterances(texts, threads=2) == alone


def test_no_utterance_of_dailydialog_is_without_a_keyword(real_data, tmp_path: Path) -> None:
    import zipfile

    from pipeline_lib.text.tokenise import tokenise_array

    with zipfile.ZipFile(real_data("dailydialog/test.zip")) as file:
        name = next(n for n in file.namelist() if n.endswith("dialogues_test.txt"))
        turns = [turn for line in file.read(name).decode().splitlines() for turn in line.split("__eou__")]
    texts = [text for text in tokenise_array(pa.array(turns)).to_pylist() if text]
    pairs = _pairs(tmp_path / "pairs.parquet", texts[:-1], texts[1:])
    table = extract_keywords(pairs, pairs, most=5, threads=1)
    for side in ("context", "response"):
        assert min(len(words) for words in table[f"{side}_keywords"].to_pylist()) >= 1
