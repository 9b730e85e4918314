"""Training jobs."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.settings import Name, Positive, Settings

LAST = "last"  # `select` of the last validation, whatever its values


class Decay(Settings):
    """A learning rate that falls in stairs."""

    factor: float = Field(gt=0, le=1, description="factor by which the rate is multiplied")
    epochs: float = Field(gt=0, description="passes over the training split from one stair to the next")


class Optimiser(Settings):
    """One optimiser; what it does not name is as in torch."""

    kind: Literal["adam", "fused_adam", "sgd", "rmsprop"] = Field(
        default="adam",
        description="rule of an update; fused_adam: Adam in one pass over the weights, a third of its time on CPUs, "
        "whose last bits differ",
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="learning rate at the beginning")
    given_learning_rate: float | None = Field(
        default=None,
        gt=0,
        description="learning rate of those parameters that the system was given, if there are any: word vectors, or "
        "weights that were trained elsewhere; null: `learning_rate`",
    )
    clip: float | None = Field(default=5.0, gt=0, description="largest gradient norm over all parameters; null: any")
    decay: Decay | None = Field(default=None, description="how the learning rate falls; null: it stays")


class PhaseSettings(Settings):
    """One phase of a system that has several."""

    optimiser: Optimiser | None = Field(default=None, description="the phase's own; null: `training.optimiser`")
    updates: Positive = Field(default=1, description="updates of the phase in a step")


class Linear(Settings):
    """The weight rises in proportion to the steps, up to 1."""

    kind: Literal["linear"] = Field(description="a straight line from 0 to 1")
    steps: Positive = Field(default=10_000, description="steps after which the weight is 1")


class Sigmoid(Settings):
    """The weight rises along a logistic curve."""

    kind: Literal["sigmoid"] = Field(description="a logistic curve from 0 to 1")
    midpoint: float = Field(default=2_500, ge=0, description="step at which the weight is 1/2")
    steepness: float = Field(default=0.0025, gt=0, description="a step; four times the slope at the midpoint")


class Cyclical(Settings):
    """The weight rises from 0 to 1 several times."""

    kind: Literal["cyclical"] = Field(description="several straight lines from 0 to 1, each followed by a stretch of 1")
    cycles: Positive = Field(default=4, description="equal parts of the training")
    rising: float = Field(default=0.5, gt=0, le=1, description="share of a cycle in which the weight rises")


class NoAnnealing(Settings):
    """The weight is 1 throughout."""

    kind: Literal["none"] = Field(description="1 from the first step")


Annealing = Annotated[Linear | Sigmoid | Cyclical | NoAnnealing, Field(discriminator="kind")]


class Training(Settings):
    """One training job. A step is one round of the system's phases: for most systems, one update of all weights."""

    batch_size: Positive = Field(default=64, description="examples of one update")
    epochs: float = Field(default=50, gt=0, description="passes over the training split; may be a fraction")
    max_steps: Positive | None = Field(default=None, description="ends training earlier; null: epochs alone count")
    optimiser: Optimiser = Field(default=Optimiser(), description="optimiser of every phase that has none of its own")
    phases: dict[Name, PhaseSettings] = Field(
        default={}, description="phases that differ from the others, by the name that the system gives them"
    )
    annealing: Annealing = Field(
        default=Linear(kind="linear"), description="how the weight of the KL and relationship terms rises to 1"
    )
    validate_every: Positive = Field(default=100, description="steps between validations; the best is kept")
    select: str = Field(
        default="ppl_bound",
        description="validation value whose minimum selects the checkpoint: ppl_bound; ppl, that of the "
        "reconstruction, as in SepaCVAE's paper; ppl_prior, with z from the prior, where there is one. last: the last "
        "validation, for systems whose reconstruction improves to the end",
    )
    kl_floor: float | None = Field(
        default=None,
        ge=0,
        description="nats; a validation counts only with as much KL, and an annealing weight of 0.99 at least. If none "
        "does, the least ppl_bound of all is taken and the run is reported as collapsed; null: every validation counts",
    )
    patience: Positive | None = Field(
        default=None,
        description="validations without improvement, once the annealing weight is 0.99, that end training; null: none",
    )
    validation_examples: Positive | None = Field(
        default=None, description="examples of the validation split used to select a checkpoint; null: all"
    )
    checkpoint_every: Positive = Field(default=500, description="steps between checkpoints for resumption")
    bucket_batches: Positive = Field(default=50, description="batches whose examples are sorted together by length")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: CUDA where there is one")
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="float32",
        description="of training steps; tf32: matrix products on CUDA; bfloat16: autocast, weights stay float32. "
        "Validation, decoding and analyses are in float32",
    )
