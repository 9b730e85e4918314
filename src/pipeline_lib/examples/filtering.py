"""Filtering of examples by their lengths and by the tokens that are known (SepaCVAE, section 5.2).

The training split is filtered first. Where examples or tokens are dropped, held-out examples keep only tokens that its
kept examples have. These are the vocabulary of the systems, so no word of a reference is `<unk>`.

A dropped example is counted under the first rule that drops it, in the order of `RULES`. Lengths are those of the text
after unknown tokens were dropped or replaced, if they are; the marks between the turns of a context do not count, here
or among the tokens that are counted.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config.filtering import OPEN, Filtering
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.overlap import TrainingTexts, training_texts
from pipeline_lib.files.formats import iter_parquet, parquet_writer, read_parquet
from pipeline_lib.schemas.dialogues import HELD_OUT
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.tokens import TOKENS
from pipeline_lib.text.ids import TURN, UNKNOWN
from pipeline_lib.text.ragged import flatten, join, keep_tokens

log = logging.getLogger(__name__)

_RESERVED = (UNKNOWN, TURN)  # always known: text that has unknown words marked already passes unchanged

RULES = {  # name in the report: what is wrong with the example
    "rare_token": "training has a token less often than filtering.min_count, or not at all (filtering.unknown: "
    "drop_example)",
    "unknown_token": "a token is not known by filtering.known (filtering.unknown: drop_example)",
    "context_too_short": "context shorter than filtering.context_length",
    "context_too_long": "context longer than filtering.context_length",
    "response_too_short": "response shorter than filtering.response_length",
    "response_too_long": "response longer than filtering.response_length",
    "unseen_token": "no training example that is kept has one of the tokens (filtering.unknown: drop_example)",
    "in_training": "a training example that is kept has the same texts (filtering.held_out)",
}
TOKEN_RULES = ("rare_token", "unknown_token", "unseen_token")


class Known(NamedTuple):
    """The tokens that examples may have, without the reserved ones."""

    tokens: pa.Array  # (K) string
    frequent: pa.Array  # (F) string: those that training has often enough, of which the known ones are chosen


class Kept(NamedTuple):
    """The training examples that are kept, which held-out examples are compared with."""

    tokens: pa.Array | None  # (V) string; None where any token may stand, which systems of words read as `<unk>`
    texts: TrainingTexts | None  # None where every held-out example is kept


def known_tokens(tokens: Path, vectors: Path | None, settings: Filtering) -> Known:
    """Choose, by ``settings.known``, among the tokens with ``settings.min_count`` training occurrences or more.

    Args:
        tokens: token counts (`TOKENS`).
        vectors: word vectors (`vectors_schema`); None unless they decide.
    """
    counted = read_parquet(tokens, TOKENS)
    counted = counted.filter(pc.greater_equal(counted["train_count"], settings.min_count or 1))
    frequent = counted.filter(pc.invert(pc.is_in(counted["token"], pa.array(_RESERVED))))
    chosen = frequent
    if settings.known == "most_frequent":
        order = pc.sort_indices(frequent, [("train_count", "descending"), ("token", "ascending")])
        chosen = frequent.take(order[: settings.vocabulary_size])
    found = chosen["token"].combine_chunks()
    if settings.known == "vectors":
        assert vectors is not None  # the rule gives them
        found = found.filter(pc.is_in(found, read_parquet(vectors, columns=["token"])["token"].combine_chunks()))
    return Known(found, frequent["token"].combine_chunks())


def filter_splits(
    examples: Mapping[str, Path], known: Known, settings: Filtering, outputs: Mapping[str, Path]
) -> dict[str, dict[str, int]]:
    """Copy the examples of each split that every rule keeps, and return the counts of `filter_examples`.

    Args:
        examples: the file of each split, of `EXAMPLES`.
        outputs: where its kept examples go.
    Raises:
        PipelineError: no example of a split is left.
    """
    counts = {"train": filter_examples(examples["train"], known, settings, outputs["train"])}
    with _kept(outputs["train"], settings) as kept:
        for split in HELD_OUT:
            counts[split] = filter_examples(examples[split], known, settings, outputs[split], kept)
    return counts


@contextmanager
def _kept(train: Path, settings: Filtering) -> Iterator[Kept]:
    tokens = None if settings.unknown in OPEN else _tokens(train)
    if settings.held_out == "all":
        yield Kept(tokens, None)
        return
    with training_texts(train, train.with_name(f".{train.name}.duckdb")) as texts:
        yield Kept(tokens, texts)


def _tokens(examples: Path) -> pa.Array:
    """Collect the tokens of a file of `EXAMPLES`, each once: (V) string."""
    tokens = pa.array([], pa.string())
    for batch in iter_parquet(examples, EXAMPLES, ["context", "response"]):
        tokens = pc.unique(pa.concat_arrays([tokens, *(flatten(side)[0] for side in batch.columns)]))
    return tokens


def filter_examples(
    examples: Path, known: Known, settings: Filtering, out: Path, training: Kept | None = None
) -> dict[str, int]:
    """Copy the examples that every rule keeps, batch by batch in bounded memory.

    Args:
        examples: a file of `EXAMPLES`.
        known: from `known_tokens`.
        out: where the kept examples go, of `EXAMPLES`.
        training: what a held-out split is compared with; None: this is the training split.
    Returns:
        Numbers of examples: ``read``, ``kept`` and one for each of `RULES`; of the tokens that were read, and of those
        that were not known: ``tokens`` and ``unknown_tokens``.
    Raises:
        PipelineError: no example is left; ``out`` is untouched.
    """
    counts = dict.fromkeys(("read", "kept", *RULES, "tokens", "unknown_tokens"), 0)
    rules = _Rules(known, settings, training)
    with parquet_writer(out, EXAMPLES) as writer:
        for batch in iter_parquet(examples, EXAMPLES):
            kept = _filter_batch(batch, rules, counts)
            if len(kept):
                writer.write_batch(kept)
        if not counts["kept"]:
            raise _nothing_left(examples, counts)
    log.info("%s: %s", examples, ", ".join(f"{name} {number:,}" for name, number in counts.items()))
    return counts


def _filter_batch(batch: pa.RecordBatch, rules: "_Rules", counts: dict[str, int]) -> pa.RecordBatch:
    """Return the examples of ``batch`` that are kept, with the unknown tokens treated; ``counts`` grows."""
    sides = {"context": rules.settings.context_length, "response": rules.settings.response_length}
    broken = {rule: np.zeros(len(batch), bool) for rule in RULES}  # rule: (N), is it broken?
    for side, (fewest, most) in sides.items():
        treated = rules.treat(batch[side])
        batch = batch.set_column(batch.schema.get_field_index(side), EXAMPLES.field(side), treated.texts)
        for rule, has_broken in treated.broken.items():
            broken[rule] |= has_broken
        broken[f"{side}_too_short"] = treated.length < fewest
        broken[f"{side}_too_long"] = treated.length > most
        counts["tokens"] += treated.tokens
        counts["unknown_tokens"] += treated.unknown_tokens
    broken["in_training"] = rules.in_training(batch)

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
    broken: dict[str, np.ndarray]  # of `TOKEN_RULES`: (N) bool; empty unless the examples are to be dropped
    length: np.ndarray  # (N) int64, tokens of the texts
    tokens: int  # of all texts before
    unknown_tokens: int


class _Rules:
    """What is known, and what is done with the rest."""

    def __init__(self, known: Known, settings: Filtering, training: Kept | None) -> None:
        self.settings = settings
        self._training = training
        self._treatment = settings.unknown or "drop_example"
        self._known, self._frequent = (pa.concat_arrays([own.cast(pa.string()), pa.array(_RESERVED)]) for own in known)
        self._kept = None
        if training is not None and training.tokens is not None:
            self._kept = pa.concat_arrays([training.tokens.cast(pa.string()), pa.array(_RESERVED)])
            if self._treatment == "drop_token":
                self._known = self._known.filter(pc.is_in(self._known, self._kept))

    def treat(self, texts: pa.Array) -> _Treated:
        tokens, offsets = flatten(texts)
        missing = pc.invert(pc.is_in(tokens, self._known))
        number_missing = _count(missing, offsets)
        length = np.diff(offsets) - _count(pc.equal(tokens, TURN), offsets)
        numbers = int(length.sum()), int(number_missing.sum())
        if self._treatment == "drop_example":
            broken = {"unknown_token": number_missing > 0, "rare_token": _lacks(self._frequent, tokens, offsets)}
            if self._kept is not None:
                broken["unseen_token"] = _lacks(self._kept, tokens, offsets)
            return _Treated(texts, broken, length, *numbers)
        if self._treatment == "keep":
            return _Treated(texts, {}, length, *numbers)
        if self._treatment == "unk":
            return _Treated(join(pc.if_else(missing, UNKNOWN, tokens), offsets), {}, length, *numbers)
        return _Treated(keep_tokens(texts, self._known), {}, length - number_missing, *numbers)

    def in_training(self, batch: pa.RecordBatch) -> np.ndarray:
        """Mark the examples, after treatment, that `filtering.held_out` drops: (N) bool."""
        if self._training is None or self._training.texts is None:
            return np.zeros(len(batch), bool)
        texts = self._training.texts
        return texts.has_contexts(batch) if self.settings.held_out == "unseen_contexts" else texts.has_pairs(batch)


def _lacks(known: pa.Array, tokens: pa.Array, offsets: np.ndarray) -> np.ndarray:
    """Mark the texts with a token that is not in ``known``: (N) bool."""
    return _count(pc.invert(pc.is_in(tokens, known)), offsets) > 0


def _count(mask: pa.Array, offsets: np.ndarray) -> np.ndarray:
    """Count how often the (T) bool ``mask`` holds within each text: (N) int64."""
    running = np.concatenate([[0], np.cumsum(mask.to_numpy(zero_copy_only=False))])
    return np.diff(running[offsets])


def _nothing_left(examples: Path, counts: dict[str, int]) -> PipelineError:
    if not counts["read"]:
        return PipelineError(
            "the split has no example",
            where=examples,
            expected="at least one dialogue of the corpus in this split",
            remedy="raise the shares in `splits:` of the source, or name a corpus that has such a split",
        )
    dropped = [f"{counts[rule]:,} {rule} ({meaning})" for rule, meaning in RULES.items() if counts[rule]]
    return PipelineError(
        f"filtering leaves none of {counts['read']:,} examples",
        where=examples,
        expected="at least one example; dropped: " + ("; ".join(dropped)),
        remedy="widen `filtering:` in the configuration (`context_length: [0, 0]` for sentences alone; `held_out: "
        "all`), or use vectors that cover this corpus",
    )
