"""Judgement by people."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.config.settings import AnyPath, Name, Positive, Seed, Settings

SHEET_COLUMNS = ("sheet", "rater", "item", "response_id", "context", "response")  # then one for each aspect
HISTORY = "history"  # column of a sheet that shows what the one who responds said before


class Scale(Settings):
    """The answers of a rater: places of the systems (1 is best, ties allowed), one of a few values, or yes and no."""

    kind: Literal["rank", "score", "yes_no"] = Field(
        default="rank", description="rank: place of each system, 1 is best; score: one of `values`; yes_no: 1 or 0"
    )
    values: list[Annotated[int, Field(ge=0, le=9)]] = Field(
        default=[], description="for kind `score`: the values that may be given, worst first; each is one key to press"
    )

    @model_validator(mode="after")
    def _has_values(self) -> "Scale":
        if (self.kind == "score") != (len(set(self.values)) >= 2 and sorted(set(self.values)) == self.values):
            raise ValueError("kind 'score' needs `values:`, at least two and ascending; the other kinds have none")
        return self


class Questions(Settings):
    """The questions that raters answer for every response."""

    aspects: dict[Name, str] = Field(
        min_length=1, description="what is judged, with the criterion that the rater reads"
    )
    scale: Scale = Field(default=Scale(), description="how a rater answers")
    scales: dict[Name, Scale] = Field(default={}, description="aspects with a scale of their own")

    @field_validator("aspects")
    @classmethod
    def _columns_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := [name for name in (*SHEET_COLUMNS, HISTORY) if name in value]:
            raise ValueError(f"{taken[0]!r} is a column of rating sheets; give the aspect another name")
        return value

    @model_validator(mode="after")
    def _scales_are_of_aspects(self) -> "Questions":
        if unknown := [name for name in self.scales if name not in self.aspects]:
            raise ValueError(f"scales: {unknown[0]!r} is no aspect; they are {', '.join(self.aspects)}")
        return self

    def scale_of(self, aspect: str) -> Scale:
        """Return how a rater answers for one aspect."""
        return self.scales.get(aspect, self.scale)


class Study(Settings):
    """Rating sheets for human judges. The table of kind `ratings` says who is judged, and how."""

    contexts: Positive = Field(default=200, description="contexts that are drawn from a split")
    split: Literal["validation", "test"] = Field(default="test", description="split that they are drawn from")
    seed: Seed = Field(default=1, description="seed for the draw and for the order in which systems are shown")
    history: int = Field(
        default=0,
        ge=0,
        description="training utterances of the one who responds that a rater sees beside each context; 0: none",
    )
    run: int | None = Field(default=None, description="seed of the runs whose responses are shown; null: the first")
    folder: AnyPath = Field(default="ratings", description="folder of the filled sheets, CSV")
