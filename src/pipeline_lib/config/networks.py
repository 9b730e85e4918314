"""Sizes of networks, one class for each kind."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline_lib.config.settings import Fraction, Positive, Settings

Direction = Literal["left_to_right", "right_to_left"]  # in which a decoder emits the words of a sentence


class Sizes(Settings):
    """The sizes that every network has."""

    initial_range: Annotated[float, Field(gt=0)] | None = Field(
        default=0.08, description="initial weights are uniform in ± this; null: as torch starts each layer"
    )


class Recurrent(Sizes):
    """Sizes of a recurrent encoder and decoder over given word vectors."""

    kind: Literal["recurrent"] = Field(
        default="recurrent", description="recurrent: encoder and decoder are GRUs; without a kind, this one"
    )
    hidden: Positive = Field(default=300, description="GRU units per direction of the encoder, and of the decoder")
    decoder_layers: Positive = Field(default=2, description="stacked GRU layers of the decoder")
    latent: Positive = Field(default=64, description="dimensions of the latent variable z")
    bow_hidden: Positive = Field(default=400, description="hidden units of the bag-of-words predictor")
    prior_hidden: Positive = Field(default=100, description="least width of the prior's hidden layer")


class LanguageModel(Sizes):
    """Sizes of a language model of single sentences, with or without a latent variable; words are learnt."""

    kind: Literal["language_model"] = Field(
        default="language_model", description="language_model: LSTMs over embeddings that are learnt"
    )
    embedding: Positive = Field(default=256, description="components of a word's embedding, shared by both sides")
    hidden: Positive = Field(default=256, description="LSTM units of the encoder and of the decoder")
    latent: Positive | None = Field(
        default=16, description="dimensions of the latent variable z; null: none, of a system without one"
    )
    dropout: Fraction = Field(default=0.0, description="share of the decoder's inputs and outputs that are dropped")
    z_input: bool = Field(default=False, description="true: the decoder also reads z with every word")


class Dialogue(Sizes):
    """Sizes of a system that reads several turns and the user who responds; words are trained."""

    kind: Literal["dialogue"] = Field(
        default="dialogue", description="dialogue: GRUs over turns of words whose vectors are trained further"
    )
    words: Literal["given", "drawn"] = Field(
        default="given", description="where a word begins. given: its vector; drawn: N(0, 1), in as many components"
    )
    hidden: Positive = Field(default=256, description="GRU units per direction of the encoders, and of the decoder")
    latent: Positive = Field(default=200, description="dimensions of the latent variable z")
    user: Positive = Field(default=512, description="components of a user's vector")
    dropout: Fraction = Field(
        default=0.5,
        description="share of the components of embedded words that are dropped; of encoded turns, half as many",
    )


class Transformer(Sizes):
    """Sizes of a Transformer encoder and decoder; words are learnt, and are those that the decoder projects onto."""

    kind: Literal["transformer"] = Field(
        default="transformer", description="transformer: encoder and decoder attend; words are learnt"
    )
    initial_range: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="initial weights are uniform in ± this; null: as torch starts each layer"
    )
    width: Positive = Field(default=128, description="components of a word and of every state")
    layers: Positive = Field(default=2, description="layers of the encoder, and of the decoder")
    heads: Positive = Field(default=4, description="heads of attention, which share the width")
    feed_forward: Positive = Field(default=512, description="units of the feed-forward network in a layer")
    latent: Positive = Field(default=128, description="dimensions of the latent variable z, where a system has one")
    dropout: Fraction = Field(default=0.1, description="share of the components that are dropped after each sub-layer")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "Transformer":
        if self.width % self.heads:
            raise ValueError(f"`width: {self.width}` cannot be shared by `heads: {self.heads}`; take a multiple")
        return self


AnyNetwork = Annotated[Recurrent | LanguageModel | Dialogue | Transformer, Field(discriminator="kind")]
