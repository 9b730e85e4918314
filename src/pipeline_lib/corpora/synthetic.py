"""The generated corpus: English-like dialogues in which the latent group of every response is known.

Each dialogue keeps to one topic. Every turn speaks of a thing of the topic and of the thing that the turn before it
spoke of, so that relevance can be learnt; its surface shows its group (agree, refuse, ask back, ...). Two settings
make it as hard as wanted:

- ``one_to_many``: so often a turn is a context that has been used before, and is then answered by a group that has not
  answered it yet; and so often a new context is answered by a group drawn at random, not by the one that its thing
  determines. At 1 the group cannot be told from the context; at 0 it always can, unless the context is a generic reply.
- ``many_to_one``: so often a response is one of three generic replies of its group, which fit any context.

A context that is used again is a response in its new place too, so ``one_to_many`` also raises the number of contexts
of a response, as in real dialogue. A context is used again within its split only, so that no held-out context but a
generic reply has been seen in training.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline_lib.config.corpora import Source, Synthetic
from pipeline_lib.corpora.drawing import pick, splits
from pipeline_lib.schemas.dialogues import DIALOGUES

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|u(?!s))")  # an engine, an umbrella, but a used one
_FRESH_TRIES = 50  # compositions tried for one that nobody has said yet


@dataclass(frozen=True)
class Turn:
    """One utterance: its text, its group (None for an opening) and the thing that the next turn can take up."""

    text: str
    group: int | None
    thing: str


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read all dialogues in one batch; the same settings give the same bytes. ``files`` and ``skipped`` are unused."""
    assert source.synthetic is not None  # the configuration checks it
    yield generate(source.synthetic)


def generate(settings: Synthetic) -> pa.RecordBatch:
    """Generate `DIALOGUES`; ``label`` is the 0-based group of a response, null for an opening."""
    rng = random.Random(settings.seed)
    speaker = _Speaker(settings, rng)
    rows: list[dict[str, Any]] = []
    for number, split in enumerate(splits(settings.dialogues, settings.validation, settings.test, rng)):
        fewest, most = settings.turns
        length = fewest + int(rng.random() * (most - fewest + 1))
        for position, turn in enumerate(speaker.dialogue(split, length)):
            rows.append(
                {
                    "dialogue_id": f"{number:06d}",
                    "turn": position,
                    "speaker": "AB"[position % 2],
                    "text": turn.text,
                    "split": split,
                    "label": turn.group,
                }
            )
    return pa.RecordBatch.from_pylist(rows, schema=DIALOGUES)


class _Speaker:
    """Says one turn after another and remembers which contexts have been answered by which groups."""

    def __init__(self, settings: Synthetic, rng: random.Random) -> None:
        self.settings, self.rng, self.data = settings, rng, _templates()
        self.said: set[str] = set()
        self.answered: defaultdict[str, set[int]] = defaultdict(set)  # context -> groups
        # (split, topic, group, thing taken up) -> contexts that can be used again there
        self.contexts: defaultdict[tuple[str, str, int | None, str], list[Turn]] = defaultdict(list)

    def dialogue(self, split: str, length: int) -> Iterator[Turn]:
        topic = pick(self.rng, list(self.data["topics"])[: self.settings.topics])
        turn = self._utter(split, topic, None, "", last=False)
        yield turn
        for position in range(1, length):
            group = self._group_answering(topic, turn)
            if self.rng.random() < self.settings.many_to_one:
                turn = Turn(pick(self.rng, self.data["groups"][group]["generic"]), group, turn.thing)
            else:
                turn = self._utter(split, topic, group, turn.thing, last=position == length - 1)
            yield turn

    def _utter(self, split: str, topic: str, group: int | None, thing: str, last: bool) -> Turn:
        """Draw a context used before, or a new sentence; a dialogue's last turn, not a context, is always new."""
        contexts = self.contexts[split, topic, group, thing]
        again = [context for context in contexts if len(self.answered[context.text]) < self.settings.groups]
        if not last and again and self.rng.random() < self.settings.one_to_many:
            return pick(self.rng, again)
        turn = self._compose(topic, group, thing)
        if not last:
            contexts.append(turn)
        return turn

    def _group_answering(self, topic: str, context: Turn) -> int:
        answered = self.answered[context.text]
        groups = range(self.settings.groups)
        if answered or self.rng.random() < self.settings.one_to_many:
            group = pick(self.rng, [g for g in groups if g not in answered])
        else:
            group = self.data["topics"][topic]["things"].index(context.thing) % self.settings.groups
        if context.text in self.said:  # generic replies are answered by any group at any time
            answered.add(group)
        return group

    def _compose(self, topic: str, group: int | None, old: str) -> Turn:
        words = self.data["topics"][topic]
        templates = self.data["openers"] if group is None else self.data["groups"][group]["templates"]
        for _ in range(_FRESH_TRIES):
            thing = pick(self.rng, [word for word in words["things"] if word != old])
            time = pick(self.rng, self.data["times"])
            text = pick(self.rng, templates).format(
                old=old,
                thing=thing,
                action=pick(self.rng, words["actions"]),
                quality=pick(self.rng, words["qualities"]),
                place=pick(self.rng, words["places"]),
                person=pick(self.rng, words["people"]),
                time=time,
                Time=time[0].upper() + time[1:],
            )
            text = _ARTICLE.sub(r"\1n ", text)
            if text not in self.said:
                break
        self.said.add(text)
        return Turn(text, group, thing)


@cache
def _templates() -> dict[str, Any]:
    return json.loads(resources.files(__package__).joinpath("templates.json").read_text(encoding="utf-8"))
