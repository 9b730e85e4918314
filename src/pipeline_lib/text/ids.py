"""The ids that a model, a batch and a decoding strategy agree on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ids:
    """Ids of the tokens that are no words; of these a response contains ``unknown`` and ``end`` alone."""

    pad: int = 0
    unknown: int = 1
    start: int = 2
    end: int = 3
