"""The generated corpus of sentences: how many there are, and how large the grammar is that they are drawn from."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.settings import Positive, Seed, Settings


class Grammar(Settings):
    """Sentences drawn independently from a small grammar whose probabilities are known exactly."""

    train: Positive = Field(default=10_000, description="training sentences")
    validation: Positive = Field(default=1_000, description="validation sentences")
    test: Positive = Field(default=1_000, description="test sentences")
    topics: Annotated[int, Field(ge=1, le=16)] = Field(default=8, description="first so many topics of templates.json")
    words_per_slot: Annotated[int, Field(ge=2)] | None = Field(
        default=6, description="first so many things, actions, ... of a topic and times; null: all"
    )
    seed: Seed = Field(default=1, description="seed of the generator")
