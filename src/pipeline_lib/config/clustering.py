"""Groups of examples."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.settings import Positive, Seed, Settings


class Clustering(Settings):
    """Groups of training examples, the knowledge of the K-, S- and A-CVAE systems."""

    groups: Annotated[int, Field(ge=2, le=32_767)] = Field(default=8, description="number of groups")
    side: Literal["response", "context"] = Field(default="response", description="whose words are averaged")
    words: Literal["all", "keywords"] = Field(default="all", description="which words' vectors are averaged")
    minibatch_from: Positive = Field(default=100_000, description="examples from which k-means works in mini-batches")
    exact_up_to: Positive = Field(
        default=10_000, description="examples up to which spectral and agglomerative clustering see every example"
    )
    landmarks: Positive = Field(default=1_000, description="landmarks of the large-scale forms")
    seed: Seed = Field(default=1, description="seed for initial centroids and sampling")
