"""Which examples are kept."""

from typing import Literal

from pydantic import Field, field_validator

from pipeline_lib.config.settings import Positive, Settings


class Filtering(Settings):
    """Which examples are kept, by length and by the GloVe token list."""

    unknown: Literal["drop_example", "drop_token", "unk"] = Field(
        default="drop_example", description="what to do with a token that has no vector"
    )
    context_length: tuple[Positive, Positive] = Field(default=(1, 25), description="fewest and most tokens")
    response_length: tuple[Positive, Positive] = Field(
        default=(1, 25), description="fewest and most tokens; paper-size window: context 7-12, response 1-12"
    )
    min_count: Positive = Field(default=1, description="training count below which a token counts as unknown")

    @field_validator("context_length", "response_length")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError(f"fewest ({value[0]}) is more than most ({value[1]})")
        return value
