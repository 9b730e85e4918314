"""The perplexities that are in use, kept apart by name."""

import numpy as np

from pipeline_lib.metrics.base import RatioMetric
from pipeline_lib.metrics.items import Items, Nats


class Perplexity(RatioMetric):
    """exp(nats / tokens), both summed over the corpus.

    A system without a latent variable has an exact likelihood, and reconstruction, bound and importance are one.
    """

    better = "lower"
    fewer_digits = 2
    of_responses = False
    nats: Nats

    def parts(self, items: Items) -> np.ndarray | None:
        """Give (n, 2) float64, nats and tokens; None for a system without such a likelihood."""
        if items.likelihood is None or not len(items):
            return None
        nats = items.likelihood.of(self.nats)
        tokens = items.likelihood.tokens - (self.nats == "words")
        return None if nats is None else items.by_example(np.column_stack([nats, tokens]))

    def value(self, sums: np.ndarray) -> np.ndarray:
        """Turn (…, 2) sums into (…) perplexities."""
        return np.exp(sums[..., 0] / sums[..., 1])


class ReconstructionPerplexity(Perplexity):
    """z from the posterior, which has seen the response, and KL left out.

    SepaCVAE's tables print this. It is not a perplexity of the model, so latent systems may not be compared with
    Seq2Seq by it.
    """

    name = "ppl"
    nats = "reconstruction"
    signature = "ppl|kind:reconstruction|pooled:corpus|end:counted|v:1"
    meaning = "Perplexity of the reconstruction: z drawn from the posterior, KL left out"
    caution = (
        "ppl: z is drawn from the posterior and the KL is left out. Only latent systems are compared by it, but not "
        "those whose value is the best of several groups, chosen with the reference; ppl-bound and ppl-importance "
        "compare all."
    )

    @classmethod
    def competes(cls, items: Items) -> bool:
        """Tell whether the system has a latent variable, and no groups of which the reference chooses the best."""
        return super().competes(items) and items.likelihood is not None and items.likelihood.reconstructs


class BoundPerplexity(Perplexity):
    """Perplexity from the negative evidence lower bound, so never below the model's own perplexity."""

    name = "ppl-bound"
    nats = "bound"
    signature = "ppl-bound|kind:bound|pooled:corpus|end:counted|v:1"
    meaning = "Perplexity from the evidence lower bound, all terms; never below the model's own"


class ImportancePerplexity(Perplexity):
    """Perplexity from the importance-weighted likelihood, in expectation above the model's own; more draws lower it."""

    name = "ppl-importance"
    of_draws = True
    nats = "importance"
    signature = "ppl-importance|kind:importance|pooled:corpus|end:counted|v:1"
    meaning = "Upper bound of the perplexity from an importance-weighted estimate; exact without a latent variable"


class WordsPerplexity(Perplexity):
    """The bound over words alone: without the end token in nats and tokens."""

    name = "ppl-words"
    nats = "words"
    signature = "ppl-words|kind:bound|pooled:corpus|end:left out|v:1"
    meaning = "Perplexity of the words of a reference from the evidence lower bound; the end token is left out"
