"""Keywords of utterances."""

from typing import Literal

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Keywords(Settings):
    """TextRank (Mihalcea and Tarau 2004)."""

    most: Positive = Field(default=5, description="keywords of one utterance at most")
    ties: Literal["position", "idf"] = Field(
        default="position",
        description="which of several keywords of equal rank comes first: the one that stands first, or the rarest in "
        "training (of those, the one that stands first). In two of three short questions the best are of equal rank",
    )
