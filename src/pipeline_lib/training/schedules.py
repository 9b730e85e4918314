"""Weights that change while training."""


def linear(step: int, steps: int) -> float:
    """KL (and relationship) weight after ``step`` optimiser steps: ``min(1, step / steps)`` (SepaCVAE, section 5.3)."""
    return min(1.0, step / steps)
