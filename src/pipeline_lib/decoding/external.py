"""Responses of a system that was not trained here (say, a language model's), as one more row of every table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib import schema, storage
from pipeline_lib.decoding.baselines import without_likelihood
from pipeline_lib.errors import PipelineError
from pipeline_lib.text.tokenise import tokenise_array
from pipeline_lib.user_tables import read_rows


def external(responses: Path, pairs: Path) -> pa.Table:
    """Read one response for each context of a split.

    Args:
        responses: CSV, JSON lines or Parquet with columns ``context`` and ``response``; a context that the split has
            several times is answered once.
        pairs: schema.PAIRS, whose contexts (``results/filtered``) were to be answered.
    Returns:
        schema.RESPONSES without likelihoods, in the order of ``pairs``.
    Raises:
        PipelineError: contexts without a response, contexts that the split does not have, or a context with two
            different responses.
    """
    texts = storage.read_parquet(pairs, schema.PAIRS)
    answers = _answers(responses)
    contexts = pc.unique(texts["context"])
    _check(contexts, answers["context"], responses, f"{{}} of {len(contexts)} contexts have no response")
    _check(answers["context"], contexts, responses, f"{{}} contexts are none of {pairs}")
    found = pc.index_in(texts["context"], value_set=answers["context"])
    return without_likelihood(texts, answers["response"].take(found))


def _answers(path: Path) -> pa.Table:
    """Distinct (context, response), tokenised."""
    columns = {"context": "context", "response": "response"}
    rows = pa.Table.from_batches([batch.select(list(columns)) for batch in read_rows(path, columns)])
    tokenised = pa.table({name: tokenise_array(rows[name].cast(pa.string()).fill_null("")) for name in columns})
    distinct = tokenised.group_by(["context", "response"], use_threads=False).aggregate([])
    repeated = distinct["context"].combine_chunks().value_counts()
    several = repeated.filter(pc.greater(repeated.field("counts"), 1)).field("values")
    if len(several):
        raise PipelineError(
            f"{len(several)} contexts have several different responses, the first: {several[0].as_py()!r}",
            where=path,
            expected="one response for each context",
            remedy="keep one row for each context",
        )
    return distinct


def _check(wanted: pa.Array, known: pa.Array, path: Path, problem: str) -> None:
    absent = wanted.filter(pc.invert(pc.is_in(wanted, value_set=known)))
    if len(absent):
        examples = "; ".join(repr(text) for text in absent[:3].to_pylist())
        raise PipelineError(
            f"{problem.format(len(absent))}, such as {examples}",
            where=path,
            expected="exactly the contexts of results/filtered/<corpus>/<split>.parquet, as they are written there",
            remedy="answer the missing contexts, remove the others",
        )
