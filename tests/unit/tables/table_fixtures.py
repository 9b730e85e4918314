"""Systems and published values that the tests of tables share."""

from pathlib import Path
from typing import Literal

from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.tables.published import Published

# of the SepaCVAE paper, as it prints them
PUBLISHED = Path(__file__).parents[3] / "papers/sepacvae/published.csv"


def trained(label: str, **options: object) -> SystemSettings:
    """A system with several seeds."""
    return SystemSettings(label=label, model="m:M", options=options)


def baseline(label: str, name: Literal["random", "human"] = "random") -> SystemSettings:
    """A reference row, which competes with nobody."""
    return SystemSettings(label=label, baseline=name)


def published() -> Published:
    return Published.read(PUBLISHED)
