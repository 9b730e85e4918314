"""Filtering of examples by their lengths and by the tokens that are known (SepaCVAE, section 5.2).

A dropped example is counted under the first rule that drops it, in the order of `RULES`. Lengths are those of the text
after unknown tokens were dropped or replaced; the marks between the turns of a context do not count, here or among the
tokens that are counted.
"""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.filtering import Filtering, Treatment
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import iter_parquet, parquet_writer, read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.ids import TURN, UNKNOWN
from pipeline_lib.text.ragged import flatten, join, keep_tokens

log = logging.getLogger(__name__)

_RESERVED = pa.array([UNKNOWN, TURN])  # always known: text that has unknown words marked already passes unchanged

RULES = {  # name in the report: what is wrong with the example
    "unknown_token": "a token is not known (filtering.known) or too rare, and filtering.unknown is drop_example",
    "context_too_short": "context shorter than filtering.context_length",
    "context_too_long": "context longer than filtering.context_length",
    "response_too_short": "response shorter than filtering.response_length",
    "response_too_long": "response longer than filtering.response_length",
}


def known_tokens(tokens: Path, vectors: Path | None, settings: Filtering) -> pa.Array:
    """Choose, by ``settings.known``, among the tokens with ``settings.min_count`` training occurrences or more.

    Args:
        tokens: token counts (`TOKENS`).
        vectors: word vectors (`vectors_schema`); None unless they decide.
    Returns:
        (K) string, without the reserved tokens.
    """
    counted = read_parquet(tokens, TOKENS)
    counted = counted.filter(pc.greater_equal(counted["train_count"], settings.min_count or 1))
    frequent = counted.filter(pc.invert(pc.is_in(counted["token"], _RESERVED)))
    if settings.known == "most_frequent":
        order = pc.sort_indices(frequent, [("train_count", "descending"), ("token", "ascending")])
        frequent = frequent.take(order[: settings.vocabulary_size])
    found = frequent["token"].combine_chunks()
    if settings.known == "vectors":
        assert vectors is not None  # the rule gives them
        found = found.filter(pc.is_in(found, read_parquet(vectors, columns=["token"])["token"].combine_chunks()))
    return found


def filter_examples(examples: Path, known: pa.Array, settings: Filtering, out: Path) -> dict[str, int]:
    """Copy the examples that every rule keeps, batch by batch in bounded memory.

    Args:
        examples: a file of `EXAMPLES`.
        known: (K) string, from `known_tokens`.
        out: where the kept examples go, of `EXAMPLES`.
    Returns:
        Numbers of examples: ``read``, ``kept`` and one for each of `RULES`; of the tokens that were read, and of those
        that were not known: ``tokens`` and ``unknown_tokens``.
    Raises:
        PipelineError: no example is left; ``out`` is untouched.
    """
    counts = dict.fromkeys(("read", "kept", *RULES, "tokens", "unknown_tokens"), 0)
    values = pa.concat_arrays([known.cast(pa.string()), _RESERVED])  # hashed once per batch
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
    """Return the examples of ``batch`` that are kept, with the unknown tokens treated; ``counts`` grows."""
    sides = {"context": settings.context_length, "response": settings.response_length}
    broken = {"unknown_token": np.zeros(len(batch), bool)}  # rule: (N), is it broken?
    for side, (fewest, most) in sides.items():
        treated = _treat(batch[side], known, settings.unknown or "drop_example")
        batch = batch.set_column(batch.schema.get_field_index(side), EXAMPLES.field(side), treated.texts)
        broken["unknown_token"] |= treated.must_go
        broken[f"{side}_too_short"] = treated.length < fewest
        broken[f"{side}_too_long"] = treated.length > most
        counts["tokens"] += treated.tokens
        counts["unknown_tokens"] += treated.unknown_tokens

    keep = np.ones(len(batch), bool)
    for rule in RULES:
        counts[rule] += int((keep & broken[rule]).sum())
        keep &= ~broken[rule]
    counts["read"] += len(batch)
    counts["kept"] += int(keep.sum())
    return batch.filter(pa.array(keep))


class _Treated(NamedTuple):
    """One side of (N) examples after its unknown tokens were treated."""

    texts: pa.Array  # (N) string
    must_go: np.ndarray  # (N) bool; all false unless the examples are to be dropped
    length: np.ndarray  # (N) int64, tokens of the texts
    tokens: int  # of all texts before
    unknown_tokens: int


def _treat(texts: pa.Array, known: pa.Array, treatment: Treatment) -> _Treated:
    tokens, offsets = flatten(texts)
    missing = pc.invert(pc.is_in(tokens, known))
    number_missing = _count(missing, offsets)
    length = np.diff(offsets) - _count(pc.equal(tokens, TURN), offsets)
    none = np.zeros(len(texts), bool)
    numbers = int(length.sum()), int(number_missing.sum())
    if treatment == "drop_example":
        return _Treated(texts, number_missing > 0, length, *numbers)
    if treatment == "unk":
        return _Treated(join(pc.if_else(missing, UNKNOWN, tokens), offsets), none, length, *numbers)
    return _Treated(keep_tokens(texts, known), none, length - number_missing, *numbers)


def _count(mask: pa.Array, offsets: np.ndarray) -> np.ndarray:
    """Count how often the (T) bool ``mask`` holds within each text: (N) int64."""
    running = np.concatenate([[0], np.cumsum(mask.to_numpy(zero_copy_only=False))])
    return np.diff(running[offsets])


def _nothing_left(examples: Path, counts: dict[str, int]) -> PipelineError:
    dropped = [f"{counts[rule]:,} {rule} ({meaning})" for rule, meaning in RULES.items() if counts[rule]]
    return PipelineError(
        f"filtering leaves none of {counts['read']:,} examples",
        where=examples,
        expected="at least one example; dropped: " + ("; ".join(dropped) or "none, the file is empty"),
        remedy="widen `filtering:` in the configuration (`context_length: [0, 0]` for sentences alone), or use vectors "
        "that cover this corpus",
    )
