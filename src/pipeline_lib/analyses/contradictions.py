"""Training contexts whose responses contradict each other, and the contexts nearest to them in the other splits.

Texts are compared by the cosine of their mean word vectors over content words. A context is a case when

- it has several different responses, no more alike than the responses to different contexts are on average;
- it has at least `FEWEST_CONTENT_WORDS` different content words: "yes ." contradicts nothing;
- its nearest contexts of validation and test are nearer than those of half of the contexts with several responses;
  a context of the same words in the same order is not counted among them: it says nothing about similar ones.

Of these the ones with the least alike responses are taken, and ties go to the context that comes first in the
alphabet. Texts that share half of their words or more are near-duplicates: a case needs several responses that are
none of each other, and a context that is one of an earlier case's is passed over.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.metrics.items import encode
from pipeline_lib.schemas.cases import CASES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.text.stopwords import stop_words
from pipeline_lib.vectors.means import MeanVectors
from pipeline_lib.vectors.space import VectorSpace

FEWEST_CONTENT_WORDS = 3
SHARED_WORDS = 0.5  # of the words that two texts have together: from here on they are near-duplicates
CLITICS = ("n't", "'s", "'m", "'re", "'ve", "'ll", "'d", "ca", "wo")  # pieces that the tokeniser splits off or leaves
ROWS = 256  # contexts compared with a whole split at once: 250 MB for one of 125,000


class Options(Settings):
    """Training contexts with contradictory responses, and the contexts nearest to them."""

    contexts: Positive = Field(default=5, description="training contexts that are shown")
    neighbours: Positive = Field(default=1, description="nearest contexts of validation and of test for each")
    fewest_responses: Annotated[int, Field(ge=2)] = Field(
        default=2, description="different responses that a context must have"
    )


def needs(options: Options) -> Needs:
    return Needs("texts", of_corpus=True)


class _Texts(NamedTuple):
    """Different texts, sorted.

    Attributes:
        text: (T,) string.
        words: their content words as ids.
        means: (T, D), mean vectors of the content words.
    """

    text: pa.Array
    words: Ragged
    means: MeanVectors

    def units(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return (len(rows), D) float32 means scaled to length 1; zeros for a text without content words."""
        means = self.means[rows]
        norm = np.linalg.norm(means, axis=1, keepdims=True)
        return np.divide(means, norm, out=np.zeros_like(means), where=norm > 0)


class _Several(NamedTuple):
    """M contexts with several different responses.

    Attributes:
        context: (M,) int64, index of the context.
        similarity: (M,) float64, mean cosine between its responses.
    """

    context: np.ndarray
    similarity: np.ndarray


def find_cases(
    examples: Mapping[str, Path], vectors: Path, options: Options, language: str | None = "english"
) -> pa.Table:
    """Choose the contexts and their neighbours.

    Args:
        examples: split -> its examples (`EXAMPLES`).
        vectors: word vectors (`vectors_schema`).
        language: the language of stop words, as the tokeniser of the corpus gives it; None: none are known.
    Returns:
        `CASES`, ``options.contexts`` cases at most, fewer where the corpus has fewer.
    """
    space = VectorSpace.read(vectors)
    tables = {
        split: read_parquet(path, EXAMPLES, ["example_id", "context", "response"]) for split, path in examples.items()
    }
    contexts, responses = (
        _texts(_different(tables["train"][side]), space, language) for side in ("context", "response")
    )
    several = _with_several(tables["train"], contexts, responses, options.fewest_responses)
    others = {
        split: _texts(_different(tables[split]["context"]), space, language) for split in tables if split != "train"
    }
    near = {
        split: _nearest(
            contexts.units(several.context),
            texts.units(slice(None)),
            options.neighbours,
            _places_of(contexts.text.take(pa.array(several.context)), texts.text),
        )
        for split, texts in others.items()
    }
    ranking = _rank(several, [cosine[:, 0] for _, cosine in near.values()], responses)
    rows: list[dict[str, Any]] = []
    for case, (i, own) in enumerate(_choose(ranking, contexts, several, tables["train"], options), start=1):
        rows += [{"case": case, "similarity": float(several.similarity[i])} | row for row in own]
        for split, (index, cosine) in near.items():
            for j, value in zip(index[i], cosine[i], strict=True):
                if not np.isfinite(value):
                    continue  # the split has too few other contexts
                first = _examples_of(tables[split], split, others[split].text[j].as_py())[0]
                rows.append({"case": case, "similarity": float(value)} | first)
    return pa.Table.from_pylist(rows, CASES)


# --- texts ---------------------------------------------------------------------------------------------------------


def _different(texts: pa.ChunkedArray) -> pa.Array:
    unique = pc.unique(texts)
    return unique.take(pc.sort_indices(unique))


def _texts(texts: pa.Array, space: VectorSpace, language: str | None) -> _Texts:
    vocabulary, (words,) = encode(texts)
    content = _is_content(vocabulary, language) & pc.is_in(vocabulary, value_set=space.tokens).to_numpy(
        zero_copy_only=False
    )
    words = words.keep(content[words.ids])
    lists = pa.ListArray.from_arrays(words.offsets.astype(np.int32), vocabulary.take(pa.array(words.ids)))
    return _Texts(texts, words, MeanVectors([lists], space))


def _is_content(vocabulary: pa.Array, language: str | None) -> np.ndarray:
    """Mark tokens that are neither a stop word nor a piece of one, and have a letter in them: (V,) bool."""
    stop = pa.concat_arrays([stop_words(language), pa.array(CLITICS)])
    plain = pc.invert(pc.is_in(vocabulary, value_set=stop))
    return pc.and_(plain, pc.match_substring_regex(vocabulary, r"\pL")).to_numpy(zero_copy_only=False)


def _different_words(texts: _Texts) -> np.ndarray:
    """Count the different content words of each text: (T,) int64."""
    bound = int(texts.words.ids.max(initial=0)) + 1
    return np.bincount(np.unique(texts.words.text * bound + texts.words.ids) // bound, minlength=len(texts.text))


# --- what makes a case ---------------------------------------------------------------------------------------------


def _with_several(train: pa.Table, contexts: _Texts, responses: _Texts, fewest: int) -> _Several:
    """Find the contexts with content and with ``fewest`` or more different responses with content."""
    context = pc.index_in(train["context"], value_set=contexts.text).to_numpy()
    response = pc.index_in(train["response"], value_set=responses.text).to_numpy()
    both = (_different_words(contexts) >= FEWEST_CONTENT_WORDS)[context] & (responses.words.lengths > 0)[response]
    key = np.unique(context[both].astype(np.int64) * len(responses.text) + response[both])
    of_context, response = np.divmod(key, len(responses.text))
    index, count = np.unique(of_context, return_counts=True)
    enough = count >= fewest
    response = response[np.repeat(enough, count)]
    index, count = index[enough], count[enough]
    end = np.cumsum(count)
    similarity = np.empty(len(index))
    for low in range(0, len(index), ROWS):  # the vectors of all responses at once would fill the memory
        start, stop = end[low : low + ROWS] - count[low : low + ROWS], end[low : low + ROWS]
        units = responses.units(response[start[0] : stop[-1]]).astype(np.float64)
        similarity[low : low + ROWS] = _mean_cosine(np.add.reduceat(units, start - start[0]), stop - start)
    return _Several(index, similarity)


def _mean_cosine(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the mean cosine over the pairs of ``count`` (M,) unit vectors, from their sums ``total`` (M, D)."""
    return ((total**2).sum(axis=-1) - count) / (count * (count - 1))


def _places_of(texts: pa.Array, others: pa.Array) -> np.ndarray:
    """Find each of ``texts`` (M,) among ``others`` (T,): (M,) int64, -1 where it is not there."""
    return np.asarray(pc.fill_null(pc.index_in(texts, value_set=others), -1)).astype(np.int64)


def _nearest(
    left: np.ndarray, right: np.ndarray, most: int, equal: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the ``most`` nearest of ``right`` (T, D) for each of ``left`` (M, D), nearest first, all unit vectors.

    Args:
        equal: (M,) int64, the one of ``right`` that is the same text, which is passed over; -1: none is.
    Returns:
        (M, K) int64 and (M, K) float64 cosines, K = min(most, T); ties go to the lowest index. A cosine is -inf where
        no text is left.
    """
    k = min(most, len(right))
    index, cosine = np.empty((len(left), k), np.int64), np.empty((len(left), k))
    for low in range(0, len(left), ROWS):
        part = slice(low, low + ROWS)
        # rounded: equal texts must not differ in the last bit, or ties would depend on the machine
        similarity = np.round((left[part] @ right.T).astype(np.float64), 6)
        if equal is not None:
            same = np.flatnonzero(equal[part] >= 0)
            similarity[same, equal[part][same]] = -np.inf
        for rank in range(k):
            best = similarity.argmax(axis=1)
            rows = np.arange(len(best))
            index[part, rank], cosine[part, rank] = best, similarity[rows, best]
            similarity[rows, best] = -np.inf
    return index, cosine


def _rank(several: _Several, nearest: Sequence[np.ndarray], responses: _Texts) -> np.ndarray:
    """List the rows of ``several`` near to the other splits and contradictory, the least alike responses first."""
    if not len(several.context):
        return np.empty(0, np.int64)
    n = int((responses.words.lengths > 0).sum())
    parts = (responses.units(slice(low, low + ROWS)) for low in range(0, len(responses.text), ROWS))
    usual = _mean_cosine(np.sum([part.sum(axis=0, dtype=np.float64) for part in parts], axis=0), np.array(n))
    close = np.all([np.isfinite(values) & (values >= np.median(values)) for values in nearest], axis=0)
    similarity = np.round(several.similarity, 6)
    order = np.argsort(similarity, kind="stable")  # contexts are in alphabetical order already
    return order[(close & (similarity <= usual))[order]]


def _choose(
    ranking: np.ndarray, contexts: _Texts, several: _Several, train: pa.Table, options: Options
) -> list[tuple[int, list[dict[str, Any]]]]:
    """Choose the rows of ``several`` that become cases, each with its responses."""
    chosen: list[tuple[int, list[dict[str, Any]]]] = []
    taken: list[set[Any]] = []
    for i in ranking:
        context = several.context[i]
        start, stop = contexts.words.offsets[context : context + 2]
        words = set(contexts.words.ids[start:stop].tolist())
        if not _is_new(words, taken):
            continue
        own = _examples_of(train, "train", contexts.text[context].as_py())
        if _count_new([set(row["response"].split()) for row in own]) >= options.fewest_responses:
            chosen.append((int(i), own))
            taken.append(words)
        if len(chosen) == options.contexts:
            break
    return chosen


def _count_new(texts: Sequence[set[str]]) -> int:
    """Count the texts that are not near-duplicates of an earlier one."""
    kept: list[set[str]] = []
    for words in texts:
        if _is_new(words, kept):
            kept.append(words)
    return len(kept)


def _is_new(words: set[Any], others: Sequence[set[Any]]) -> bool:
    return all(len(words & other) < SHARED_WORDS * len(words | other) for other in others)


def _examples_of(table: pa.Table, split: str, context: str) -> list[dict[str, Any]]:
    """List the different responses to a context in the order of the corpus; of train, the commonest first."""
    own = table.filter(pc.equal(table["context"], context)).sort_by("example_id")
    found: dict[str, dict[str, Any]] = {}
    for row in own.to_pylist():
        found.setdefault(row["response"], row | {"split": split, "count": 0})["count"] += 1
    if split != "train":
        return list(found.values())
    return sorted(found.values(), key=lambda row: (-row["count"], row["example_id"]))
