"""Negative log-likelihood of a reference, in the forms that are in use."""

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items, Nats


class NegativeLogLikelihood(Metric):
    """Nats per example, end token counted; a system without a latent variable has an exact one."""

    better = "lower"
    fewer_digits = 2
    of_responses = False
    nats: Nats

    def __call__(self, items: Items) -> Score:
        nats = items.likelihood.of(self.nats) if items.likelihood else None
        return Score(None, None, items.n_examples) if nats is None else Score.of_items(items, nats)


class ReconstructionNLL(NegativeLogLikelihood):
    """Without the KL, so no likelihood of a latent system."""

    name = "nll"
    by_item = "ppl"  # that the page makes of the same nats
    nats = "reconstruction"
    signature = "nll|kind:reconstruction|unit:nats/example|end:counted|v:1"
    meaning = "Nats of a reference, z drawn from the posterior, KL left out"
    caution = (
        "nll: z is drawn from the posterior and the KL is left out; of several groups, it is the best one's, chosen "
        "with the reference. Only nll-bound and nll-importance compare latent systems with others."
    )

    @classmethod
    def competes(cls, items: Items) -> bool:
        """Tell whether the system has a latent variable, and no groups of which the reference chooses the best."""
        return super().competes(items) and items.likelihood is not None and items.likelihood.reconstructs


class BoundNLL(NegativeLogLikelihood):
    """The negative evidence lower bound, which papers on VAEs print as NLL."""

    name = "nll-bound"
    nats = "bound"
    signature = "nll-bound|kind:bound|unit:nats/example|end:counted|v:1"
    meaning = "Nats of a reference from the evidence lower bound, all terms; never below the model's own"


class ImportanceNLL(NegativeLogLikelihood):
    """The importance-weighted estimate, in expectation above the model's own nats; more draws lower it."""

    name = "nll-importance"
    of_draws = True
    nats = "importance"
    signature = "nll-importance|kind:importance|unit:nats/example|end:counted|v:1"
    meaning = "Upper bound of a reference's nats from an importance-weighted estimate; exact without a latent variable"


class WordsNLL(NegativeLogLikelihood):
    """The bound without the nats of the end token, as papers have it that predict words alone."""

    name = "nll-words"
    nats = "words"
    signature = "nll-words|kind:bound|unit:nats/example|end:left out|v:1"
    meaning = "Nats of the words of a reference from the evidence lower bound; the end token is left out"
