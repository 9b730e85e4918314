"""Users who respond: how much they must have said to be known."""

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Users(Settings):
    """The users of a corpus that systems tell apart; all others share one number."""

    least: Positive = Field(default=15, description="fewest training utterances of a known user")
    count: Positive = Field(default=1000, description="most users that are known: those who say most in training")
