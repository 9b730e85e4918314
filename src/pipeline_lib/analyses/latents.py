"""Analysis `latents`: where the posterior of a trained system lies for each example of a split."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.settings import Settings, Split
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.latents import latents_schema
from pipeline_lib.stage.progress import ProgressBar

if TYPE_CHECKING:
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.models.system import Likelihood, System

_BATCH = 128  # examples encoded together; their order changes nothing


class Options(Settings):
    """Posterior means and groups of the examples of one split."""

    split: Split = Field(default="test", description="split whose examples are read")


def needs(options: Options) -> Needs:
    return Needs(None, latent=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `latents_schema` table, a row for each example of the split; errors as `encode`."""
    from pipeline_lib.examples.dataset import ExampleDataset

    dataset = ExampleDataset.open(data.encoded[options.split], data.reads)
    texts = read_parquet(data.examples[options.split], EXAMPLES, ["example_id", "label"])
    return encode(model, texts, dataset, seed)


def encode(model: "System", texts: pa.Table, dataset: "ExampleDataset", seed: int) -> pa.Table:
    """Return group and posterior mean of every example.

    Args:
        texts: ``example_id`` and ``label`` of the examples of ``dataset``.
    Returns:
        `latents_schema` table in the same order.
    Raises:
        PipelineError: the system gives no posterior mean.
    """
    import torch

    from pipeline_lib.compute.device import seeded

    device = model.device
    generator = seeded(device, seed, 3)
    batches = list(dataset.by_length(_BATCH))
    groups, means = [], []
    model.eval()
    with torch.no_grad(), ProgressBar("latents", len(dataset), "examples") as bar:
        for rows in batches:
            likelihood = model.likelihood(dataset.batch(rows).to(device), generator)
            means.append(posterior_mean(likelihood))
            groups.append(None if likelihood.group is None else likelihood.group.cpu().numpy())
            bar.advance(len(rows))
    order = np.argsort(np.concatenate(batches))
    mean = np.concatenate(means)[order]
    known = [group for group in groups if group is not None]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(mean.ravel(), pa.float32()), mean.shape[1])
    group = pa.array(np.concatenate(known)[order], pa.int16()) if known else pa.nulls(len(texts), pa.int16())
    columns = [texts["example_id"], group, texts["label"], vectors]
    return pa.table(columns, schema=latents_schema(mean.shape[1]))


def posterior_mean(likelihood: "Likelihood") -> NDArray[np.float32]:
    """Return the posterior mean (B, Z).

    Raises:
        PipelineError: the system gives none.
    """
    if likelihood.posterior_mean is None:
        raise lacking("posterior_mean")
    mean: NDArray[np.float32] = likelihood.posterior_mean.cpu().numpy()
    return mean


def lacking(field: str) -> PipelineError:
    """Return the error of a system whose likelihood lacks what an analysis reads."""
    return PipelineError(
        f"the system's `likelihood` gives no {field}",
        where="figures.<name>.systems, of a figure that draws this analysis",
        expected=f"systems whose `likelihood` gives {field}",
        remedy="remove the system from the list",
    )
