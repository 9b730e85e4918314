"""The three perplexities that are in use, kept apart by name."""

from typing import Literal

import numpy as np

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items, ReferenceLikelihood

Kind = Literal["reconstruction", "bound", "importance"]
NAMES: dict[Kind, str] = {"reconstruction": "ppl", "bound": "ppl-bound", "importance": "ppl-importance"}


class Perplexity:
    """exp(nats / tokens), both summed over the corpus, end tokens counted.

    reconstruction: z from the posterior, which has seen the response, and KL left out. SepaCVAE's tables print this;
        it is no perplexity of the model, so latent systems may not be compared with Seq2Seq by it.
    bound: from the negative evidence lower bound, so never below the model's own perplexity.
    importance: from the importance-weighted likelihood, the tightest of the three.

    A system without a latent variable has an exact likelihood, and the three are one.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.name = NAMES[kind]
        self.signature = f"{self.name}|kind:{kind}|pooled:corpus|end:counted|v:1"

    def __call__(self, items: Items) -> Score:
        parts = self.parts(items)
        return Score(None if parts is None else float(self.value(parts.sum(axis=0))), None, items.n_examples)

    def parts(self, items: Items) -> np.ndarray | None:
        """(n, 2) float64: nats and tokens; None for a system without a likelihood."""
        if items.likelihood is None or not len(items):
            return None
        nats = self._nats(items.likelihood)
        return None if nats is None else items.by_example(np.column_stack([nats, items.likelihood.tokens]))

    def value(self, sums: np.ndarray) -> np.ndarray:
        """(…, 2) sums to (…) perplexities."""
        return np.exp(sums[..., 0] / sums[..., 1])

    def _nats(self, likelihood: ReferenceLikelihood) -> np.ndarray | None:
        if self.kind == "reconstruction" or not is_latent(likelihood):
            return likelihood.nll
        return likelihood.bound if self.kind == "bound" else likelihood.nll_importance


def is_latent(likelihood: ReferenceLikelihood) -> bool:
    """Whether the system has a latent variable: one without has no KL, or nothing but zeros."""
    return likelihood.kl is not None and bool(likelihood.kl.any())
