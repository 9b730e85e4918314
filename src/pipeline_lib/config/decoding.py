"""How responses are made."""

from pydantic import Field

from pipeline_lib.config.settings import Positive, Settings


class Decoding(Settings):
    """How responses are generated: greedily, as in all four papers' main tables."""

    max_length: Positive = Field(default=25, description="tokens after which a response is cut off")
    batch_size: Positive = Field(default=128, description="contexts decoded together")
    importance_samples: Positive = Field(default=20, description="draws of z for the importance-weighted likelihood")
