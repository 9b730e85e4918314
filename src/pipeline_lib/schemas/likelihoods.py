"""The two parts of a sentence VAE's bound."""

import pyarrow as pa

LIKELIHOODS = pa.schema(
    [
        pa.field("keep", pa.float64(), nullable=False),  # share of the words that the decoder was shown in training
        # of one sentence, nats
        pa.field("reconstruction", pa.float64(), nullable=False),  # -log p(sentence | z), the end token counted
        pa.field("kl", pa.float64(), nullable=False),  # posterior to prior
        pa.field("bound", pa.float64(), nullable=False),  # their sum
    ]
)
