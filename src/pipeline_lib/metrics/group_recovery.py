"""Whether a system's groups are the latent groups of the responses, where a corpus tells them."""

from typing import Literal

from pipeline_lib.metrics.base import Score
from pipeline_lib.metrics.items import Items


class GroupRecovery:
    """Agreement of the system's groups with the corpus's labels, whatever the order of the groups.

    ARI: adjusted Rand index (Hubert and Arabie 1985), 0 for chance. NMI: mutual information over the mean entropy.
    Over the items with both a group and a label; undefined without any.
    """

    def __init__(self, name: Literal["ARI", "NMI"]) -> None:
        self.name = name
        self.signature = f"{name}|groups:used|labels:reference|v:1"

    def __call__(self, items: Items) -> Score:
        if items.group is None or items.label is None:
            return Score(None, None, 0)
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # here: it takes a second

        agreement = adjusted_rand_score if self.name == "ARI" else normalized_mutual_info_score
        both = (items.label >= 0) & (items.group >= 0)
        if not both.any():
            return Score(None, None, 0)
        return Score(float(agreement(items.label[both], items.group[both])), None, int(both.sum()))
