"""Settings of decoding."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline_lib.config.settings import Positive, Settings


class _Decoding(Settings):
    max_length: Positive = Field(default=25, description="tokens after which a response is cut off")
    samples: Positive = Field(default=1, description="responses to each context, each with its own draw of z")
    candidates: Positive = Field(
        default=1,
        description="responses drawn to each context, of which the one closest to the context is given: SepaCVAE's "
        "test rule for other systems",
    )
    batch_size: Positive = Field(default=128, description="contexts decoded together")
    importance_samples: int = Field(
        default=20,
        ge=0,
        lt=2**31,
        description="draws of z for the importance-weighted likelihood, of each group where a system has groups; 0: it "
        "is not measured",
    )


class GreedySettings(_Decoding):
    """The likeliest next word, until the end."""

    kind: Literal["greedy"] = Field(default="greedy", description="greedy: the likeliest next word at every position")


class SamplingSettings(_Decoding):
    """Words drawn from the model's distribution."""

    kind: Literal["sampling"] = Field(description="sampling: every next word is drawn at random")
    temperature: float = Field(
        default=1.0, ge=0.01, le=100, description="logits are divided by it; below 1 likely words become likelier"
    )


class BeamSettings(_Decoding):
    """The best sentence that a beam search finds."""

    kind: Literal["beam"] = Field(description="beam: the best sentence that a beam search finds")
    size: Positive = Field(default=4, le=1000, description="hypotheses that are kept at every position")
    min_length: int = Field(default=0, ge=0, lt=2**31, description="fewest tokens of a response")
    length_penalty: float = Field(
        default=1.0, ge=0, description="power of the length that divides log p; 0: none, 1: mean over tokens"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "BeamSettings":
        if self.min_length > self.max_length:
            raise ValueError(f"min_length ({self.min_length}) is more than max_length ({self.max_length})")
        return self


def _kind(value: Any) -> str:
    return value.get("kind", "greedy") if isinstance(value, dict) else getattr(value, "kind", "")


Decoding = Annotated[
    Annotated[GreedySettings, Tag("greedy")]
    | Annotated[SamplingSettings, Tag("sampling")]
    | Annotated[BeamSettings, Tag("beam")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="Input should have a kind that there is: greedy, sampling or beam",
    ),
]
