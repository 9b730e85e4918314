"""Normalised mutual information of the groups."""

import numpy as np

from pipeline_lib.metrics.group_recovery import GroupRecovery


class NMI(GroupRecovery):
    """Mutual information over the mean entropy."""

    name = "NMI"
    signature = "NMI|groups:used|labels:reference|v:1"
    meaning = "Agreement of the groups used with the true ones (normalised mutual information)"

    @staticmethod
    def agreement(labels: np.ndarray, groups: np.ndarray) -> float:
        """Compare two groupings of the same items."""
        from sklearn.metrics import normalized_mutual_info_score  # here: it takes a second

        return float(normalized_mutual_info_score(labels, groups))
