"""What a generated paraphrase keeps and changes, told exactly: its meaning, its keyword, its frame.

Only of generated questions (`corpora.questions`): on other texts, which are not of that language, the metrics are
undefined.
"""

from abc import abstractmethod
from functools import cache

import numpy as np

from pipeline_lib.corpora.questions import Reading, whole_language
from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.text.ragged import Ragged


class _Told(Metric):
    """The share of responses of which something is true, beside the questions that they answer."""

    better = "higher"

    def __call__(self, items: Items) -> Score:
        asked, said = (_readings(items, texts) for texts in (items.contexts, items.responses))
        if not all(asked):  # no generated questions
            return Score(None, None, items.n_examples)
        told = np.array([self.is_true(*both) for both in zip(asked, said, strict=True)], np.float64)
        return Score.of_items(items, told, n_empty=int((items.responses.lengths == 0).sum()))

    @staticmethod
    @abstractmethod
    def is_true(question: list[Reading], response: list[Reading]) -> bool:
        """Tell it of one response, which has no reading if it is not a question of the language."""


class MeaningKept(_Told):
    """Intent and all slots."""

    name = "paraphrase-meaning"
    signature = "paraphrase-meaning|language:generated|ungrammatical:0|v:1"
    meaning = "Share of responses that ask exactly what their question asks: intent and all slots"

    @staticmethod
    def is_true(question: list[Reading], response: list[Reading]) -> bool:
        return bool({one.meaning for one in question} & {one.meaning for one in response})


class KeywordKept(_Told):
    """The main slot."""

    name = "paraphrase-keyword"
    signature = "paraphrase-keyword|language:generated|ungrammatical:0|v:1"
    meaning = "Share of responses that ask about the thing that their question asks about"

    @staticmethod
    def is_true(question: list[Reading], response: list[Reading]) -> bool:
        return bool({one.meaning.keyword for one in question} & {one.meaning.keyword for one in response})


class FrameChanged(_Told):
    """Said in other words."""

    name = "paraphrase-frame"
    signature = "paraphrase-frame|language:generated|ungrammatical:0|v:1"
    meaning = (
        "Share of responses that are questions of the language in another frame than their question; a copy is not"
    )

    @staticmethod
    def is_true(question: list[Reading], response: list[Reading]) -> bool:
        return bool(response) and not {one.frame for one in question} & {one.frame for one in response}


def _readings(items: Items, texts: Ragged) -> list[list[Reading]]:
    words = items.vocabulary.to_pylist()
    bounds = zip(texts.offsets[:-1], texts.offsets[1:], strict=True)
    return [_readings_of(" ".join(words[token] for token in texts.ids[start:end])) for start, end in bounds]


@cache  # three metrics and their several columns ask for the same texts
def _readings_of(text: str) -> list[Reading]:
    return whole_language().readings(text)
