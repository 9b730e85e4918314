"""The distribution of the generated dialogues, p(response | context): the floor of every model's mean loss.

A response follows from its context in three steps: the context names a subject, a group answers, and the group says a
generic reply or a sentence that takes the subject up. The probabilities of the first and the last step follow from
templates and settings. A sentence that is used again was drawn like any other when it was first said, so it has the
same probability.

That of the group is an estimate. A context that comes again is answered by a group that has not answered it yet, but
a predictor sees one context, not the other dialogues of the split. For it, the group that the subject determines
answers at a rate that depends on how often contexts of this kind come again in the split. The other groups share the
rest. The rates are counted in corpora that are generated with other seeds, never in the corpus that is scored.

One thing is left out: a new sentence differs from all that were said before, so templates with few fillings are a
little rarer than they are here.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import pyarrow.compute as pc

from pipeline_lib.config.corpora import Synthetic
from pipeline_lib.corpora.synthetic import generate
from pipeline_lib.corpora.synthetic_language import Kind, Language, Meaning, Subject
from pipeline_lib.text.tokenisers.english import tokenise_array

_DIALOGUES = 1000  # of the split, generated for the rates; their sampling error then costs under 0.001 nats a response

Rates = Mapping[Kind, float]  # P(the group that the subject determines answers), by the kind of the context


class Truth:
    """The distribution of the responses of one split."""

    def __init__(self, settings: Synthetic, split: str) -> None:
        self._settings = settings
        self._language = Language(settings)
        self._counts = _count_answers(settings, self._language, split)

    def log_p(self, context: str, response: str) -> float:
        """Return log p(response | context) in nats, of tokens joined by spaces.

        Returns:
            Minus infinity if the response does not follow from the context, or one of them is not of the corpus.
        """
        generic, sentences = self._language.generic.get(response, {}), self._language.p_sentence(response)
        groups = {*generic, *(group for _, group in sentences)}
        often = self._settings.many_to_one
        p = math.fsum(
            meaning.p
            * self._p_answers(meaning, group)
            * (often * generic.get(group, 0.0) + (1 - often) * sentences.get((meaning.subject, group), 0.0))
            for meaning in self._meanings(context)
            for group in groups
        )
        return math.log(p) if p else -math.inf

    @cached_property
    def rates(self) -> Rates:
        """Probability that the group that the subject determines answers, by the kind of the context."""
        counted: dict[Kind, float] = {kind: self._rate(kind) for kind in ("opening", "determined", "free")}
        again = self._settings.one_to_many  # a generic reply has no memory of its answers
        return {**counted, "generic": 1 - again + again / self._language.groups}

    @cached_property
    def _rate_of_any(self) -> float:
        kinds = Counter(kind for kind, _ in self._counts.elements())
        return math.fsum(count * self.rates[kind] for kind, count in kinds.items()) / kinds.total()

    def _rate(self, kind: Kind) -> float:
        right, wrong = self._counts[kind, True], self._counts[kind, False]
        return (right + 0.5) / (right + wrong + 1)  # never 0 or 1, since some corpora have what a few others lack

    def _meanings(self, context: str) -> list[Meaning]:
        return self._meanings_of_generic.get(context) or self._language.meanings(context)

    @cached_property
    def _meanings_of_generic(self) -> dict[str, list[Meaning]]:
        """Meanings of each generic reply: any subject, those that determine the reply's group more often."""
        found = {}
        for reply, groups in self._language.generic.items():
            weights = [
                math.fsum(p * self._share(self._rate_of_any, subject, group) for group, p in groups.items())
                for subject in self._language.subjects
            ]
            total = math.fsum(weights)
            pairs = zip(self._language.subjects, weights, strict=True)
            found[reply] = [Meaning(subject, "generic", weight / total) for subject, weight in pairs]
        return found

    def _p_answers(self, meaning: Meaning, group: int) -> float:
        return self._share(self.rates[meaning.kind], meaning.subject, group)

    def _share(self, rate: float, subject: Subject, group: int) -> float:
        """Return the probability of a group, where the determined one has ``rate`` and the others share the rest."""
        others = self._language.groups - 1
        if not others:
            return 1.0
        return rate if group == subject.group else (1 - rate) / others


def dialogue_losses(settings: Synthetic, split: str, contexts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """Return -log p(response | context) in nats, the end token counted; infinity where a text is not of the corpus."""
    truth = Truth(settings, split)
    return [-truth.log_p(context, response) for context, response in zip(contexts, responses, strict=True)]


def _count_answers(settings: Synthetic, language: Language, split: str) -> Counter[tuple[Kind, bool]]:
    """Count contexts of other corpora by their kind, and by whether the determined group answers.

    Of generic replies only the number is counted: they do not name their subject.
    """
    counts: Counter[tuple[Kind, bool]] = Counter()
    for context, group in _other_pairs(settings, split):
        if context in language.generic:
            counts["generic", False] += 1
        else:
            meaning = max(language.meanings(context), key=lambda meaning: meaning.p)
            counts[meaning.kind, meaning.subject.group == group] += 1
    return counts


def _other_pairs(settings: Synthetic, split: str) -> Iterator[tuple[str, int]]:
    """Return contexts of the split with the groups that answer, from corpora of the same settings and other seeds."""
    held_out = {"validation": settings.validation, "test": settings.test}
    share = held_out.get(split, 1 - sum(held_out.values()))
    for number in range(math.ceil(_DIALOGUES / max(1, settings.dialogues * share))):
        other = generate(settings.model_copy(update={"seed": settings.seed + 1 + number}))
        turns = other.filter(pc.equal(other["split"], split))
        texts = tokenise_array(turns["text"]).to_pylist()
        dialogues, labels = turns["dialogue_id"].to_pylist(), turns["label"].to_pylist()
        for turn in range(1, len(texts)):
            if dialogues[turn] == dialogues[turn - 1]:
                yield texts[turn - 1], labels[turn]
