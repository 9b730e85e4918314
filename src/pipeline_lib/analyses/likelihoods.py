"""Analysis `likelihoods`: the two parts of the bound for each sentence of a split (Bowman et al. 2016, Figure 3)."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import SENTENCE_VAE, Needs
from pipeline_lib.config.settings import Settings, Split
from pipeline_lib.schemas.likelihoods import LIKELIHOODS

if TYPE_CHECKING:
    from pipeline_lib.models.system import System

_BATCH = 128  # sentences scored together; their order changes which noise each has


class Options(Settings):
    """Cross-entropy and KL of every sentence, with z drawn once from its posterior."""

    split: Split = Field(default="test", description="split whose sentences are read")


def needs(options: Options) -> Needs:
    return Needs(None, models=(SENTENCE_VAE,))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `LIKELIHOODS` table, a row for each sentence, shorter ones first.

    The decoder reads every word, as in any evaluation; one without inputs (keep 0) reads none.
    """
    import torch

    from pipeline_lib.compute.device import seeded
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.models.sentence_vae import SentenceVAE

    assert isinstance(model, SentenceVAE)  # as `needs` says
    dataset = ExampleDataset.open(data.encoded[options.split], data.reads)
    generator = seeded(model.device, seed, 5)
    model.eval()
    parts = []
    with torch.no_grad():
        for rows in dataset.by_length(_BATCH):
            found = model.likelihood(dataset.batch(rows).to(model.device), generator)
            parts.append(torch.stack([found.nll, found.kl]).double().cpu().numpy())  # type: ignore[list-item]
    reconstruction, kl = np.concatenate(parts, axis=1)
    columns = {"reconstruction": reconstruction, "kl": kl, "bound": reconstruction + kl}
    return pa.table({"keep": np.full(len(kl), model.decoder.keep)} | columns, schema=LIKELIHOODS)
