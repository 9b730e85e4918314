"""Analysis `distances`: cosines of [c; z] within groups and between them, over the first batches of training."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.cosines import cosine_matrix, mean_cosines
from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.latents import lacking, posterior_mean
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.schemas.latents import DISTANCES
from pipeline_lib.stage.progress import ProgressBar

if TYPE_CHECKING:
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.examples.order import BatchOrder
    from pipeline_lib.models.system import Likelihood, System


class Options(Settings):
    """Cosines of [c; z] within and between groups, batch by batch."""

    batches: Positive = Field(default=2_500, description="batches of the training split, in training order")
    threshold: float = Field(
        default=0.9,
        gt=-1,
        lt=1,
        description="cosine of contexts above which they form a group, where a system has none",
    )


def needs(options: Options) -> Needs:
    return Needs(None, latent=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a DISTANCES table, a row for each batch that the run was trained on; errors as `measure_distances`."""
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.examples.order import BatchOrder

    dataset = ExampleDataset.open(data.encoded["train"], data.reads)
    order = BatchOrder(dataset, data.training.batch_size, data.training.bucket_batches, seed)
    return measure_distances(model, dataset, order, min(options.batches, data.steps), options.threshold, seed)


def measure_distances(
    model: "System", dataset: "ExampleDataset", order: "BatchOrder", batches: int, threshold: float, seed: int
) -> pa.Table:
    """Return the mean cosine of [c; z] within groups and between them, for the first ``batches`` batches of training.

    z is drawn from the posterior, with the noise that training drew at that step. Groups are the system's own: the
    winning copy of SepaCVAE, the cluster of K-, S- and A-CVAE. Of a system without groups, two pairs count as of one
    group if the cosine of their context encodings c exceeds ``threshold``. (Of c, not of [c; z], which would put
    every inner value above the threshold; the paper does not say which.)

    Returns:
        DISTANCES table, a row for each batch.
    Raises:
        PipelineError: the system gives no [c; z], or no posterior mean.
    """
    import torch

    from pipeline_lib.compute.device import seeded

    device = model.device
    measured = []
    model.eval()
    with torch.no_grad(), ProgressBar("distances", batches, "batches") as bar:
        for step in range(batches):
            batch = dataset.batch(order.rows(step)).to(device)
            likelihood = model.likelihood(batch, seeded(device, seed, step))
            if likelihood.condition is None:
                raise lacking("condition")
            condition = likelihood.condition.cpu().numpy()
            context = condition[:, : condition.shape[1] - posterior_mean(likelihood).shape[1]]
            cosines = mean_cosines(condition, _same_group(likelihood, context, threshold))
            measured.append({"batch": step, **cosines._asdict()})
            bar.advance()
    return pa.Table.from_pylist(measured, DISTANCES)


def _same_group(likelihood: "Likelihood", context: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Return (B, B), which pairs are of one group."""
    if likelihood.group is None:
        return cosine_matrix(context) > threshold
    group = likelihood.group.cpu().numpy()
    return group[:, None] == group
