"""Adjusted Rand index of the groups."""

import numpy as np

from pipeline_lib.metrics.group_recovery import GroupRecovery


class ARI(GroupRecovery):
    """Adjusted Rand index (Hubert and Arabie 1985), 0 for chance."""

    name = "ARI"
    signature = "ARI|groups:used|labels:reference|v:1"
    meaning = "Agreement of the groups used with the true ones, adjusted for chance (Rand index)"

    @staticmethod
    def agreement(labels: np.ndarray, groups: np.ndarray) -> float:
        """Compare two groupings of the same items."""
        from sklearn.metrics import adjusted_rand_score  # here: it takes a second

        return float(adjusted_rand_score(labels, groups))
