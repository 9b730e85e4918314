"""The distribution of what a generated user says: p(response | last utterance, user), exact, to sample and to score."""

import math
import random
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.corpora.drawing import pick
from pipeline_lib.corpora.persona_language import ANSWER, ASKED, OPENING, QUESTION, Template, Utterance, language


class PersonaTruth:
    """What a user says after an utterance: an answer to a question, else a question or one of eight statements."""

    def __init__(self) -> None:
        self.language = language()

    def log_p(self, before: str, response: str, user: int) -> float:
        """Return log p(response | the utterance before it, user), nats.

        Returns:
            Minus infinity if the response does not follow from ``before``, or one of them is not of the language.
        """
        said, answer = self.language.parse(before), self.language.parse(response)
        if said is None or answer is None or answer.filling.get("old") != said.thing:
            return -math.inf
        markers = float(self.language.shown(response.split(" "))[user])
        return markers + self._log_p_content(said, answer, user)

    def _log_p_content(self, said: Utterance, answer: Utterance, user: int) -> float:
        kind, filling = answer.template.kind, answer.filling
        if said.asks is not None or kind == ANSWER:
            told = (filling.get("fact"), filling.get("value"))
            is_right = said.asks is not None and told == (said.asks, self.language.own_facts[user][said.asks])
            return 0.0 if is_right else -math.inf
        if kind == QUESTION:
            return math.log(ASKED / len(self.language.facts))
        if kind == OPENING:
            return -math.inf
        return math.log((1 - ASKED) / len(self.language.statements) / self._choices(answer.template))

    def _choices(self, template: Template) -> int:
        """Count the contents of a statement: a quality, or a thing other than the one taken up."""
        return len(self.language.things) - 1 if "new" in template.gaps else len(self.language.qualities)

    def sample(self, before: Utterance, user: int, rng: random.Random) -> str:
        """Draw a response."""
        if before.asks is not None:
            template, content = self.language.templates[ANSWER], {"fact": before.asks}
            content["value"] = self.language.own_facts[user][before.asks]
        elif rng.random() < ASKED:
            template = self.language.templates[QUESTION]
            content = {"fact": pick(rng, list(self.language.facts))}
        else:
            template, content = pick(rng, self.language.statements), {}
        return self._with_style(template, content | {"old": before.thing}, user, rng)

    def opening(self, user: int, rng: random.Random) -> str:
        """Draw the first utterance of a dialogue."""
        return self._with_style(self.language.templates[OPENING], {}, user, rng)

    def _with_style(self, template: Template, content: dict[str, str], user: int, rng: random.Random) -> str:
        filling = dict(content)
        for number, (slot, words) in enumerate(self.language.slots.items()):
            if slot in template.gaps:
                shares = np.cumsum(self.language.style[user, number])
                filling[slot] = words[min(int(np.searchsorted(shares, rng.random(), "right")), len(words) - 1)]
        if "new" in template.gaps:
            filling["new"] = pick(rng, [thing for thing in self.language.things if thing != content.get("old")])
        if "quality" in template.gaps:
            filling["quality"] = pick(rng, self.language.qualities)
        return template.fill(filling)

    def mode(self, before: Utterance, user: int) -> str:
        """Return the likeliest response; of several that are equally likely, the first by template and word."""
        preferred = self.language.style[user].argmax(1)
        filling = {slot: words[preferred[number]] for number, (slot, words) in enumerate(self.language.slots.items())}
        filling["old"] = before.thing
        if before.asks is not None:
            filling |= {"fact": before.asks, "value": self.language.own_facts[user][before.asks]}
            return self.language.templates[ANSWER].fill(filling)
        filling["new"] = next(thing for thing in self.language.things if thing != before.thing)
        filling |= {"quality": self.language.qualities[0], "fact": next(iter(self.language.facts))}
        possible = [
            Utterance(template, filling) for template in (self.language.templates[QUESTION], *self.language.statements)
        ]
        best = max(possible, key=lambda one: self._log_p_content(before, one, user))
        return best.template.fill(filling)

    def p_user(self, context: Sequence[str]) -> NDArray[np.float64]:
        """Return p(the user who responds | context), (U,), of two speakers in turn.

        Args:
            context: utterances, the last one by the other speaker. Both speakers are drawn by their activity, the
                second among the others; which of the two responds is not known.
        """
        own, other = (self._log_p_told(context[start::-2]) for start in (len(context) - 2, len(context) - 1))
        pairs = self._p_pairs * np.exp(own[:, None] + other[None, :])
        return pairs.sum(1) / pairs.sum()

    @cached_property
    def _p_pairs(self) -> NDArray[np.float64]:
        """Return p(responder, other speaker), (U, U), up to a factor."""
        activity = self.language.activity
        pairs = np.outer(activity, activity) * (1 / (1 - activity)[:, None] + 1 / (1 - activity)[None, :])
        np.fill_diagonal(pairs, 0)
        return pairs

    def _log_p_told(self, utterances: Sequence[str]) -> NDArray[np.float64]:
        """Return log p(markers and facts of ``utterances`` | user) of every user, (U,)."""
        total = np.zeros(len(self.language.activity))
        for text in utterances:
            total += self.language.shown(text.split(" "))
            said = self.language.parse(text)
            if said is not None and said.template.kind == ANSWER:
                fact, value = said.filling["fact"], said.filling["value"]
                known = np.array([own[fact] == value for own in self.language.own_facts])
                total = np.where(known, total, -np.inf)
        return total
