"""The units that systems read and write."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.config.settings import AnyPath, Settings

UnitsKind = Literal["words", "pieces"]


class UnitsSettings(Settings):
    """The units that systems read and write."""

    kind: UnitsKind = Field(
        default="words",
        description="words: the tokens of the corpus, those of the filtered training split; pieces: parts of tokens, "
        "from a list",
    )
    pieces: AnyPath | None = Field(
        default=None, description="list of word pieces, one a line, such as the vocab.txt of a BERT model"
    )

    @model_validator(mode="after")
    def _pieces_are_listed(self) -> "UnitsSettings":
        if self.kind == "pieces" and self.pieces is None:
            raise ValueError("`kind: pieces` needs `pieces:`, the file that lists them")
        return self
