"""Settings of the metrics."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Metrics(Settings):
    """Settings of the metrics; each travels into the metric's signature."""

    bleu_smoothing: Literal["legacy", "inverted", "current"] = Field(
        default="legacy",
        description="NLTK's method 7 as in 3.4.3 (the paper's), as in 3.5 alone, or as it is since; decides the tables",
    )
    bleu_weights: Literal["cumulative", "onehot"] = Field(
        default="cumulative", description="BLEU-n over orders 1 to n in equal parts, or over order n alone"
    )
    coherence_stopwords: Literal["drop", "keep"] = Field(
        default="drop", description="stop words in the mean vectors of the coherence metric"
    )
    bootstrap: Positive = Field(
        default=1000, ge=40, le=100_000, description="resamples of an interval; fewer than 40 have no 2.5 % beyond it"
    )
