"""The generated corpus of users with known styles: how much of it there is."""

from pydantic import Field, field_validator, model_validator

from pipeline_lib.config.settings import Fraction, Positive, Seed, Settings


class Personas(Settings):
    """Dialogues between two of sixty users, whose styles and facts are the same in every such corpus."""

    dialogues: Positive = Field(default=1000, description="number of dialogues, over all splits")
    turns: tuple[Positive, Positive] = Field(default=(5, 9), description="fewest and most turns of a dialogue")
    validation: Fraction = Field(default=0.1, description="share of dialogues")
    test: Fraction = Field(default=0.1, description="share of dialogues")
    seed: Seed = Field(default=1, description="seed of what is said; users and their styles do not depend on it")

    @field_validator("turns")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 2 <= value[0] <= value[1]:
            raise ValueError(f"a dialogue has at least 2 turns and fewest ({value[0]}) is at most most ({value[1]})")
        return value

    @model_validator(mode="after")
    def _leaves_training_dialogues(self) -> "Personas":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"`validation:` ({self.validation}) and `test:` ({self.test}) hold out every dialogue; nothing is left "
                "to train on, their sum must be below 1"
            )
        return self
