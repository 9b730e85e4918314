"""Users who respond: how much they must have said to be known, and what a system is told of them."""

from typing import Self

from pydantic import Field, model_validator

from pipeline_lib.config.settings import Fraction, Positive, Settings


class Users(Settings):
    """The users of a corpus that systems tell apart; all others share one number."""

    least: Positive = Field(default=15, description="fewest training utterances of a known user")
    count: Positive = Field(default=1000, description="most users that are known: those who say most in training")


class ReadsUsers(Settings):
    """Options of a system that has a vector of each known user."""

    users: Positive | None = Field(default=None, description="known users at most; set by `users.count`")
    user_dropout: Fraction = Field(
        default=0.05, description="share of training examples whose user is taken for unknown"
    )

    @property
    def is_personal(self) -> bool:
        """Whether the vectors are read; an ablation may leave them out."""
        return True

    @model_validator(mode="after")
    def _has_users(self) -> Self:
        if self.is_personal and self.users is None:
            raise ValueError("no users are read; give the system `reads: {user: users/responding}`")
        return self
