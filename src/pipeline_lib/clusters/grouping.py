"""The result of fitting a clustering: the groups of the training points and the rule that extends them to others."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Groups = NDArray[np.int32]
BATCH = 65_536  # rows held at once: 80 MB at 300 float32


class Points(Protocol):
    """n points of D float32 that need not exist all at once; an (n, D) array is the simplest case."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> NDArray[np.float32]: ...


class Grouping(NamedTuple):
    """Groups fitted on training points.

    Attributes:
        train: (n,) int32, the group of each training point.
        extend: gives m further points their (m,) int32 groups; never changes what was fitted.
    """

    train: Groups
    extend: Callable[[Points], Groups]


def batches(points: Points) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Walk over ``points`` in order, at most `BATCH` rows at a time."""
    for start in range(0, len(points), BATCH):
        rows = slice(start, min(start + BATCH, len(points)))
        yield rows, points[rows]


def nearest_centroid(points: Points, centroids: NDArray[np.floating]) -> Groups:
    """Return the row of ``centroids`` (K, D) that is nearest (Euclidean) to each point: (n,) int32."""
    from sklearn.metrics import pairwise_distances_argmin  # a second of imports that a wrong argument need not wait for

    found = np.empty(len(points), dtype=np.int32)
    for rows, block in batches(points):
        found[rows] = pairwise_distances_argmin(block, centroids.astype(block.dtype))
    return found


def extended_by_neighbour(points: NDArray[np.float32], train: NDArray[np.integer]) -> Grouping:
    """Extend a method that has no rule for new points: these go to the group of the nearest training point.

    The nearest group mean would contradict the fit where groups are not round: on the generated corpus it sent
    validation responses to other spectral groups than equal training responses.
    """
    groups = train.astype(np.int32)
    return Grouping(groups, lambda others: groups[nearest_centroid(others, points)])
