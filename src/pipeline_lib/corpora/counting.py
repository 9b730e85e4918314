"""How often a context has several responses and a response several contexts (SepaCVAE, section 6.1 and table 1).

Exact: texts are told apart by a hash table that compares whole strings, never by their hashes alone.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from pipeline_lib.schema import PAIRS
from pipeline_lib.storage import read_parquet


@dataclass(frozen=True)
class PairCounts:
    """Counts over the pairs of one file; repetitions of the same pair count once except in ``pairs``."""

    pairs: int
    distinct_pairs: int
    contexts: int  # distinct ones, as are the responses
    responses: int
    one_to_many_contexts: int  # contexts with two different responses or more
    most_responses: int  # of one context
    many_to_one_responses: int  # responses with two different contexts or more
    most_contexts: int  # of one response


def count_pairs(pairs: Path) -> PairCounts:
    """Counts of a file of ``schema.PAIRS``.

    Raises:
        PipelineError: the file is missing, damaged or of another schema.
    """
    context, contexts = _codes(pairs, "context")
    response, responses = _codes(pairs, "response")
    joint = context * max(responses, 1) + response
    joint.sort()
    distinct = joint[np.append(True, joint[1:] != joint[:-1])] if len(joint) else joint
    per_context = np.bincount(distinct // max(responses, 1), minlength=1)
    per_response = np.bincount(distinct % max(responses, 1), minlength=1)
    return PairCounts(
        pairs=len(joint),
        distinct_pairs=len(distinct),
        contexts=contexts,
        responses=responses,
        one_to_many_contexts=int(np.count_nonzero(per_context > 1)),
        most_responses=int(per_context.max()),
        many_to_one_responses=int(np.count_nonzero(per_response > 1)),
        most_contexts=int(per_response.max()),
    )


def _codes(pairs: Path, column: str) -> tuple[np.ndarray, int]:
    """(N) int64 number of each text among the distinct ones, and how many those are; the texts are let go."""
    texts = read_parquet(pairs, PAIRS, [column])[column]
    encoded = pc.dictionary_encode(texts).combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)
