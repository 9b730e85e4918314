"""Linear probes: logistic regression whose strength of regularisation is chosen by cross-validation."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]  # (N,)
Quality = Callable[[Labels, Labels], float]  # true and predicted labels -> larger is better

_STRENGTHS = [2.0**power for power in range(9)]  # C, as in the evaluation code of skip-thought vectors
_FOLDS, _SEED = 10, 1234


def predicted(train: Any, labels: Labels, test: Any, quality: Quality) -> Labels:
    """Fit a logistic regression (L2; softmax for several classes) and predict the labels of ``test``.

    C is the first of 1, 2, 4, …, 256 with the best mean ``quality`` over ten folds that are shuffled with seed 1234.
    The features are not scaled.

    Args:
        train, test: (N, F) and (M, F) features, dense or sparse.
        labels: (N,).
    """
    from sklearn.model_selection import KFold

    folds = list(KFold(_FOLDS, shuffle=True, random_state=_SEED).split(np.arange(len(labels))))
    means = [
        np.mean(
            [quality(labels[held], fitted(train[kept], labels[kept], c).predict(train[held])) for kept, held in folds]
        )
        for c in _STRENGTHS
    ]
    found: Labels = fitted(train, labels, _STRENGTHS[int(np.argmax(means))]).predict(test)
    return found


def fitted(features: Any, labels: Labels, c: float) -> Any:
    """Return a logistic regression of (N, F) features, with L2 regularisation of strength 1 / ``c``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # the weakest regularisation of the grid may not have come to rest
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=c, max_iter=1000).fit(features, labels)


def accuracy(labels: Labels, found: Labels) -> float:
    """Return the share of right labels, in percent."""
    return 100 * float((labels == found).mean())


def accuracy_error(labels: Labels, found: Labels) -> float:
    """Return the binomial standard error of the accuracy, in percentage points."""
    share = float((labels == found).mean())
    return 100 * math.sqrt(share * (1 - share) / len(labels))


def f1(labels: Labels, found: Labels) -> float:
    """Return F1 of label 1, in percent; 0 where neither has it."""
    both = int(((labels == 1) & (found == 1)).sum())
    either = int((labels == 1).sum() + (found == 1).sum())
    return 200 * both / either if either else 0.0


def majority(labels: Labels) -> Labels:
    """Return the most frequent of the true ``labels`` for each of them: no constant answer is right more often.

    Of equally frequent ones it is the largest, so that a constant answer has the F1 that it can have.
    """
    counts = np.bincount(labels)
    return np.full(len(labels), np.flatnonzero(counts == counts.max())[-1])
