"""What the tables show."""

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


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
