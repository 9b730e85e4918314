"""Tables, and which of their differences are real."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Positive, Seed, Settings


class Significance(Settings):
    """Paired tests between the best system of a column and every other."""

    method: Literal["randomisation", "bootstrap"] = Field(default="randomisation", description="the paired test")
    trials: Positive = Field(default=1000, description="random reassignments or resamples")
    level: float = Field(default=0.05, gt=0, lt=1, description="adjusted p below which a difference is significant")
    seed: Seed = Field(default=1, description="of the trials")


class Tables(Settings):
    """What the tables show."""

    table2: list[str] = Field(
        default=["ppl", "distinct-1", "distinct-2", "length", "BLEU-1", "Average", "coherence"],
        description="metrics of Table 2 (validation), in the published order",
    )
    table3: list[str] = Field(
        default=["distinct-1", "distinct-2", "length", "BLEU-2", "BLEU-3", "Average", "coherence"],
        description="metrics of Table 3 (test), in the published order",
    )
    extra: list[str] = Field(
        default=["ppl-bound", "ppl-importance", "kl", "active-units", "corpus-BLEU", "Greedy", "Extrema"],
        description="columns beyond the published shape, after it",
    )
    digits: Positive = Field(default=3, description="decimals of a cell")
