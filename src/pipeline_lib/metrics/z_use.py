"""Nats that a system owes to its latent variable."""

from pipeline_lib.metrics.base import MeanNats


class ZUse(MeanNats):
    """Loss of the reconstruction with z of another response; undefined for a system without a latent variable."""

    name = "z-use"
    signature = "z-use|kind:reconstruction|z:posterior of another response|unit:nats/example|v:1"
    meaning = "Nats that reconstruction loses per response when z comes from the posterior of another response"
    nats_of = "z_use"
