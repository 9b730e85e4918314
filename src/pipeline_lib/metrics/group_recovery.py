"""Agreement of a system's groups with the latent groups of the responses, where the corpus gives these."""

from abc import abstractmethod

import numpy as np

from pipeline_lib.metrics.base import Metric, Score
from pipeline_lib.metrics.items import Items


class GroupRecovery(Metric):
    """Agreement of the system's groups with the corpus's labels, whatever the order of the groups.

    Over the items with both a group and a label; undefined without any.
    """

    better = "higher"

    @staticmethod
    @abstractmethod
    def agreement(labels: np.ndarray, groups: np.ndarray) -> float:
        """Compare two groupings of the same items."""

    def __call__(self, items: Items) -> Score:
        if items.group is None or items.label is None:
            return Score(None, None, 0)
        both = (items.label >= 0) & (items.group >= 0)
        if not both.any():
            return Score(None, None, 0)
        return Score(float(self.agreement(items.label[both], items.group[both])), None, int(both.sum()))
