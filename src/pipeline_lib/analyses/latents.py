"""What a trained system's encoders make of a corpus: [c; z] batch by batch, and where each example's z lies."""

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from pipeline_lib.analyses.cosines import cosine_matrix, mean_cosines
from pipeline_lib.compute.device import seeded
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.system import Likelihood, System
from pipeline_lib.schemas.latents import DISTANCES, latents_schema
from pipeline_lib.stage.progress import ProgressBar

_BATCH = 128  # examples encoded together where the order is of no matter


def measure_distances(
    model: System, dataset: ExampleDataset, order: BatchOrder, batches: int, threshold: float, seed: int
) -> pa.Table:
    """Mean cosine of [c; z] within groups and between them, for the first ``batches`` batches of training.

    z is drawn from the posterior, with the noise that training drew at that step. Groups are the system's own: the
    winning copy of SepaCVAE, the cluster of K-, S- and A-CVAE. Of a system without groups, two pairs count as of one
    group if the cosine of their context encodings c exceeds ``threshold``. (Of c, not of [c; z], which would put
    every inner value above the threshold; the paper does not say which.)

    Returns:
        DISTANCES table, a row for each batch.
    Raises:
        PipelineError: the system has no latent variable.
    """
    device = model.device
    measured = []
    model.eval()
    with torch.no_grad(), ProgressBar("distances", batches, "batches") as bar:
        for step in range(batches):
            batch = dataset.batch(order.rows(step)).to(device)
            likelihood = model.likelihood(batch, seeded(device, seed, step))
            condition, mean = _latent_part(likelihood)
            context = condition[:, : condition.shape[1] - mean.shape[1]]
            cosines = mean_cosines(condition, _same_group(likelihood, context, threshold))
            measured.append({"batch": step, **cosines._asdict()})
            bar.advance()
    return pa.Table.from_pylist(measured, DISTANCES)


def encode(model: System, texts: pa.Table, dataset: ExampleDataset, seed: int) -> pa.Table:
    """Group and posterior mean of every example.

    Args:
        texts: ``example_id`` and ``label`` of the examples of ``dataset``.
    Returns:
        `latents_schema` table in the same order.
    Raises:
        PipelineError: the system has no latent variable.
    """
    device = model.device
    generator = seeded(device, seed, 3)
    batches = list(dataset.by_length(_BATCH))
    groups, means = [], []
    model.eval()
    with torch.no_grad(), ProgressBar("latents", len(dataset), "examples") as bar:
        for rows in batches:
            likelihood = model.likelihood(dataset.batch(rows).to(device), generator)
            means.append(_latent_part(likelihood)[1])
            groups.append(None if likelihood.group is None else likelihood.group.cpu().numpy())
            bar.advance(len(rows))
    order = np.argsort(np.concatenate(batches))
    mean = np.concatenate(means)[order]
    known = [group for group in groups if group is not None]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(mean.ravel(), pa.float32()), mean.shape[1])
    group = pa.array(np.concatenate(known)[order], pa.int16()) if known else pa.nulls(len(texts), pa.int16())
    columns = [texts["example_id"], group, texts["label"], vectors]
    return pa.table(columns, schema=latents_schema(mean.shape[1]))


def _latent_part(likelihood: Likelihood) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """[c; z] (B, C + Z) and the posterior mean (B, Z)."""
    if likelihood.condition is None or likelihood.posterior_mean is None:
        raise PipelineError(
            "the system has no latent variable",
            where="figures.latent_distances.systems and figures.latent_map.systems",
            expected="systems whose `likelihood` gives posterior_mean and condition",
            remedy="remove the system from these lists",
        )
    return likelihood.condition.cpu().numpy(), likelihood.posterior_mean.cpu().numpy()


def _same_group(likelihood: Likelihood, context: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """(B, B): which pairs are of one group."""
    if likelihood.group is None:
        return cosine_matrix(context) > threshold
    group = likelihood.group.cpu().numpy()
    return group[:, None] == group
