"""Checks that the settings of generated corpora share."""

from typing import Annotated

from pydantic import AfterValidator

from pipeline_lib.config.settings import Ordered, Positive


def _two_at_least(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] < 2:
        raise ValueError(f"fewest ({value[0]}) is less than the 2 turns that a dialogue needs")
    return value


Turns = Annotated[tuple[Positive, Positive], AfterValidator(_two_at_least), Ordered]  # fewest and most of a dialogue


def check_held_out(validation: float, test: float, unit: str = "dialogue") -> None:
    """Check the shares of dialogues, or of another unit, that are held out.

    Raises:
        ValueError: none is left to train on.
    """
    if validation + test >= 1:
        raise ValueError(
            f"`validation:` ({validation}) and `test:` ({test}) hold out every {unit}; nothing is left to train on, "
            "their sum must be below 1"
        )
