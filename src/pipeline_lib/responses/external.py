"""Responses of a system that was not trained here (say, a language model's), as one more row of every table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.files.user_tables import read_table, texts_of
from pipeline_lib.responses.baselines import without_likelihood
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.text.tokenisers import Tokeniser

_COLUMNS = {"context": "context", "response": "response"}
_SAMPLE = "sample"
_MOST = np.iinfo(np.int16).max  # responses to a context, whose numbers are int16


def external(responses: Path, examples: Path, tokeniser: Tokeniser) -> pa.Table:
    """Read the responses, one or several, to each context of a split.

    Args:
        responses: CSV, JSON lines or Parquet with columns ``context`` and ``response``. A context that the split has
            several times is answered once for all of them. With a column ``sample`` (whole numbers) a response is what
            one sample says; without it the different responses to a context are numbered in the order of the file.
        examples: EXAMPLES, whose contexts (``results/filtered``) were to be answered.
        tokeniser: the corpus's tokeniser.
    Returns:
        RESPONSES without likelihoods, in the order of ``examples``, the samples of an example together.
    Raises:
        PipelineError: an empty place, contexts without a response, contexts that the split does not have, two
            different responses of one sample, or more than `_MOST` responses to a context.
    """
    texts = read_parquet(examples, EXAMPLES)
    contexts = pc.unique(texts["context"])
    answers = _answers(responses, contexts, tokeniser)
    _check(contexts, answers["context"], responses, f"{{}} of {len(contexts)} contexts have no response")
    _check(answers["context"], contexts, responses, f"{{}} contexts are none of {examples}")

    first, counts = _runs(answers["context"])
    if counts.max(initial=0) > _MOST:
        raise PipelineError(
            f"{counts.max():,} responses to one context, {answers['context'][first[counts.argmax()]].as_py()!r}",
            where=responses,
            expected=f"{_MOST:,} at most",
            remedy="give fewer samples",
        )
    of_example = pc.index_in(texts["context"], value_set=answers["context"].take(pa.array(first))).to_numpy()
    counts, first = counts[of_example], first[of_example]
    sample = _positions(counts)
    repeated = texts.take(pa.array(np.repeat(np.arange(len(texts)), counts)))
    return without_likelihood(repeated, answers["response"].take(pa.array(np.repeat(first, counts) + sample)), sample)


def _answers(path: Path, contexts: pa.Array, tokeniser: Tokeniser) -> pa.Table:
    """Return different (context, response[, sample]), tokenised, the responses to a context together and in order.

    One of the ``contexts`` as it was written down stays so: a tokeniser may cut the reserved tokens in it.
    """
    rows = read_table(path, _COLUMNS, [_SAMPLE], remedy="write the responses into the file")
    numbered = _SAMPLE in rows.column_names
    given = {name: texts_of(rows, name, path) for name in _COLUMNS}
    answers = pa.table({name: tokeniser.tokenise_array(texts) for name, texts in given.items()})
    as_written = pc.if_else(pc.is_in(given["context"], value_set=contexts), given["context"], answers["context"])
    answers = answers.set_column(0, "context", as_written)
    answers = answers.append_column(_SAMPLE, _numbers(rows, path) if numbered else pa.nulls(len(rows), pa.int64()))
    keys = ["context", "response", _SAMPLE]
    places = answers.append_column("place", pa.array(np.arange(len(answers))))
    # groups come in no order that Arrow promises, and in fact not in that of the file
    distinct = places.group_by(keys, use_threads=False).aggregate([("place", "min")]).sort_by("place_min").select(keys)
    if numbered:
        distinct = distinct.sort_by(_SAMPLE)
    order = pc.array_sort_indices(pc.index_in(distinct["context"], value_set=pc.unique(distinct["context"])))
    distinct = distinct.take(order)
    if numbered:
        _check_samples(distinct, path)
    return distinct


def _numbers(rows: pa.Table, path: Path) -> pa.ChunkedArray:
    column = rows[_SAMPLE]
    try:
        numbers = column.cast(pa.int64())
    except pa.ArrowException as error:
        raise _bad_sample(str(error), path) from error
    if numbers.null_count:
        raise _bad_sample(f"missing in {numbers.null_count} rows", path)
    return numbers


def _bad_sample(problem: str, path: Path) -> PipelineError:
    return PipelineError(
        f"column 'sample': {problem}",
        where=path,
        expected="a whole number in every row, 0, 1, …, that tells the responses to one context apart",
        remedy="number them, or leave the column out",
    )


def _check_samples(answers: pa.Table, path: Path) -> None:
    counts = answers.group_by(["context", _SAMPLE], use_threads=False).aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1))
    if len(several):
        first = several.slice(0, 1).to_pylist()[0]
        raise PipelineError(
            f"sample {first[_SAMPLE]} of context {first['context']!r} has {first['count_all']} different responses",
            where=path,
            expected="one response for each context and sample",
            remedy="give each response to a context a sample number of its own, or leave the column out",
        )


def _runs(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each run of equal values begins, and its length: (C,) each."""
    runs = pc.run_end_encode(column.combine_chunks(), pa.int64())
    ends = runs.run_ends.to_numpy()
    lengths = np.diff(ends, prepend=0)
    return ends - lengths, lengths


def _positions(counts: NDArray[np.int64]) -> NDArray[np.int16]:
    """Number the items of each run from 0: 0, 1, …, counts[0] - 1, 0, 1, …, counts[1] - 1, …"""
    starts = np.cumsum(counts) - counts
    return (np.arange(counts.sum()) - np.repeat(starts, counts)).astype(np.int16)


def _check(wanted: pa.ChunkedArray, known: pa.ChunkedArray, path: Path, problem: str) -> None:
    absent = pc.unique(wanted.filter(pc.invert(pc.is_in(wanted, value_set=known))))
    if len(absent):
        examples = "; ".join(repr(text) for text in absent[:3].to_pylist())
        raise PipelineError(
            f"{problem.format(len(absent))}, such as {examples}",
            where=path,
            expected="exactly the contexts of results/filtered/<corpus>/<split>.parquet, as they are written there",
            remedy="answer the missing contexts, remove the others",
        )
