"""Contexts with contradictory responses."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Cases(Settings):
    """Table 5: training contexts with contradictory responses, and what every system makes of contexts near them."""

    contexts: Positive = Field(default=5, description="training contexts that are shown")
    neighbours: Positive = Field(default=1, description="nearest contexts of validation and of test for each")
    fewest_responses: Annotated[int, Field(ge=2)] = Field(
        default=2, description="different responses that a context must have"
    )
