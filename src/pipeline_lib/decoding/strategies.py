"""The choice of a decoding strategy by its settings."""

import torch

from pipeline_lib.config import decoding as settings_of
from pipeline_lib.decoding.beam import Beam
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.sampling import Sampling
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.text.ids import Ids


def strategy(settings: settings_of.Decoding, ids: Ids, generator: torch.Generator) -> Decode:
    """Build the strategy that ``settings`` describe; only sampling draws from ``generator``."""
    match settings:
        case settings_of.Greedy():
            return Greedy(ids, settings.max_length)
        case settings_of.Sampling():
            return Sampling(ids, settings.max_length, settings.temperature, generator)
        case settings_of.Beam():
            return Beam(ids, settings.size, settings.max_length, settings.min_length, settings.length_penalty)
