"""The rules of an update: torch's optimisers, without the compiler that they would load.

The methods of `torch.optim` are wrapped to be left alone by `torch.compile`, and the wrappers import the compiler: more
than a second of every training job, most of the start-up of a small one. Nothing here is compiled, so what is wrapped
is called directly; where a version of torch wraps nothing, that is the method itself.
"""

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer

from pipeline_lib.config.training import Optimiser

_KINDS: dict[str, Callable[..., Optimizer]] = {
    "adam": partial(torch.optim.Adam, foreach=True),
    "fused_adam": partial(torch.optim.Adam, fused=True),
    "sgd": partial(torch.optim.SGD, foreach=True),
    "rmsprop": partial(torch.optim.RMSprop, foreach=True),
}

for _name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
    setattr(Optimizer, _name, inspect.unwrap(getattr(Optimizer, _name)))


def optimiser(settings: Optimiser, parameters: Sequence[Tensor], given: Collection[Tensor] = ()) -> Optimizer:
    """Build the optimiser that ``settings`` describe.

    Args:
        parameters: all that it updates.
        given: those that have the rate of given parameters, where the settings name one.
    """
    own = settings.given_learning_rate
    if own is None:
        return _KINDS[settings.kind](parameters, lr=settings.learning_rate)
    chosen = set(given)
    rates = {False: settings.learning_rate, True: own}
    groups = {is_given: [one for one in parameters if (one in chosen) == is_given] for is_given in rates}
    described = [{"params": group, "lr": rates[is_given]} for is_given, group in groups.items() if group]
    return _KINDS[settings.kind](described)


def step(of: Optimizer) -> None:
    """Update the parameters by their gradients."""
    with torch.no_grad():
        inspect.unwrap(type(of).step)(of)
