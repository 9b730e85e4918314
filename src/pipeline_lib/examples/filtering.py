"""Which examples are kept: by their lengths and by the tokens that have a vector (SepaCVAE, section 5.1).

A dropped example is counted under the first rule that drops it, in the order of `RULES`. Lengths are those of the text
after unknown tokens were dropped or replaced.
"""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.filtering import Filtering
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, parquet_writer, read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.ragged import flatten, join, keep_tokens
from pipeline_lib.text.units import UNKNOWN

log = logging.getLogger(__name__)

RULES = {  # name in the report: what is wrong with the example
    "unknown_token": "a token has no vector or is too rare (filtering.unknown: drop_example)",
    "context_too_short": "context shorter than filtering.context_length",
    "context_too_long": "context longer than filtering.context_length",
    "response_too_short": "response shorter than filtering.response_length",
    "response_too_long": "response longer than filtering.response_length",
}


def known_tokens(tokens: Path, vectors: Path, settings: Filtering) -> pa.Array:
    """Tokens that have a vector and occur ``settings.min_count`` times or more in the training split.

    Args:
        tokens: token counts (`TOKENS`).
        vectors: word vectors (`vectors_schema`).
    Returns:
        (K) string.
    """
    counted = read_parquet(tokens, TOKENS)
    frequent = counted["token"].filter(pc.greater_equal(counted["train_count"], settings.min_count))
    given = read_parquet(vectors, columns=["token"])["token"]
    return frequent.filter(pc.is_in(frequent, given.combine_chunks())).combine_chunks()


def filter_examples(examples: Path, known: pa.Array, settings: Filtering, out: Path) -> dict[str, int]:
    """Copy the examples that every rule keeps, batch by batch in bounded memory.

    Args:
        examples: of `EXAMPLES`.
        known: (K) string, from `known_tokens`.
        out: where the kept examples go, of `EXAMPLES`.
    Returns:
        Numbers of examples: ``read``, ``kept`` and one for each of `RULES`.
    Raises:
        PipelineError: no example is left; ``out`` is untouched.
    """
    counts = dict.fromkeys(("read", "kept", *RULES), 0)
    # <unk> is known so that text filtered before passes unchanged; the value set is hashed once per batch
    values = pa.concat_arrays([known.cast(pa.string()), pa.array([UNKNOWN])])
    with parquet_writer(out, EXAMPLES) as writer:
        for batch in iter_parquet(examples, EXAMPLES):
            kept = _filter_batch(batch, values, settings, counts)
            if len(kept):
                writer.write_batch(kept)
        if not counts["kept"]:
            raise _nothing_left(examples, counts)
    log.info("%s: %s", examples, ", ".join(f"{name} {number:,}" for name, number in counts.items()))
    return counts


def _filter_batch(
    batch: pa.RecordBatch, known: pa.Array, settings: Filtering, counts: dict[str, int]
) -> pa.RecordBatch:
    """The examples of ``batch`` that are kept, with the unknown tokens treated; ``counts`` grows."""
    sides = {"context": settings.context_length, "response": settings.response_length}
    broken = {"unknown_token": np.zeros(len(batch), bool)}  # rule: (N), is it broken?
    for side, (fewest, most) in sides.items():
        text, unknown, length = _treat(batch[side], known, settings.unknown)
        batch = batch.set_column(batch.schema.get_field_index(side), EXAMPLES.field(side), text)
        broken["unknown_token"] |= unknown
        broken[f"{side}_too_short"] = length < fewest
        broken[f"{side}_too_long"] = length > most

    keep = np.ones(len(batch), bool)
    for rule in RULES:
        counts[rule] += int((keep & broken[rule]).sum())
        keep &= ~broken[rule]
    counts["read"] += len(batch)
    counts["kept"] += int(keep.sum())
    return batch.filter(pa.array(keep))


def _treat(texts: pa.Array, known: pa.Array, policy: str) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Treat the unknown tokens of one side by ``policy``.

    Returns:
        texts: (N) string.
        unknown: (N) bool: the example must go; always false unless the policy is ``drop_example``.
        length: (N) int64, tokens of the returned texts.
    """
    tokens, offsets = flatten(texts)
    missing = pc.invert(pc.is_in(tokens, known))
    running = np.concatenate([[0], np.cumsum(missing.to_numpy(zero_copy_only=False))])
    number_missing = np.diff(running[offsets])
    length = np.diff(offsets)
    none = np.zeros(len(texts), bool)
    if policy == "drop_example":
        return texts, number_missing > 0, length
    if policy == "unk":
        return join(pc.if_else(missing, UNKNOWN, tokens), offsets), none, length
    return keep_tokens(texts, known), none, length - number_missing


def _nothing_left(examples: Path, counts: dict[str, int]) -> PipelineError:
    dropped = [f"{counts[rule]:,} {rule} ({meaning})" for rule, meaning in RULES.items() if counts[rule]]
    return PipelineError(
        f"filtering leaves none of {counts['read']:,} examples",
        where=examples,
        expected="at least one example; dropped: " + ("; ".join(dropped) or "none, the file is empty"),
        remedy="widen `filtering:` in the configuration, or use vectors that cover this corpus",
    )
