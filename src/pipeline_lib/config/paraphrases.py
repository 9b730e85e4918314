"""The generated corpus of paraphrases: how many meanings there are, and how many ways each is said in."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline_lib.config.generated import check_held_out
from pipeline_lib.config.settings import Fraction, Ordered, Positive, Seed, Settings


class Paraphrases(Settings):
    """Pairs of questions with the same meaning: an intent, and the words that fill its slots."""

    meanings: Positive = Field(default=1600, description="different meanings, over all splits")
    pairs: Annotated[tuple[Positive, Positive], Ordered] = Field(
        default=(1, 2), description="fewest and most pairs of a meaning"
    )
    topics: Annotated[int, Field(ge=1, le=16)] = Field(default=8, description="first so many topics of templates.json")
    words_per_slot: Annotated[int, Field(ge=2)] | None = Field(
        default=8, description="first so many things, actions, ... of a topic; null: all"
    )
    unlabelled: Fraction = Field(
        default=0.05,
        description="share of meanings whose pairs are in two clusters, as paraphrases that nobody has labelled",
    )
    validation: Fraction = Field(default=0.1, description="share of meanings")
    test: Fraction = Field(default=0.1, description="share of meanings")
    seed: Seed = Field(default=1, description="seed of the generator")

    @model_validator(mode="after")
    def _leaves_training_meanings(self) -> "Paraphrases":
        check_held_out(self.validation, self.test, "meaning")
        return self
