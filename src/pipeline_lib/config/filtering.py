"""Settings of filtering."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline_lib.config.settings import Fraction, Ordered, Positive, Settings

Length = Annotated[int, Field(ge=0, lt=2**31)]
Treatment = Literal["drop_example", "drop_token", "unk", "keep"]
OPEN: tuple[Treatment, ...] = ("unk", "keep")  # held-out texts may have words that the vocabulary lacks


class Filtering(Settings):
    """The examples that are kept, by their lengths and by the tokens that are known."""

    known: Literal["vectors", "most_frequent", "any"] = Field(
        default="vectors",
        description="tokens of the training split that are known: those with a vector, the `vocabulary_size` most "
        "frequent ones, or any",
    )
    vocabulary_size: Positive | None = Field(default=None, description="for known: most_frequent")
    unknown: Treatment | None = Field(
        default=None, description="treatment of a token that is not known; null: as `unknown:` of the corpus says"
    )
    context_length: Annotated[tuple[Length, Length], Ordered] = Field(
        default=(1, 25), description="fewest and most tokens; [0, 0] for sentences alone"
    )
    response_length: Annotated[tuple[Annotated[Length, Field(ge=1)], Length], Ordered] = Field(
        default=(1, 25), description="fewest and most tokens; paper-size window: context 7-12, response 1-12"
    )
    min_count: Positive | None = Field(
        default=None,
        description="training count below which a token counts as unknown; null: 2 where such tokens are `<unk>`, "
        "so that training contains it, and 1 elsewhere. At least 1: a token that training lacks is never "
        "known, so that `unknown: drop_example` drops the held-out examples that have one",
    )
    held_out: Literal["all", "unseen_pairs", "unseen_contexts"] = Field(
        default="all",
        description="validation and test examples that are kept; all: as published; unseen_pairs: those whose context "
        "and response no training example has word for word; unseen_contexts: those whose context none has",
    )
    most_unknown: Fraction = Field(
        default=0.5,
        description="a held-out split that loses a larger share to unknown tokens stops the run: of its examples where "
        "these are dropped, of its tokens where those are",
    )

    def of_corpus(self, treatment: Treatment) -> "Filtering":
        """Return these settings with the corpus's own treatment, and the count that suits it, where none is given."""
        unknown = self.unknown or treatment
        return self.model_copy(
            update={"unknown": unknown, "min_count": self.min_count or (2 if unknown in OPEN else 1)}
        )

    @model_validator(mode="after")
    def _has_size(self) -> "Filtering":
        if (self.known == "most_frequent") != (self.vocabulary_size is not None):
            raise ValueError("`vocabulary_size` belongs to `known: most_frequent`, and to it alone")
        return self
