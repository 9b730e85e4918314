"""Keywords of utterances."""

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Keywords(Settings):
    """TextRank (Mihalcea and Tarau 2004)."""

    most: Positive = Field(default=5, description="keywords of one utterance at the most")
