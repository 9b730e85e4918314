"""Word vectors: where they come from, how they are trained."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.config.corpora import RemoteFile
from pipeline_lib.config.settings import AnyPath, Positive, Seed, Settings


class GloveTraining(Settings):
    """GloVe (Pennington et al. 2014) trained on the training split."""

    dimension: Positive = Field(default=300, description="components of a vector")
    window: Positive = Field(default=10, description="tokens to either side that count as context")
    min_count: Positive = Field(default=1, description="training count below which a token gets no vector")
    epochs: Positive = Field(default=25, description="passes over the co-occurrence counts")
    learning_rate: float = Field(default=0.05, gt=0, description="initial step of AdaGrad")
    x_max: float = Field(default=100.0, gt=0, description="co-occurrence count from which the weight is 1")
    alpha: float = Field(default=0.75, gt=0, description="exponent of the weight below `x_max`")
    seed: Seed = Field(default=1, description="seed for initial vectors and the order of updates")


class Embeddings(Settings):
    """The source of word vectors."""

    source: Literal["file", "native", "package", "none"] = Field(
        default="native",
        description="file: a Stanford GloVe file; native: trained here; package: trained by glove-python-binary in an "
        "environment of its own (needs Python 3.6-3.8); none: systems learn their own",
    )
    file: RemoteFile | None = Field(default=None, description="for source `file`: text, .gz or .zip")
    mirror: AnyPath | None = Field(default=None, description="local folder that is tried before any URL")
    dimension: Positive | None = Field(
        default=None, description="for source `file`: its width, checked; picks the file within glove.6B.zip"
    )
    training: GloveTraining = Field(default=GloveTraining(), description="for sources `native` and `package`")

    @property
    def size(self) -> int | None:
        """Components of a vector; None where the file of vectors decides it, or there are none."""
        if self.source == "none":
            return None
        return self.dimension if self.source == "file" else self.training.dimension

    @model_validator(mode="after")
    def _has_file(self) -> "Embeddings":
        if self.source == "file" and self.file is None:
            raise ValueError("source 'file' needs `file:` with the name of a GloVe file")
        return self
