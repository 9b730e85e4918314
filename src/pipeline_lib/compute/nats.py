"""A check of the likelihoods that a network tells."""

import inspect

from torch import nn

from pipeline_lib.errors import PipelineError

_ROUNDING = 0.1  # nats below 0 that half precision may make of a sure response


def check_nll(lowest: float, model: nn.Module) -> None:
    """Refuse a negative log-likelihood below 0, which no distribution of words has.

    Args:
        lowest: the lowest of all examples, nats.
    Raises:
        PipelineError: it is below 0, as where a sign is wrong; its perplexity would be the best of all.
    """
    if lowest < -_ROUNDING:
        raise PipelineError(
            f"{type(model).__name__} tells a negative log-likelihood of {lowest:.4g} nats",
            where=f"{inspect.getfile(type(model))}, `nll` of likelihood()",
            expected="0 or more: the probability of a text is at most 1",
            remedy="return -log p(response | context), summed over the tokens of the response, and train again",
        )
