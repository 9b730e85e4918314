"""Training jobs."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Training(Settings):
    """One training job. Steps are optimiser steps."""

    batch_size: Positive = Field(default=64, description="examples of one step")
    epochs: float = Field(default=50, gt=0, description="passes over the training split; may be a fraction")
    max_steps: Positive | None = Field(default=None, description="ends training earlier; null: epochs alone count")
    learning_rate: float = Field(default=1e-3, gt=0, description="of Adam")
    clip: float = Field(default=5.0, gt=0, description="global gradient norm")
    annealing_steps: Positive = Field(default=10_000, description="KL and relationship weight rise linearly to 1")
    validate_every: Positive = Field(default=100, description="steps between validations; the best is kept")
    select: Literal["reconstruction", "bound"] = Field(
        default="reconstruction",
        description="validation perplexity whose minimum selects the checkpoint (paper: reconstruction)",
    )
    validation_examples: Positive | None = Field(
        default=None, description="examples of the validation split used to select a checkpoint; null: all"
    )
    checkpoint_every: Positive = Field(default=500, description="steps between checkpoints for resumption")
    bucket_batches: Positive = Field(default=50, description="batches whose examples are sorted together by length")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: CUDA where there is one")
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="float32", description="tf32: matrix products on CUDA; bfloat16: autocast, weights stay float32"
    )
