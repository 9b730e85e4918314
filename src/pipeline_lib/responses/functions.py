"""A system that is one function of the user's own: it is not trained, and has no likelihood to report."""

import importlib
import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.responses.baselines import without_likelihood
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.tokenisers import Tokeniser
from pipeline_lib.vectors.space import VectorSpace


class Responder(Protocol):
    """A function from contexts to responses. It sees training examples, and of the split to answer only the contexts.

    Args:
        contexts: (n,) strings, tokens joined by spaces.
        train: EXAMPLES.
        vectors: the corpus's word vectors.
        seed: the seed of all that is drawn.
        options: ``systems.<name>.options``, by name.
    Returns:
        n responses.
    """

    def __call__(
        self, contexts: pa.Array, train: pa.Table, vectors: VectorSpace, seed: int, **options: Any
    ) -> Sequence[str]: ...


def respond_with(
    function: str, options: dict[str, Any], train: Path, examples: Path, vectors: Path, tokeniser: Tokeniser, seed: int
) -> pa.Table:
    """Ask ``function`` (``module.name``) for a response to every context of ``examples`` (EXAMPLES).

    Args:
        tokeniser: the corpus's tokeniser.
    Returns:
        RESPONSES without likelihoods, the responses tokenised, in the order of ``examples``.
    Raises:
        PipelineError: there is no such function, it takes other arguments, or it gives something else than a text for
            each context.
    """
    respond = _function(function, options)
    texts = read_parquet(examples, EXAMPLES)
    known = read_parquet(train, EXAMPLES)
    given = respond(texts["context"].combine_chunks(), known, VectorSpace.read(vectors), seed, **options)
    if not isinstance(given, Iterable):
        raise PipelineError(
            f"a value of type {type(given).__name__}, not responses",
            where=f"function {function}",
            expected=f"a list of {len(texts)} texts, one for each context, in order",
            remedy="have the function return its list",
        )
    responses = list(given)
    if len(responses) != len(texts) or not all(isinstance(text, str) for text in responses):
        kinds = ", ".join(sorted({type(text).__name__ for text in responses}))
        raise PipelineError(
            f"{len(responses)} responses of type {kinds or 'none'} to {len(texts)} contexts",
            where=f"function {function}",
            expected=f"a list of {len(texts)} texts, one for each context, in order",
            remedy="correct the function",
        )
    try:
        column = pa.array(responses, pa.string())
    except UnicodeEncodeError as error:
        raise PipelineError(
            f"a response is no text that can be written: {error}",
            where=f"function {function}",
            expected="texts without half characters (lone surrogates)",
            remedy="correct the function; text.encode(errors='replace').decode() gets rid of them",
        ) from error
    return without_likelihood(texts, tokeniser.tokenise_array(column))


def _function(path: str, options: dict[str, Any]) -> Responder:
    module, _, name = path.rpartition(".")
    try:
        found: Responder = getattr(importlib.import_module(module), name)
        inspect.signature(found).bind("contexts", "train", "vectors", "seed", **options)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise PipelineError(
            f"no function {path!r} to call: {error}",
            where="systems.<name>.function",
            expected="module.name of a function (contexts, train, vectors, seed), and its options by name",
            remedy="correct the entry, its options or the function, or put the module's folder on PYTHONPATH",
        ) from error
    return found
