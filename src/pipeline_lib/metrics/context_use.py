"""Nats that a system owes to its context."""

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items

IGNORED = 0.1  # nats per example: a system that does not demonstrably lose more ignores its context


class ContextUse(Metric):
    """Loss of the bound when the contexts of the split are permuted; undefined for a system without a bound."""

    name = "context-use"
    signature = "context-use|kind:bound|contexts:permuted|unit:nats/example|v:1"
    meaning = "Nats that the bound loses per response when the contexts of the split are permuted"
    fewer_digits = 1
    of_responses = False

    def __call__(self, items: Items) -> Score:
        if items.likelihood is None or items.likelihood.context_use is None:
            return Score(None, None, items.n_examples)
        return Score.of_items(items, items.likelihood.context_use)
