"""What Keywords and Instances prepares before training: negatives, and the graph of keywords.

Negatives: the stage `negatives_of` from files of examples, keywords and dialogues to a table with source and cosine, in
a process of its own; drawn ones for all pairs, the nearest texts for the first 200 alone, as their search is quadratic:
all pairs would take as many times longer as the last column says. Memory is the peak of the whole process, in which
both kinds have all texts and their vectors. Texts of ten words drawn by Zipf's law, two to a pair, all different.

The graph: 2,500 and 18,000 pairs, whose keywords are drawn so that the larger graph has about 230,000 edges, against a
loop over the pairs with sets of edges; the edges must be equal. Best of five, in turns. Processor time; some minutes.

    python benchmarks/contrasts.py [pairs ...]
"""

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import head, python, row
from numpy.typing import NDArray

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.examples import negatives
from pipeline_lib.examples.contrasted import negatives_of
from pipeline_lib.examples.keyword_graph import impostor_candidates, keyword_graph, neighbours
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.contrasts import CONTRASTS
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.text.tokenisers import tokeniser

PAIRS, WORDS, LENGTH, SEARCHED = (50_000, 200_000, 1_000_000), 50_000, 10, 200
NEIGHBOURS = 8


def texts(random: np.random.Generator, n: int) -> tuple[pa.Array, pa.Array]:
    """Return n texts and the rarest word of each."""
    weights = 1 / (np.arange(WORDS) + 3)
    drawn = random.choice(WORDS, (n, LENGTH), p=weights / weights.sum())
    words = pa.array([f"w{i}" for i in range(WORDS)])
    offsets = pa.array(np.arange(0, n * LENGTH + 1, LENGTH, dtype=np.int32))
    lists = pa.ListArray.from_arrays(offsets, words.take(pa.array(drawn.ravel())))
    return pa.compute.binary_join(lists, " "), words.take(pa.array(drawn.max(1)))


def write_corpus(folder: Path, n: int) -> None:
    random = np.random.default_rng(0)
    (context, asked), (response, said) = texts(random, n), texts(random, n)
    cluster, nothing = pa.array([f"{i:07d}" for i in range(n)]), pa.nulls(n)
    columns = {
        "example_id": range(n),
        "dialogue_id": cluster,
        "turn": [1] * n,
        "context": context,
        "response": response,
    }
    examples = pa.table(columns | {"user": nothing.cast(pa.string()), "label": nothing.cast(pa.int64())})
    write_parquet(folder / "examples.parquet", examples.cast(EXAMPLES), EXAMPLES)
    one_each = pa.array(np.arange(n + 1, dtype=np.int32))
    lists = [pa.ListArray.from_arrays(one_each, side) for side in (asked, said)]
    keywords = pa.table([pa.array(range(n)), *lists], names=KEYWORDS.names)
    write_parquet(folder / "keywords.parquet", keywords.cast(KEYWORDS), KEYWORDS)
    rows = {"dialogue_id": pa.concat_arrays([cluster, cluster]), "turn": [0] * n + [1] * n}
    rows |= {"speaker": pa.nulls(2 * n, pa.string()), "text": pa.concat_arrays([context, response])}
    rows |= {"split": ["train"] * 2 * n, "label": pa.nulls(2 * n, pa.int64())}
    dialogues = pa.table(rows).select(DIALOGUES.names)
    write_parquet(folder / "dialogues.parquet", dialogues.cast(DIALOGUES), DIALOGUES)


def search_some(number: int) -> None:
    """Let the search look at the first examples only; none is found for the others, and a text is drawn."""
    whole = negatives._Texts.nearest

    def nearest(self: negatives._Texts, language: str | None):  # type: ignore[no-untyped-def]
        started = time.process_time()
        for place, found in enumerate(whole(self, language)):
            if place == number:
                break
            yield found
        print(f"searched {(time.process_time() - started) / number}")
        yield from [None] * (len(self._examples.contexts) - number)

    negatives._Texts.nearest = nearest  # type: ignore[method-assign]


def stage(folder: Path, kind: str) -> None:
    if kind == "nearest":
        search_some(SEARCHED)
    files = [folder / f"{name}.parquet" for name in ("examples", "keywords", "examples", "dialogues")]
    found = negatives_of(*files, 1, tokeniser("spaces"), Keywords(), Contrasts(negatives=kind))  # type: ignore[arg-type]
    write_parquet(folder / f"{kind}.parquet", found, CONTRASTS)


def measure_negatives(sizes: list[int]) -> None:
    head("negatives of pairs", "s", "peak GiB", "ms to search for one")
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(Path(folder), n)
            for kind in ("random", "nearest"):
                run = python(__file__, folder, kind)
                told = [1e3 * float(line.split()[1]) for line in run.output.splitlines() if line.startswith("searched")]
                name = f"{n:,}, {kind}" + (f", the first {SEARCHED}" if told else "")
                row(name, f"{run.processor:.0f}", f"{run.peak / 1024:.2f}", f"{told[0]:.1f}" if told else "")


def looped(asked: list[str], said: list[str], other: list[str]) -> set[tuple[str, str, str]]:
    """Make the edges pair by pair."""
    answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for question, answer, different in zip(asked, said, other, strict=True):
        answers[question] += [(answer, "positive"), (different, "negative")]
    edges = set()
    for question, answer in zip(asked, said, strict=True):
        edges |= {(answer, node, sign) for node, sign in answers[question] if node != answer}
    return edges


def keywords_of(n: int, random: np.random.Generator) -> list[list[str]]:
    kinds = n // 3
    weights = 1 / (np.arange(kinds) + kinds / 20)
    drawn: NDArray[np.int64] = random.choice(kinds, (3, n), p=weights / weights.sum())
    return [[f"w{word}" for word in side] for side in drawn]


def measure_graph() -> None:
    head("graph of keywords", "edges", "loop s", "ours s", "with its lists s", "ratio")
    for n in (2_500, 18_000):
        sides = keywords_of(n, np.random.default_rng(1))
        graph = keyword_graph(*sides)
        words = graph.words.to_pylist()
        matrices = {"positive": graph.positive.tocoo(), "negative": graph.negative.tocoo()}
        found = {(words[a], words[b], sign) for sign, one in matrices.items() for a, b in zip(*one.coords, strict=True)}
        assert found == looped(*sides)
        times = np.full((5, 3), np.inf)
        for turn in times:
            for i, form in enumerate(
                (lambda s=sides: looped(*s), lambda s=sides: keyword_graph(*s), lambda g=graph: lists(g))
            ):
                started = time.process_time()
                form()
                turn[i] = time.process_time() - started
        loop, ours, of_lists = times.min(0)
        cells = (f"{loop:.3f}", f"{ours:.3f}", f"{ours + of_lists:.3f}", f"{loop / ours:.1f}")
        row(f"{n:,} pairs", f"{len(found):,}", *cells)


def lists(graph) -> None:  # type: ignore[no-untyped-def]
    for matrix in (graph.positive, graph.negative):
        neighbours(graph, matrix, NEIGHBOURS)
    impostor_candidates(graph, NEIGHBOURS)


if __name__ == "__main__":
    if len(sys.argv) == 3 and not sys.argv[1].isdigit():
        stage(Path(sys.argv[1]), sys.argv[2])  # in this process
    else:
        measure_graph()
        print()
        measure_negatives([int(n) for n in sys.argv[1:]] or list(PAIRS))
