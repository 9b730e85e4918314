"""The generated corpus of paraphrases: pairs of questions with one meaning, said in two frames.

A cluster of paraphrases is a dialogue, its pairs apart as `corpora.pairs` says. Clusters, and with them meanings, are
whole in one split. A few meanings have their pairs in two clusters of their split: paraphrases that nobody has labelled
as such, which any way to find negatives may take for one.
"""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.config.paraphrases import Paraphrases
from pipeline_lib.corpora.drawing import pick, splits
from pipeline_lib.corpora.grammar_rules import OTHER_THING, Filling, Phrase
from pipeline_lib.corpora.pairs import TURNS_APART
from pipeline_lib.corpora.questions import MOST_TOPICS, Language
from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import DIALOGUES


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read all pairs in one batch; the same settings give the same bytes. ``files`` and ``skipped`` are unused."""
    assert source.paraphrases is not None  # the configuration checks it
    yield generate(source.paraphrases)


def generate(settings: Paraphrases) -> pa.RecordBatch:
    """Generate `DIALOGUES`; ``label`` is the 0-based intent.

    Raises:
        PipelineError: as `check_meanings`.
    """
    check_meanings(settings, "`paraphrases:` of the source")
    rng, language = random.Random(settings.seed), Language(settings.topics, settings.words_per_slot)
    rows: list[dict[str, object]] = []
    cluster = 0
    meanings = _meanings(language, settings.meanings, rng)
    drawn = splits(settings.meanings, settings.validation, settings.test, rng)
    for split, (intent, filling) in zip(drawn, meanings, strict=True):
        fewest, most = settings.pairs
        pairs = list(_pairs(language, intent, filling, fewest + int(rng.random() * (most - fewest + 1)), rng))
        parts = [pairs]
        if rng.random() < settings.unlabelled:
            parts = [pairs, list(_pairs(language, intent, filling, 1, rng))]
        for part in parts:
            for number, pair in enumerate(part):
                rows += _rows(cluster, number, pair, split, intent)
            cluster += 1
    return pa.RecordBatch.from_pylist(rows, schema=DIALOGUES)


def check_meanings(settings: Paraphrases, where: str) -> None:
    """Check that the language has as many different meanings as are asked for.

    Raises:
        PipelineError: it has fewer; ``where`` is in the message.
    """
    available = Language(settings.topics, settings.words_per_slot).meanings
    if settings.meanings > available:
        words = settings.words_per_slot or "null"
        raise PipelineError(
            f"meanings: {settings.meanings:,}, but `topics: {settings.topics}` and `words_per_slot: {words}` make "
            f"{available:,} different ones",
            where=where,
            expected=f"at most {available:,}",
            remedy=f"lower `meanings`, or raise `topics` (at most {MOST_TOPICS}) or `words_per_slot` (null: all words)",
        )


def _meanings(language: Language, number: int, rng: random.Random) -> list[tuple[int, Filling]]:
    """Draw different meanings, which there must be: an intent, a topic and what fills the slots, each uniformly."""
    found: dict[tuple[int, frozenset[tuple[str, Phrase]]], Filling] = {}
    while len(found) < number:
        topic, intent = pick(rng, language.topics), int(rng.random() * language.intents)
        filling: dict[str, Phrase] = {}
        for slot in sorted(language.frames(intent)[0].slots):
            taken = filling.get(OTHER_THING.get(slot, ""))
            filling[slot] = pick(rng, [phrase for phrase in topic.phrases[slot] if phrase != taken])
        found.setdefault((intent, frozenset(filling.items())), filling)
    return [(intent, filling) for (intent, _), filling in found.items()]


def _pairs(
    language: Language, intent: int, filling: Filling, number: int, rng: random.Random
) -> Iterator[tuple[str, str]]:
    """Say a meaning so many times in two different frames, no first question twice."""
    frames = language.frames(intent)
    for first in sorted(frames, key=lambda _: rng.random())[:number]:
        second = pick(rng, [frame for frame in frames if frame is not first])
        yield " ".join(first.fill(filling)), " ".join(second.fill(filling))


def _rows(cluster: int, number: int, pair: tuple[str, str], split: str, intent: int) -> list[dict[str, object]]:
    return [
        {
            "dialogue_id": f"{cluster:06d}",
            "turn": TURNS_APART * number + side,
            "speaker": None,
            "text": text,
            "split": split,
            "label": intent,
        }
        for side, text in enumerate(pair)
    ]
