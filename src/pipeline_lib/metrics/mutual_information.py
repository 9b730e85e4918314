"""Mutual information of a sentence and its code."""

from pipeline_lib.metrics.base import MeanNats


class MutualInformation(MeanNats):
    """Undefined for a system without a latent variable, and for one whose posterior depends on a context."""

    name = "mutual-information"
    signature = "mutual-information|aggregate:<=5000|own posterior:counted|unit:nats/example|v:1"
    meaning = "Nats that a code tells of its sentence: KL to the mean of the posteriors of up to 5,000 sentences"
    caution = "mutual-information: estimated from n sentences, it cannot exceed log n (8.5 nats for 5,000)."
    nats_of = "mutual_information"
