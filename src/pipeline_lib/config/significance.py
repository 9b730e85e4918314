"""Settings of the tests for differences between systems."""

from typing import Literal, TypeAlias

from pydantic import Field

from pipeline_lib.config.settings import Positive, Seed, Settings

# what a test is about: systems, however they are trained, or these trained models alone
Between: TypeAlias = Literal["systems", "models"]


class Significance(Settings):
    """Tests between systems: over training runs and items, or over items alone where there is one run of each."""

    method: Literal["randomisation", "bootstrap"] = Field(
        default="randomisation", description="the paired test over items, used where there is one run of each system"
    )
    trials: Positive = Field(
        default=1000,
        description="random reassignments or resamples of that test; raised where a table compares so many rows with "
        "its first that no p could pass",
    )
    level: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="p, adjusted over a table, below which a difference is significant",
    )
    seed: Seed = Field(default=1, description="seed of the trials")
