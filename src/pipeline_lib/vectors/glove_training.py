"""GloVe trained on the training split (Pennington, Socher and Manning 2014, equations 8 and 9).

Weighted least squares on the logarithm of co-occurrence counts, by AdaGrad over mini-batches of non-zero entries. The
result is the sum of main and context vectors, as in the paper; glove-python-binary trains one set of vectors, which it
uses on both sides of the inner product.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.embeddings import GloveTraining
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, read_parquet
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.stage.progress import ProgressBar
from pipeline_lib.text.ragged import flatten

# scipy.sparse is slow to import and needed by two functions only: imported there
if TYPE_CHECKING:
    from scipy.sparse import coo_array, csr_array

log = logging.getLogger(__name__)

_UTTERANCES_AT_ONCE = 100_000  # bounds the memory of counting
_FEWEST_AT_ONCE = 8192  # entries of a step


def sentences(dialogues: Path, tokenise: Callable[[pa.Array], pa.Array]) -> Iterator[pa.Array]:
    """Read every utterance of the training split once, tokenised, however many windows it is in.

    Args:
        dialogues: a file of `DIALOGUES`.
        tokenise: `tokenise_array` of the corpus's tokeniser.
    Yields:
        (N) string: tokens joined by one space; `_UTTERANCES_AT_ONCE` of all splits at a time.
    """
    for batch in iter_parquet(dialogues, DIALOGUES, ["text", "split"], batch_size=_UTTERANCES_AT_ONCE):
        yield tokenise(batch["text"].filter(pc.equal(batch["split"], "train")))


def training_tokens(tokens: Path, min_count: int) -> pa.Array:
    """List tokens with ``min_count`` training occurrences or more, most frequent first, equal counts alphabetically.

    Raises:
        PipelineError: no token is frequent enough.
    """
    table = read_parquet(tokens, TOKENS)
    table = table.filter(pc.greater_equal(table["train_count"], min_count))
    if not len(table):
        raise PipelineError(
            f"no token occurs {min_count} times in the training split",
            where=tokens,
            expected="at least one token",
            remedy="lower `embeddings.training.min_count`",
        )
    order = pc.sort_indices(table, [("train_count", "descending"), ("token", "ascending")])
    return table["token"].take(order).combine_chunks()


def count_cooccurrences(texts: Iterable[pa.Array], tokens: pa.Array, window: int) -> "coo_array":
    """Count which tokens are near each other within a sentence.

    Two tokens d places apart, d <= ``window``, add 1/d in both directions; tokens outside ``tokens`` are removed
    before distances are taken, as in the authors' program. Memory grows with the number of different pairs of tokens.

    Args:
        texts: batches of (N) string: tokens joined by one space.
        tokens: (V) string, distinct.
    Returns:
        (V, V) float64, symmetric, entries in row-major order.
    """
    from scipy.sparse import csr_array

    total = csr_array((len(tokens), len(tokens)))
    for batch in texts:
        total = total + _cooccurrences(batch, tokens, window)
    return (total + total.T).tocsr().tocoo()


def _cooccurrences(texts: pa.Array, tokens: pa.Array, window: int) -> "csr_array":
    """Count the co-occurrences of one batch, (V, V) float64, from a token to those after it."""
    from scipy.sparse import coo_array, csr_array

    flat, offsets = flatten(texts)
    sentence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    ids = pc.index_in(flat, tokens)
    inside = pc.is_valid(ids).to_numpy(zero_copy_only=False)
    ids, sentence = ids.drop_null().to_numpy(), sentence[inside]
    counts = csr_array((len(tokens), len(tokens)))
    for distance in range(1, window + 1):
        same = sentence[:-distance] == sentence[distance:]
        left, right = ids[:-distance][same], ids[distance:][same]
        weight = np.full(len(left), 1.0 / distance)
        counts = counts + coo_array((weight, (left, right)), shape=counts.shape).tocsr()
    return counts


def train_vectors(cooccurrences: "coo_array", settings: GloveTraining) -> np.ndarray:
    """Fit word vectors to co-occurrence counts.

    Minimises ``sum f(x_ij) (w_i . c_j + b_i + b'_j - log x_ij)^2 / 2`` with ``f(x) = min(1, (x / x_max)^alpha)``.
    AdaGrad accumulates the squared gradient of every entry, as the authors' program does entry by entry, and a step
    divides by the sum that includes its own batch, so that the result hardly depends on the size of a batch.

    Args:
        cooccurrences: (V, V), from `count_cooccurrences`.
        settings: dimension, epochs, learning rate, x_max, alpha and seed.
    Returns:
        (V, dimension) float32: sums of main and context vectors; the same bytes for the same seed.
    Raises:
        PipelineError: there is nothing to fit, or training diverged.
    """
    if not cooccurrences.nnz:
        raise PipelineError(
            "no two tokens of the training split are near each other",
            where="co-occurrence counts",
            expected="sentences of two known tokens or more",
            remedy="lower `embeddings.training.min_count` or use a larger corpus",
        )
    generator = np.random.default_rng(settings.seed)
    entries = Entries.of(cooccurrences, settings)
    factors = Factors.random(cooccurrences.shape[0], settings.dimension, generator)
    size = max(_FEWEST_AT_ONCE, 4 * cooccurrences.shape[0])  # a step updates every row: it should see enough entries
    with ProgressBar("GloVe", settings.epochs * len(entries.value), "entries") as progress:
        for _ in range(settings.epochs):
            shuffled = generator.permutation(len(entries.value))
            for start in range(0, len(shuffled), size):
                chosen = np.sort(shuffled[start : start + size])
                factors.step(entries.take(chosen), settings.learning_rate)
                progress.advance(len(chosen))
    log.info("mean loss of %d entries: %.5f", len(entries.value), factors.loss(entries) / len(entries.value))
    vectors = factors.main[:, : settings.dimension] + factors.context[:, : settings.dimension]
    if not np.isfinite(vectors).all():
        raise PipelineError(
            "training diverged: a vector is not finite",
            where="embeddings.training.learning_rate",
            expected=f"a rate at which the loss falls; found {settings.learning_rate}",
            remedy="lower it; the authors use 0.05",
        )
    return vectors


@dataclass(frozen=True)
class Entries:
    """Non-zero co-occurrence counts.

    Attributes:
        row: (M) int32.
        column: (M) int32.
        value: (M) float32, log x.
        weight: (M) float32, f(x).
    """

    row: np.ndarray
    column: np.ndarray
    value: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, cooccurrences: "coo_array", settings: GloveTraining) -> "Entries":
        """Take logarithms and weights of counts."""
        counts = cooccurrences.data
        weight = np.minimum(1.0, (counts / settings.x_max) ** settings.alpha)
        return cls(cooccurrences.row, cooccurrences.col, np.log(counts, dtype=np.float32), weight.astype(np.float32))

    def take(self, chosen: np.ndarray) -> "Entries":
        """Return the entries at positions ``chosen``."""
        return Entries(self.row[chosen], self.column[chosen], self.value[chosen], self.weight[chosen])


class Factors:
    """Main and context vectors with their biases, and AdaGrad's sums.

    A row of ``main`` is (w, b, 1) and one of ``context`` (c, 1, b'), so that their inner product holds the biases.

    Args:
        main: (V, dimension + 2) float32, changed in place.
        context: of the same shape, changed in place.
    """

    def __init__(self, main: np.ndarray, context: np.ndarray) -> None:
        self.main, self.context = main, context
        # 1, not 0, as in the authors' program: a rare pair's tiny first gradient must not be blown up to a full step
        self._main_squares, self._context_squares = np.ones_like(main), np.ones_like(context)
        self._fix_ones()

    @classmethod
    def random(cls, size: int, dimension: int, generator: np.random.Generator) -> "Factors":
        """Draw factors uniformly in +- 0.5 / (dimension + 1), as in the authors' program."""
        drawn = (generator.random((2, size, dimension + 2), dtype=np.float32) - 0.5) / (dimension + 1)
        return cls(drawn[0], drawn[1])

    def errors(self, entries: Entries) -> np.ndarray:
        """Return w_i . c_j + b_i + b'_j - log x_ij: (M) float32."""
        return np.einsum("me,me->m", self.main[entries.row], self.context[entries.column]) - entries.value

    def loss(self, entries: Entries) -> float:
        """Return the objective, summed over ``entries``."""
        total = 0.0
        for start in range(0, len(entries.value), 1 << 16):  # bounds memory
            some = entries.take(np.arange(start, min(start + (1 << 16), len(entries.value))))
            total += 0.5 * float(np.sum(some.weight * self.errors(some) ** 2, dtype=np.float64))
        return total

    def step(self, entries: Entries, learning_rate: float) -> None:
        """Take one AdaGrad step on ``entries``, all gradients taken at the same point."""
        from scipy.sparse import coo_array

        slope = entries.weight * self.errors(entries)
        shape = (len(self.main), len(self.context))
        slopes = coo_array((slope, (entries.row, entries.column)), shape=shape).tocsr()
        main, context = slopes @ self.context, slopes.T @ self.main
        squares = slopes.power(2)
        self._main_squares += squares @ self.context**2
        self._context_squares += squares.T @ self.main**2
        self.main -= learning_rate * main / np.sqrt(self._main_squares)
        self.context -= learning_rate * context / np.sqrt(self._context_squares)
        self._fix_ones()

    def _fix_ones(self) -> None:
        self.main[:, -1] = 1
        self.context[:, -2] = 1
