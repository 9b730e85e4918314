"""The base of metrics that hold a response against all texts of a cluster of paraphrases."""

from pipeline_lib.metrics.base import Better, Metric


class ClusterMetric(Metric):
    """A metric that reads `Items.of_cluster`, and is undefined for a corpus whose clusters are not of paraphrases."""

    better: Better = "higher"
    caution = "Two texts of a cluster may be joined through others alone: nobody need have compared them."
