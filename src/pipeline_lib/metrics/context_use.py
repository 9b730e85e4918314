"""Nats that a system owes to its context."""

from pipeline_lib.metrics.base import MeanNats

IGNORED = 0.1  # nats per example: a system that does not demonstrably lose more ignores its context


class ContextUse(MeanNats):
    """Loss of the bound when the contexts of the split are permuted; undefined for a system without a bound."""

    name = "context-use"
    signature = "context-use|kind:bound|contexts:permuted|unit:nats/example|v:1"
    meaning = "Nats that the bound loses per response when the contexts of the split are permuted"
    nats_of = "context_use"
