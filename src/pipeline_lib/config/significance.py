"""Settings of the tests for differences between systems."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Positive, Seed, Settings


class Significance(Settings):
    """Paired tests between the best system of a column and every other."""

    method: Literal["randomisation", "bootstrap"] = Field(default="randomisation", description="the paired test")
    trials: Positive = Field(default=1000, description="random reassignments or resamples")
    level: float = Field(default=0.05, gt=0, lt=1, description="adjusted p below which a difference is significant")
    seed: Seed = Field(default=1, description="seed of the trials")
