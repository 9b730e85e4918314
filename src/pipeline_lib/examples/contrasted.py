"""Stages between keywords and the systems that read them: negatives, the graph of keywords, and both for a network."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.corpora.pairs import DIFFERENT, TURNS_TO_DIFFERENT
from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.examples.audit import Pair, refused
from pipeline_lib.examples.keyword_graph import KeywordGraph, impostor_candidates, keyword_graph, neighbours, node_of
from pipeline_lib.examples.negatives import Examples, Labelled, choose_negatives
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.contrasts import CONTRASTS, encoded_contrasts, graph_schema
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keywords import KEYWORDS
from pipeline_lib.text.keywords import Extractor, InverseDocumentFrequency
from pipeline_lib.text.tokenisers import Tokeniser
from pipeline_lib.text.turns import turns_apart
from pipeline_lib.text.units import Units
from pipeline_lib.vectors.means import MeanVectors
from pipeline_lib.vectors.space import VectorSpace

# column of a keyword -> that of its text
_TEXT_OF = {"keyword_in": "context", "keyword_out": "response", "keyword_negative": "negative"}
_OF_CONTEXT, _OF_OTHERS = ("keyword_in",), ("keyword_out", "keyword_negative")
_SOME = 65_536  # texts whose mean vectors are in memory at once

log = logging.getLogger(__name__)


def negatives_of(
    examples: Path,
    keywords: Path,
    train: Path,
    dialogues: Path,
    turns: int,
    tokeniser: Tokeniser,
    ranking: Keywords,
    settings: Contrasts,
) -> pa.Table:
    """Choose the negatives of one split.

    Args:
        examples: a file of `EXAMPLES`.
        keywords: their keywords (`KEYWORDS`).
        train: examples of the training split, from which the rarity of words is counted.
        dialogues: a file of `DIALOGUES`, which has the texts that are labelled as different (`corpora.pairs`).
        turns: of a context.
        ranking: how keywords of such texts are found.
    Returns:
        `CONTRASTS`, in the order of ``examples``.
    Raises:
        PipelineError: a file is damaged, all examples are of one cluster, or one of them has an empty text.
    """
    table, found = read_parquet(examples, EXAMPLES), read_parquet(keywords, KEYWORDS)
    clusters = table["dialogue_id"].to_pylist()
    if len(set(clusters)) < 2:
        raise PipelineError(
            f"all {len(table)} examples are of one cluster",
            where=examples,
            expected="examples of two clusters at least: a negative is a text of another cluster",
            remedy="check the column that names the cluster or dialogue (`columns:` of the source)",
        )
    for side in ("context_keywords", "response_keywords"):
        if len(empty := table.filter(pc.equal(pc.list_value_length(found[side]), 0))):
            text, first = side.removesuffix("_keywords"), empty["example_id"][0]
            raise PipelineError(
                f"the {text} of {len(empty)} examples is empty, the first of them {first}",
                where=examples,
                expected="texts of one token at least: a negative is found by the keyword of a text",
                remedy="begin `filtering: {context_length: …, response_length: …}` at 1, and give `window:` a context",
            )
    extractor = Extractor(InverseDocumentFrequency.count(train), ranking, tokeniser.LANGUAGE)
    given = Examples(
        table["example_id"].to_numpy(),
        clusters,
        table["context"].to_pylist(),
        table["response"].to_pylist(),
        *(_best(found[side]) for side in ("context_keywords", "response_keywords")),
    )
    labelled = _labelled(table, dialogues, turns, tokeniser, extractor)
    false = _refused(settings, given)
    chosen = choose_negatives(given, labelled, tokeniser.LANGUAGE, settings, false)
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(chosen["source"]).to_pylist()}
    log.info("negatives: %s", json.dumps(counts))
    return chosen


def _refused(settings: Contrasts, given: Examples) -> frozenset[Pair]:
    if settings.audit is None:
        return frozenset()
    false = refused(Path(settings.audit))
    asked = {turns_apart(context) for context in given.contexts}
    log.info(
        "audit: %d of %d refused pairs have a context of this split", sum(a in asked for a, _ in false), len(false)
    )
    return false


def _best(lists: pa.ChunkedArray) -> list[str]:
    return pc.list_element(lists, 0).to_pylist()


def _labelled(examples: pa.Table, dialogues: Path, turns: int, tokeniser: Tokeniser, extractor: Extractor) -> Labelled:
    """Return the labelled text of each example that has one, with its keyword, by example id.

    Some are equal to a text of the example's own cluster once both are tokenised, its context and response among them:
    nothing could be learnt from the contrast. These are left out and counted in the log.
    """
    said = read_parquet(dialogues, DIALOGUES, ["dialogue_id", "turn", "speaker", "text"])
    is_different = pc.fill_null(pc.equal(said["speaker"], DIFFERENT), False)
    different = said.filter(is_different).drop_columns(["speaker"])
    if not len(different):
        return {}
    asked = pa.table(
        {
            "example_id": examples["example_id"],
            "dialogue_id": examples["dialogue_id"],
            "turn": pc.add(examples["turn"], pa.scalar(turns + TURNS_TO_DIFFERENT, pa.int32())),
        }
    )
    labelled = _tokenised(asked.join(different, ["dialogue_id", "turn"], join_type="inner"), tokeniser)
    is_beside = pc.is_in(said["dialogue_id"], pc.unique(labelled["dialogue_id"]))
    own = _tokenised(said.filter(pc.and_(is_beside, pc.invert(is_different))), tokeniser)
    found = labelled.join(own, ["dialogue_id", "text"], join_type="left anti").sort_by("example_id")
    if left_out := len(labelled) - len(found):
        log.warning(
            "%d of %d labelled texts are left out: once tokenised they are texts of their own cluster",
            left_out,
            len(labelled),
        )
    texts = found["text"].combine_chunks()
    ranked = extractor(
        pa.RecordBatch.from_arrays(
            [found["example_id"].combine_chunks(), texts, texts], names=["example_id", "context", "response"]
        )
    )
    keywords = _best(pa.chunked_array([ranked["context_keywords"]]))
    return dict(zip(found["example_id"].to_pylist(), zip(texts.to_pylist(), keywords, strict=True), strict=True))


def _tokenised(turns: pa.Table, tokeniser: Tokeniser) -> pa.Table:
    return turns.set_column(turns.column_names.index("text"), "text", tokeniser.tokenise_array(turns["text"]))


def graph_of(contrasts: Sequence[Path], examples: Sequence[Path], vectors: VectorSpace, most: int) -> pa.Table:
    """Build the graph of the keywords of a corpus: its edges are of training examples, its nodes of all splits.

    A keyword is known by the mean word vector of the training texts that have it. One that training lacks has no
    neighbours, and is known by the held-out contexts that have it; if there are none, by responses and negatives.

    Args:
        contrasts, examples: `CONTRASTS` and `EXAMPLES` of all splits, training first.
        most: neighbours of each sign at the most.
    Returns:
        `graph_schema`.
    Raises:
        PipelineError: the keyword of a response has no other keyword that could pass for it.
    """
    tables = [read_parquet(path, CONTRASTS, [*_TEXT_OF, "negative"]) for path in contrasts]
    held_out = [word for table in tables[1:] for keyword in _TEXT_OF for word in table[keyword].to_pylist()]
    contexts, responses, negatives = (tables[0][keyword].to_pylist() for keyword in _TEXT_OF)
    graph = keyword_graph(contexts, responses, negatives, held_out)
    passing = impostor_candidates(graph, most)
    said = pc.unique(pa.concat_arrays([table["keyword_out"].combine_chunks() for table in tables]))
    _check_impostors(graph, passing, said, contrasts[0])
    columns = {
        "keyword": graph.words,
        "vector": _flat(_vectors(graph, tables, examples, vectors), pa.float32()),
        "positive": _flat(neighbours(graph, graph.positive, most), pa.int64()),
        "negative": _flat(neighbours(graph, graph.negative, most), pa.int64()),
        "impostors": _flat(passing, pa.int64()),
    }
    return pa.table(columns, schema=graph_schema(most, vectors.matrix.shape[1]))


def _check_impostors(graph: KeywordGraph, passing: NDArray[np.int64], said: pa.Array, where: Path) -> None:
    """Check that every keyword of a response has two impostors: one is left if the other is the context's keyword."""
    nodes = node_of(graph, said.to_pylist())
    few = nodes[(passing[nodes] >= 0).sum(1) < 2]
    if len(few):
        raise PipelineError(
            f"{len(few)} of {len(nodes)} keywords of responses have fewer than two keywords that could pass for them, "
            f"such as {graph.words[int(few[0])].as_py()!r}",
            where=where,
            expected="two keywords at least that are not related to it",
            remedy="take more examples",
        )


def _vectors(
    graph: KeywordGraph, contrasts: Sequence[pa.Table], examples: Sequence[Path], vectors: VectorSpace
) -> NDArray[np.float32]:
    """Average the texts of each keyword as `graph_of` says, (N, D).

    A keyword that training lacks must not be known by held-out responses if a context has it: the node of the context's
    keyword is read before the response is.
    """
    total = np.zeros((len(graph.words), vectors.matrix.shape[1]))
    count = np.zeros(len(graph.words))

    def add(keyword: str, splits: slice, wanted: NDArray[np.bool_]) -> None:
        column = _TEXT_OF[keyword]
        for table, given in zip(contrasts[splits], examples[splits], strict=True):
            said = table[column] if column == "negative" else read_parquet(given, EXAMPLES, [column])[column]
            node = node_of(graph, table[keyword].to_pylist())
            rows = np.flatnonzero(wanted[node])
            means = MeanVectors([pc.split_pattern(chunk, " ") for chunk in said.take(rows).chunks], vectors)
            for start in range(0, len(rows), _SOME):
                part = slice(start, start + _SOME)
                np.add.at(total, node[rows[part]], means[part])
            np.add.at(count, node[rows], 1)

    training, held_out = slice(1), slice(1, None)
    for splits, keywords in ((training, tuple(_TEXT_OF)), (held_out, _OF_CONTEXT), (held_out, _OF_OTHERS)):
        unknown = count == 0
        for keyword in keywords:
            add(keyword, splits, unknown)
    return (total / count[:, None]).astype(np.float32)


def _flat(values: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), kind), values.shape[1])


def _nodes(words: pa.ChunkedArray, known: pa.Array, graph: Path) -> NDArray[np.int64]:
    """Return the number of each keyword in the graph."""
    found = pc.index_in(words, known)
    if found.null_count:
        raise PipelineError(
            f"no keyword {words.filter(pc.is_null(found))[0].as_py()!r}",
            where=graph,
            expected="every keyword of the negatives: the graph is made of them",
            remedy=REMAKE,
        )
    return found.to_numpy().astype(np.int64)


def encoded_for(contrasts: Sequence[Path], keywords: Sequence[Path], graph: Path, units: Units) -> pa.Table:
    """Turn negatives and keywords of all splits into what a network reads.

    Args:
        contrasts, keywords: `CONTRASTS` and `KEYWORDS` of each split.
    Returns:
        `encoded_contrasts`; a keyword is told by its first unit.
    """
    table = pa.concat_tables([read_parquet(path, CONTRASTS) for path in contrasts])
    ranked = pa.concat_tables([read_parquet(path, KEYWORDS, ["context_keywords"]) for path in keywords])
    negatives = units.encode(table["negative"])
    lists = ranked["context_keywords"].combine_chunks()
    firsts = units.encode(lists.flatten())
    first = np.where(
        firsts.lengths > 0, firsts.ids[np.minimum(firsts.offsets[:-1], len(firsts.ids) - 1)], units.ids.pad
    )
    counts = pc.list_value_length(lists).to_numpy()
    padded = np.full((len(table), int(counts.max())), units.ids.pad)
    padded[np.arange(padded.shape[1]) < counts[:, None]] = first
    known = read_parquet(graph, columns=["keyword"])["keyword"].combine_chunks()
    nodes = [_nodes(table[keyword], known, graph) for keyword in _TEXT_OF]
    columns = {
        "example_id": table["example_id"],
        "negative": _flat(negatives.padded(np.arange(len(table)), units.ids.pad), pa.int64()),
        "keywords": _flat(padded, pa.int64()),
        "nodes": _flat(np.stack(nodes, 1).astype(np.int64), pa.int64()),
    }
    return pa.table(columns, schema=encoded_contrasts(columns["negative"].type.list_size, padded.shape[1]))
