"""Judgement by people."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.config.settings import AnyPath, Name, Positive, Seed, Settings

SHEET_COLUMNS = ("sheet", "rater", "item", "response_id", "context", "response")  # then one for each aspect


class Scale(Settings):
    """How a rater answers: places of the systems (1 is best, ties allowed), one of a few values, or yes and no."""

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


class Human(Settings):
    """Rating sheets for human judges, and the table made of what they filled in (Table 4)."""

    contexts: Positive = Field(default=200, description="contexts that are drawn from a split")
    split: Literal["validation", "test"] = Field(default="test", description="split that they are drawn from")
    seed: Seed = Field(default=1, description="of the draw and of the order in which systems are shown")
    run: int | None = Field(default=None, description="seed of the runs whose responses are shown; null: the first")
    systems: list[Name] = Field(
        default=[],
        description="which of `systems:` are judged; empty: all but the random response. External ones always are",
    )
    scale: Scale = Field(default=Scale(), description="how a rater answers")
    aspects: dict[Name, str] = Field(
        default={
            "diversity": "Does the response say something of its own? A reply that fits any context ranks last.",
            "relevance": "Is the response about what the context says, and a sensible reply to it?",
            "fluency": "Is the response grammatical, and readable without effort?",
        },
        min_length=1,
        description="what is judged, with the criterion that the rater reads",
    )
    ratings: AnyPath = Field(default="ratings", description="folder of the filled sheets, CSV")

    @field_validator("aspects")
    @classmethod
    def _columns_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := [name for name in SHEET_COLUMNS if name in value]:
            raise ValueError(f"{taken[0]!r} is a column of every rating sheet; give the aspect another name")
        return value
