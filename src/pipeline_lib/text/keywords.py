"""Keywords by TextRank (Mihalcea and Tarau 2004), on the graph of the package summa.

Nodes are the stems of content words; words next to each other are joined; punctuation and numbers are
passed over (summa's window of 2). Words are ranked by PageRank with damping 0.85; equal scores by earlier position,
or, if so configured, the rarer word first.
Stop words and stems are those of the tokeniser's language. Where it has none, every word is a content word and its own
stem.

The packaged ``summa.keywords`` gives nothing for most short utterances. Here an utterance whose graph has no edge gets
its word of highest idf, or else its first token: every utterance that is not empty has a keyword.

The package ranks by the first eigenvector that LAPACK happens to return. Where the graph falls into several parts, as
for most dialogue, that is often not PageRank's (in 36 % of DailyDialog's utterances and 90 % of texts of eight
utterances). The linear system that defines PageRank is solved here instead: where the package's vector is the right one
the results agree. Both choose from the same words, unless an utterance has clitics or hyphens, which the package cuts
otherwise (34 of 142 utterances of a sample then differ).
"""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, lru_cache
from itertools import chain, islice, pairwise
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow as pa

from pipeline_lib.config.keywords import Keywords
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, parquet_writer
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.stage.progress import ProgressBar
from pipeline_lib.text.ragged import count_tokens, flatten

# summa imports scipy, which is slow; it is imported by the functions that need it

DAMPING = 0.85
_CLITICS = {"n't", "ca", "wo"}  # the parts of can't and won't, which summa's stop words do not know
_EXAMPLES_AT_ONCE = 32_768  # bounds memory
_BATCHES_HERE = 4  # a file of fewer is done sooner than processes have started
_BATCHES_AHEAD = 2  # of each process


def extract_keywords(
    examples: Path, train: Path, settings: Keywords, language: str | None, threads: int, out: Path
) -> None:
    """Write the keywords of both sides of every example, batch by batch in bounded memory.

    Args:
        examples: a file of `EXAMPLES`.
        train: examples of the training split, from which idf is counted.
        language: the language of stop words and stems, as the tokeniser gives it.
        threads: processes to use; the result does not depend on it.
        out: a file of `KEYWORDS`, in the order of ``examples``.
    Raises:
        PipelineError: ``examples`` or ``train`` is damaged; one of the processes was killed.
    """
    extractor = Extractor(InverseDocumentFrequency.count(train), settings, language)
    batches = iter_parquet(examples, EXAMPLES, ["example_id", "context", "response"], batch_size=_EXAMPLES_AT_ONCE)
    first = list(islice(batches, _BATCHES_HERE))
    every = chain(first, batches)
    worth_processes = threads > 1 and len(first) == _BATCHES_HERE
    extracted = _by_processes(extractor, every, threads) if worth_processes else map(extractor, every)
    with parquet_writer(out, KEYWORDS) as writer, ProgressBar("keywords", None, "examples") as progress:
        for batch in extracted:
            writer.write_batch(batch)
            progress.advance(len(batch))


class Extractor:
    """Keywords of batches of examples.

    Args:
        idf: idf of each word in the training split.
        language: the language of stop words and stems; None: neither is known.
    """

    def __init__(self, idf: "InverseDocumentFrequency", settings: Keywords, language: str | None) -> None:
        self._idf, self._settings, self._language = idf, settings, language

    def __call__(self, examples: pa.RecordBatch) -> pa.RecordBatch:
        """Extract `KEYWORDS` from (example_id, context, response)."""
        # most responses are the next example's context: half of the texts occur twice
        both = pa.concat_arrays([examples["context"], examples["response"]]).dictionary_encode()
        texts = both.dictionary.to_pylist()
        words = [self._ranked(text)[: self._settings.most] or self._idf.best_word(text) for text in texts]
        keywords = pa.array(words, pa.list_(pa.string())).take(both.indices)
        columns = [examples["example_id"], keywords[: len(examples)], keywords[len(examples) :]]
        return pa.RecordBatch.from_arrays(columns, schema=KEYWORDS)

    def _ranked(self, text: str) -> list[str]:
        if self._settings.ties == "position":
            return rank(text, self._language)
        return rank(text, self._language, self._idf.documents)


def _by_processes(extractor: Extractor, batches: Iterable[pa.RecordBatch], processes: int) -> Iterator[pa.RecordBatch]:
    """Run ``map(extractor, batches)`` in several processes, with few batches under way at any time."""
    under_way: deque[Future[pa.RecordBatch]] = deque()
    spawn = get_context("spawn")  # fork is not safe beside Arrow's threads
    try:
        with ProcessPoolExecutor(processes, spawn, _start_process, (extractor,)) as pool:
            for batch in batches:
                under_way.append(pool.submit(_extract, batch))
                if len(under_way) > _BATCHES_AHEAD * processes:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise PipelineError(
            "a process that extracts keywords was killed",
            expected=f"room for {processes} processes of about 300 MB each",
            remedy="give the rule extract_keywords fewer threads or more memory, then run the same command again",
        ) from error


_extractor: Extractor  # of a process that `_by_processes` started


def _start_process(extractor: Extractor) -> None:
    global _extractor
    _extractor = extractor
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is gone.

    A parent that is killed outright cannot tell its processes to end, and they would wait for work for ever.
    """
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _extract(examples: pa.RecordBatch) -> pa.RecordBatch:
    return _extractor(examples)


def rank(text: str, language: str | None, documents: Counter[str] | None = None) -> list[str]:
    """Return the words of the TextRank graph of ``text``, best first; none if it has no edge.

    Args:
        text: tokens joined by one space.
        language: the language of stop words and stems; None: neither is known.
        documents: how many texts have each word; of words of equal rank the rarer comes first. None: the earlier.
    """
    words = [token for token in text.split(" ") if _is_word(token)]
    stems = [stem_of(word, language) for word in words]
    nodes: dict[str, int] = {}  # stem: number, by first appearance
    for stem in stems:
        if stem:
            nodes.setdefault(stem, len(nodes))
    edges = [(nodes[left], nodes[right]) for left, right in pairwise(stems) if left and right]
    if not edges:
        return []
    scores = _pagerank(len(nodes), tuple(edges))
    best = {word: scores[nodes[stem]] for word, stem in zip(words, stems, strict=True) if stem}
    rarity = documents or Counter()
    return sorted((word for word, score in best.items() if score), key=lambda word: (-best[word], rarity[word]))


class InverseDocumentFrequency:
    """The rarity of words among utterances.

    Args:
        documents: number of utterances that contain a token.
    """

    def __init__(self, documents: Counter[str]) -> None:
        self.documents = documents

    @classmethod
    def count(cls, train: Path) -> "InverseDocumentFrequency":
        """Count over both sides of the training examples."""
        documents: Counter[str] = Counter()
        for batch in iter_parquet(train, EXAMPLES, columns=["context", "response"]):
            for side in batch.columns:
                documents.update(_document_counts(side))
        return cls(documents)

    def best_word(self, text: str) -> list[str]:
        """Return the word of highest idf (equal: the earlier), else the first token; [] only for an empty text."""
        tokens = text.split()
        words = [token for token in tokens if _is_word(token)] or tokens[:1]
        return [min(words, key=lambda word: self.documents[word])] if words else []


def _document_counts(texts: pa.Array) -> Counter[str]:
    tokens, offsets = flatten(texts)
    document = pa.array(np.repeat(np.arange(len(texts)), np.diff(offsets)))
    once = pa.table({"document": document, "token": tokens}).group_by(["document", "token"]).aggregate([])
    return count_tokens(once["token"].combine_chunks())


@cache
def _is_word(token: str) -> bool:
    """Tell whether it counts as a word in the window: letters, perhaps with a hyphen, apostrophe or full stop."""
    return token[:1].isalpha() or (token[:1] == "'" and token[1:2].isalpha())


@cache
def stem_of(word: str, language: str | None) -> str:
    """Return the stem by which summa knows a content word; empty for any other word."""
    if not word[0].isalpha() or (language == "english" and word in _CLITICS):
        return ""
    if language is None:
        return word
    from summa.preprocessing import textcleaner

    _choose_language(language)
    return textcleaner.filter_words([word])[0]


@lru_cache(maxsize=1)
def _choose_language(language: str) -> None:
    """Tell summa, which keeps one language for the whole process; a call for the language that it has does nothing."""
    from summa.preprocessing import textcleaner

    textcleaner.init_textcleanner(language, None)


@lru_cache(maxsize=1 << 16)
def _pagerank(size: int, edges: tuple[tuple[int, int], ...]) -> tuple[float, ...]:
    """Return the PageRank of nodes 0..size-1, summing to 1; zero for a node without an edge.

    Small graphs recur, so the result is cached.

    The graph, its adjacency and the removal of unreachable nodes are summa's.
    """
    from summa.commons import build_graph, remove_unreachable_nodes
    from summa.pagerank_weighted import build_adjacency_matrix

    graph = build_graph(range(size))
    for edge in edges:
        if not graph.has_edge(edge):
            graph.add_edge(edge)
    remove_unreachable_nodes(graph)
    kept = graph.nodes()
    step = build_adjacency_matrix(graph).toarray()
    teleport = np.full(len(kept), (1 - DAMPING) / len(kept))
    solved = np.linalg.solve(np.eye(len(kept)) - DAMPING * step.T, teleport)
    scores = dict(zip(kept, np.round(solved, 12).tolist(), strict=True))  # equal scores differ in the last digits
    return tuple(scores.get(node, 0.0) for node in range(size))
