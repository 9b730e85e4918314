"""What examples are contrasted with: negatives, and the neighbours of keywords."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import AnyPath, Positive, Seed, Settings


class Contrasts(Settings):
    """How negatives are found, and how many neighbours a keyword has."""

    negatives: Literal["nearest", "random"] = Field(
        default="nearest",
        description="where nobody has labelled a text as different in meaning. nearest: the text most like the "
        "context, of another cluster and about something else; random: any text of another cluster",
    )
    audit: AnyPath | None = Field(
        default=None,
        description="a filled sheet of a table of negatives (its CSV): a text that means what a context means by it is "
        "no negative of that context, and another one is found; null: none",
    )
    neighbours: Positive = Field(
        default=8, description="neighbours of a keyword in the graph, of each sign, and its impostors, at most"
    )
    seed: Seed = Field(default=1, description="seed of what is drawn")
