"""What the settings of generated dialogues have in common."""

from typing import Annotated

from pydantic import AfterValidator

from pipeline_lib.config.settings import Positive


def _ordered(value: tuple[int, int]) -> tuple[int, int]:
    if not 2 <= value[0] <= value[1]:
        raise ValueError(f"a dialogue has at least 2 turns and fewest ({value[0]}) is at most most ({value[1]})")
    return value


Turns = Annotated[tuple[Positive, Positive], AfterValidator(_ordered)]  # fewest and most of a dialogue


def check_held_out(validation: float, test: float) -> None:
    """Check the shares of dialogues that are held out.

    Raises:
        ValueError: none is left to train on.
    """
    if validation + test >= 1:
        raise ValueError(
            f"`validation:` ({validation}) and `test:` ({test}) hold out every dialogue; nothing is left to train on, "
            "their sum must be below 1"
        )
