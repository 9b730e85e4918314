"""The distribution of generated paraphrases: p(second question | first question), exact, to sample and to score."""

import math
import random

from pipeline_lib.corpora.grammar_rules import Template
from pipeline_lib.corpora.questions import Reading, whole_language


class ParaphraseTruth:
    """What is asked after a question: the same in another frame of its intent, each of these equally likely.

    A question that can be understood in several ways means each of them with the same probability.
    """

    def __init__(self) -> None:
        self._language = whole_language()

    def log_p(self, question: str, response: str) -> float:
        """Return log p(response | question), nats; minus infinity if it does not follow, or one is not of the language.

        Args:
            question, response: tokens joined by one space.
        """
        readings = self._language.readings(question)
        shares = [
            sum(self._said(frame, reading) == response for frame in self._others(reading)) / len(self._others(reading))
            for reading in readings
        ]
        total = sum(shares)
        return math.log(total / len(readings)) if total else -math.inf

    def sample(self, question: str, rng: random.Random) -> str | None:
        """Draw a response; None if the question is not of the language."""
        readings = self._language.readings(question)
        if not readings:
            return None
        reading = readings[int(rng.random() * len(readings))]
        others = self._others(reading)
        return self._said(others[int(rng.random() * len(others))], reading)

    def _others(self, reading: Reading) -> list[Template]:
        own = self._language.templates[reading.frame]
        return [frame for frame in self._language.frames(reading.meaning.intent) if frame is not own]

    @staticmethod
    def _said(frame: Template, reading: Reading) -> str:
        return " ".join(frame.fill(dict(reading.meaning.filling)))
