"""The generated corpus of sentences: independent draws from a grammar whose probabilities are known exactly.

A sentence is a dialogue of one turn; its label is its mood. The splits are drawn independently of one another, so a
sentence may occur twice, within a split and across splits: only then is the entropy of the grammar the least loss that
a model can reach on held-out sentences.
"""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.drawing import pick
from pipeline_lib.corpora.grammar_rules import OTHER_THING, Phrase, SentenceGrammar, grammar_of
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS

_BATCH_SENTENCES = 10_000


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Return the sentences of all splits; same settings, same bytes. ``files`` and ``skipped`` are unused."""
    assert source.grammar is not None  # the configuration checks it
    yield from generate(source.grammar)


def generate(settings: Grammar) -> Iterator[pa.RecordBatch]:
    """Draw the sentences of all splits.

    Each split has a random stream of its own, so that a larger training split leaves the other sentences as they are.

    Args:
        settings: sizes of the splits and of the grammar.
    Returns:
        Batches of `DIALOGUES`; ``label`` is the 0-based mood.
    """
    grammar = grammar_of(settings)
    sizes = {"train": settings.train, "validation": settings.validation, "test": settings.test}
    for number, split in enumerate(SPLITS):
        rng = random.Random(settings.seed * len(SPLITS) + number)
        for start in range(0, sizes[split], _BATCH_SENTENCES):
            count = min(_BATCH_SENTENCES, sizes[split] - start)
            yield _batch(split, start, [draw(grammar, rng) for _ in range(count)])


def draw(grammar: SentenceGrammar, rng: random.Random) -> tuple[list[str], int]:
    """Draw one sentence: its tokens and its mood."""
    topic, template = pick(rng, grammar.topics), pick(rng, grammar.templates)
    filling: dict[str, Phrase] = {}
    for slot in template.slots:
        taken = filling.get(OTHER_THING.get(slot, ""))
        filling[slot] = pick(rng, [phrase for phrase in topic.phrases[slot] if phrase != taken])
    return template.fill(filling), template.mood


def _batch(split: str, first: int, sentences: list[tuple[list[str], int]]) -> pa.RecordBatch:
    """Return the rows of some sentences of a split; ``first`` is the 0-based number of the first."""
    count = len(sentences)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([f"{split}-{number:06d}" for number in range(first, first + count)]),
            pa.repeat(pa.scalar(0, pa.int32()), count),
            pa.nulls(count, pa.string()),
            pa.array([" ".join(tokens) for tokens, _ in sentences]),
            pa.repeat(split, count),
            pa.array([mood for _, mood in sentences], pa.int32()),
        ],
        schema=DIALOGUES,
    )
