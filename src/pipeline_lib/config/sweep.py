"""The generated corpus at other rates."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from pipeline_lib.config.settings import Distinct, Fraction, Name, Seed, Settings

GUIDES = ("random", "human")  # baselines that frame the swept systems, by name
# metrics that its figure shows
SWEPT = ("BLEU-2", "coherence", "distinct-2", "kl", "ppl-importance", "context-use", "ARI")


class Sweep(Settings):
    """The generated corpus at other rates of one-to-many and many-to-one data."""

    source: Name = Field(
        default="embedded", description="a source with reader `synthetic`; its own rates are the centre"
    )
    one_to_many: list[Fraction] = Field(default=[0.0, 0.25, 0.5, 0.75, 1.0], description="rates, many_to_one unchanged")
    many_to_one: list[Fraction] = Field(default=[0.0, 0.2, 0.4, 0.6, 0.8], description="rates, one_to_many unchanged")
    systems: Annotated[list[Name], Distinct] = Field(
        min_length=1,
        description="trained systems that are swept; `random` and `human` frame them by themselves",
    )
    seeds: Annotated[list[Seed], Distinct] = Field(default=[1, 2, 3], min_length=1, description="runs of each")


class SweepPoint(NamedTuple):
    """One generated corpus of the sweep."""

    corpus: str  # name of its source
    axis: Literal["one_to_many", "many_to_one"]
    rate: float
