"""Analysis `prior_distance`: how far draws of the prior lie from draws of the posterior, over a whole split."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.measures import Measure, table_of
from pipeline_lib.analyses.needs import PERSONAL, Needs
from pipeline_lib.config.settings import Positive, Seed, Settings, Split
from pipeline_lib.schemas.measures import SYSTEM

if TYPE_CHECKING:
    from pipeline_lib.models.system import System

_BATCH = 128


class Options(Settings):
    """Sliced Wasserstein distance of the first order."""

    split: Split = Field(default="test", description="split whose examples are read")
    directions: Positive = Field(default=200, description="directions onto which the draws are projected")
    draw: Seed = Field(default=1, description="seed of the directions")


def needs(options: Options) -> Needs:
    return Needs("measures", models=(PERSONAL,))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `MEASURES`: the distance of prior and posterior, of two draws of the prior, and the posterior's spread."""
    import torch

    from pipeline_lib.compute.device import seeded
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.models.persona_wae import PersonalAutoencoder

    assert isinstance(model, PersonalAutoencoder)  # as `needs` says
    dataset = ExampleDataset.open(data.encoded[options.split], data.reads)
    noise, drawn = seeded(model.device, seed, 8), []
    model.eval()
    with torch.no_grad():
        for rows in dataset.by_length(_BATCH):
            batch = dataset.batch(rows).to(model.device)
            context, user = model.encode_context(batch, None), model.user_vectors(batch, noise)
            posterior = model.posterior(context, model.encode_response(batch, None))
            z = model.z_of_posterior(posterior, noise), *(model.z_of_prior(context, user, noise) for _ in range(2))
            drawn.append(torch.stack(z).double().cpu().numpy())
    posterior_z, prior, again = np.concatenate(drawn, 1)
    directions = unit_directions(posterior_z.shape[1], options.directions, options.draw)
    values = {
        "prior to posterior": sliced_distance(prior, posterior_z, directions),
        "two draws of the prior": sliced_distance(prior, again, directions),
        "spread of the posterior": float((posterior_z @ directions).std(0).mean()),
    }
    return table_of(Measure(SYSTEM, name, value, None, len(prior)) for name, value in values.items())


def unit_directions(size: int, number: int, seed: int) -> NDArray[np.float64]:
    """Draw directions uniformly, (size, number), each of length 1."""
    drawn = np.random.default_rng(seed).normal(size=(size, number))
    return drawn / np.linalg.norm(drawn, axis=0)


def sliced_distance(one: NDArray[np.float64], other: NDArray[np.float64], directions: NDArray[np.float64]) -> float:
    """Average the Wasserstein distance of the first order of two samples (n, Z) over (Z, D) directions."""
    first, second = (np.sort(each @ directions, axis=0) for each in (one, other))
    return float(np.abs(first - second).mean())
