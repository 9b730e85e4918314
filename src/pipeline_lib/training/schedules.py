"""Weights that change during training: functions of the step (a round of the phases), so that resuming needs no state.

They weight the KL term, and whatever else a system anneals. ``step`` is 0-based: the steps done before this one.
"""

import math

from pipeline_lib.config.training import Annealing, Cyclical, Linear, Sigmoid

ANNEALED = 0.99  # from this weight on, the objective counts as the un-annealed one


def weight(annealing: Annealing, step: int, steps: int) -> float:
    """Return the weight at ``step`` of a training of ``steps`` steps, in [0, 1]."""
    match annealing:
        case Linear():
            return linear(step, annealing.steps)
        case Sigmoid():
            return sigmoid(step, annealing.midpoint, annealing.steepness)
        case Cyclical():
            return cyclical(step, steps, annealing.cycles, annealing.rising)
    return 1.0


def linear(step: int, steps: int) -> float:
    """Return ``min(1, step / steps)`` (SepaCVAE, section 4.4)."""
    return min(1.0, step / steps)


def sigmoid(step: int, midpoint: float, steepness: float) -> float:
    """Return ``1 / (1 + exp(-steepness * (step - midpoint)))`` (Bowman et al. 2016, section 3.1).

    The paper gives the shape alone; its figure 2 shows a curve that is centred some thousand steps into training.
    Computed as a hyperbolic tangent, which cannot overflow.
    """
    return 0.5 * (1.0 + math.tanh(0.5 * steepness * (step - midpoint)))


def cyclical(step: int, steps: int, cycles: int, rising: float) -> float:
    """Return ``min(1, position / rising)`` of the position in [0, 1) within one of ``cycles`` equal parts of ``steps``.

    Fu et al. 2019 (Cyclical Annealing Schedule), with a linear rise.
    """
    return min(1.0, step * cycles % steps / steps / rising)
