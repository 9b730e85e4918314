"""Small models and batches for the tests of models and training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from pipeline_lib.config.networks import Recurrent
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import System, create
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged, flatten

VOCABULARY, EMBEDDING, GROUPS = 30, 16, 4


@dataclass(frozen=True)
class SmallUnits:
    """Units named after their ids: ``w7`` is 7."""

    embeddings: np.ndarray | None
    size: int = VOCABULARY
    ids: Ids = field(default_factory=Ids)

    def __len__(self) -> int:
        return self.size

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> Ragged:
        tokens, offsets = flatten(texts)
        return Ragged(np.array([int(token[1:]) for token in tokens.to_pylist()], np.int32), offsets)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        return " ".join(f"w{i}" for i in ids)


NETWORK = Recurrent(hidden=7, decoder_layers=2, latent=5, bow_hidden=11, prior_hidden=9)
# what the released code of SepaCVAE does differently (papers/sepacvae/README.md)
RELEASED = {
    "kl_weight": "1/N",
    "relationship": "released",
    "generated_words": "logits",
    "marks_on_padding": True,
    "similarity": "inner",
}
SYSTEMS = {
    "seq2seq": ("pipeline_lib.models.seq2seq:Seq2Seq", {}),
    "cvae": ("pipeline_lib.models.cvae:CVAE", {}),
    "cvae_bow": ("pipeline_lib.models.cvae:CVAE", {"bow": True}),
    "k_cvae_bow": ("pipeline_lib.models.cvae:ClusterCVAE", {"groups": GROUPS}),
    "sepacvae": ("pipeline_lib.models.sepacvae:SepaCVAE", {"groups": GROUPS}),
    "released": ("pipeline_lib.models.sepacvae:SepaCVAE", {"groups": GROUPS} | RELEASED),
}


def make_model(system: str, spread: float = 0.5, options: dict[str, Any] | None = None) -> System:
    """A float64 model of small sizes, always the same; wide initial weights, so that no gradient is tiny."""
    path, own = SYSTEMS[system]
    torch.manual_seed(3)
    embeddings = torch.randn(VOCABULARY, EMBEDDING)
    embeddings[:4] = 0
    options = own | (options or {})
    network = NETWORK.model_copy(update={"initial_range": spread})
    return create(path, options, SmallUnits(embeddings.numpy()), network).double()


def make_dataset(n: int, seed: int = 0, longest: int = 9) -> ExampleDataset:
    random = np.random.default_rng(seed)

    def texts() -> Ragged:
        lengths = random.integers(1, longest + 1, n)
        starts = np.concatenate([[0], lengths.cumsum()])
        return Ragged(random.integers(4, VOCABULARY, starts[-1]).astype(np.int32), starts)

    return ExampleDataset(texts(), texts(), {"group": random.integers(0, GROUPS, n)})


def make_batch(n: int = 6, seed: int = 0) -> Batch:
    return make_dataset(n, seed).batch(np.arange(n))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
