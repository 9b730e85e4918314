"""The generated corpus at other rates."""

from typing import Literal, NamedTuple

from pydantic import Field

from pipeline_lib.config.settings import Fraction, Name, Seed, Settings


class Sweep(Settings):
    """The generated corpus with other rates of one-to-many and many-to-one, to see what they do to each system."""

    source: Name = Field(
        default="embedded", description="a source with reader `synthetic`; its own rates are the centre"
    )
    one_to_many: list[Fraction] = Field(default=[0.0, 0.25, 0.5, 0.75, 1.0], description="rates, many_to_one unchanged")
    many_to_one: list[Fraction] = Field(default=[0.0, 0.2, 0.4, 0.6, 0.8], description="rates, one_to_many unchanged")
    systems: list[Name] = Field(
        default=["seq2seq", "cvae", "cvae_bow", "k_cvae_bow", "sepacvae", "sepacvae_faithful"],
        description="systems that are swept",
    )
    seeds: list[Seed] = Field(default=[1, 2, 3], description="runs of each")


class SweepPoint(NamedTuple):
    """One generated corpus of the sweep."""

    corpus: str  # name of its source
    axis: Literal["one_to_many", "many_to_one"]
    rate: float
