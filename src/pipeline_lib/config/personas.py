"""The generated corpus of users with known styles: how much of it there is."""

from pydantic import Field, model_validator

from pipeline_lib.config.generated import Turns, check_held_out
from pipeline_lib.config.settings import Fraction, Positive, Seed, Settings


class Personas(Settings):
    """Dialogues between two of sixty users, whose styles and facts are the same in every such corpus."""

    dialogues: Positive = Field(default=1000, description="number of dialogues, over all splits")
    turns: Turns = Field(default=(5, 9), description="fewest and most turns of a dialogue")
    validation: Fraction = Field(default=0.1, description="share of dialogues")
    test: Fraction = Field(default=0.1, description="share of dialogues")
    seed: Seed = Field(default=1, description="seed of what is said; users and their styles do not depend on it")

    @model_validator(mode="after")
    def _leaves_training_dialogues(self) -> "Personas":
        check_held_out(self.validation, self.test)
        return self
