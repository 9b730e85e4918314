"""Figures of trained systems."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Name, Positive, Seed, Settings


class LatentDistances(Settings):
    """Figure 4: cosine of [c; z] within and between groups, batch by batch."""

    systems: list[Name] = Field(
        default=["cvae_bow", "k_cvae_bow", "s_cvae_bow", "a_cvae_bow", "sepacvae"], description="systems that are drawn"
    )
    batches: Positive = Field(default=2_500, description="batches of the training split, in training order")
    threshold: float = Field(
        default=0.9,
        gt=-1,
        lt=1,
        description="cosine of contexts above which they form a group, where a system has none",
    )


class LatentMap(Settings):
    """Figure 5: t-SNE of the posterior means."""

    systems: list[Name] = Field(
        default=["sepacvae", "k_cvae_bow", "s_cvae_bow", "a_cvae_bow"], description="systems that are drawn"
    )
    split: Literal["validation", "test"] = Field(default="test", description="split whose examples are drawn")
    examples: Positive = Field(default=2_000, description="examples at the most")
    perplexity: float = Field(default=30.0, gt=1, description="of t-SNE")
    seed: Seed = Field(default=1, description="of t-SNE, and of the k-means that NMI compares with")


class Figures(Settings):
    """Figures of trained systems; those that a run does not have are left out."""

    run: int | None = Field(default=None, description="seed of the runs that are drawn; null: the first")
    latent_distances: LatentDistances = LatentDistances()
    latent_map: LatentMap = LatentMap()
