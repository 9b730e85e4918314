"""Further references to the contexts of a split, beside the response that the corpus has.

People bring them, or they are the other texts of a cluster of paraphrases.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.files.user_tables import read_rows, texts_of
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.text.tokenisers import Tokeniser

_COLUMNS = {"context": "context", "reference": "reference"}
_SIDES = ("context", "response")


def further_references(path: Path, examples: Path, tokeniser: Tokeniser) -> pa.Table:
    """Read further references and find the examples that they belong to.

    Args:
        path: CSV, JSON lines or Parquet with columns ``context`` and ``reference``, a row for each reference. Those of
            a context count for every example that has it.
        examples: `EXAMPLES` before filtering; a context is written as there, or so that the tokeniser makes it so.
        tokeniser: the corpus's tokeniser.
    Returns:
        `REFERENCES`, by example id, each different from the others and from the example's own response.
    Raises:
        PipelineError: not such a table, an empty place, or a context that the split does not have.
    """
    split = read_parquet(examples, EXAMPLES, ["example_id", "context", "response"])
    given = pa.Table.from_batches(read_rows(path, _COLUMNS), pa.schema([(name, pa.string()) for name in _COLUMNS]))
    context, reference = (texts_of(given, name, path) for name in _COLUMNS)
    known = pc.is_in(context, value_set=pc.unique(split["context"]))
    context = pc.if_else(known, context, tokeniser.tokenise_array(context))
    rows = pa.table({"context": context, "reference": tokeniser.tokenise_array(reference)})
    _check_contexts(rows["context"], split["context"], path, examples)
    found = rows.group_by(["context", "reference"]).aggregate([]).join(split, "context", join_type="inner")
    return _others(found)


def cluster_references(examples: Path) -> pa.Table:
    """List for each example the other texts of its cluster of paraphrases, each once.

    Args:
        examples: `EXAMPLES` of a split, whose ``dialogue_id`` is the cluster.
    Returns:
        `REFERENCES`, by example id, all different from the context and from the example's own response.
    """
    split = read_parquet(examples, EXAMPLES, ["example_id", "dialogue_id", "context", "response"])
    sides = [split.select(["dialogue_id", side]).rename_columns(["dialogue_id", "reference"]) for side in _SIDES]
    texts = pa.concat_tables(sides).group_by(["dialogue_id", "reference"]).aggregate([])
    found = texts.join(split, "dialogue_id", join_type="inner")
    return _others(found.filter(pc.not_equal(found["reference"], found["context"])))


def _others(found: pa.Table) -> pa.Table:
    others = found.filter(pc.not_equal(found["reference"], found["response"]))
    order = [("example_id", "ascending"), ("reference", "ascending")]
    return others.select(REFERENCES.names).sort_by(order).cast(REFERENCES)


def _check_contexts(contexts: pa.ChunkedArray, known: pa.ChunkedArray, path: Path, examples: Path) -> None:
    absent = pc.unique(contexts.filter(pc.invert(pc.is_in(contexts, value_set=known))))
    if len(absent) or not len(contexts):
        some = "; ".join(repr(text) for text in absent[:3].to_pylist())
        raise PipelineError(
            f"{len(absent)} contexts are none of {examples}, such as {some}" if some else "no references",
            where=path,
            expected="contexts of that file, as they are written there, and a reference beside each",
            remedy="correct or remove the others",
        )
