"""Analysis `gradients`: how strongly each loss pulls at each part of a network with contrasts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.analyses.contrasts import with_contrasts
from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.measures import Measure, table_of
from pipeline_lib.analyses.needs import CONTRASTS, Needs
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.schemas.measures import SYSTEM

if TYPE_CHECKING:
    from pipeline_lib.examples.batch import Batch
    from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances
    from pipeline_lib.models.system import System


class Options(Settings):
    """Batches of the training split, in training order."""

    batches: Positive = Field(default=10, description="batches whose gradients are averaged")


def needs(options: Options) -> Needs:
    return Needs("measures", models=(CONTRASTS,))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `MEASURES`, a row for each loss."""
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.examples.order import BatchOrder

    checked = with_contrasts(model)
    dataset = ExampleDataset.open(data.encoded["train"], data.reads)
    order = BatchOrder(dataset, data.training.batch_size, data.training.bucket_batches, seed)
    norms = gradients(checked, (dataset.batch(order.rows(step)) for step in range(options.batches)), seed)
    return table_of(
        Measure(f"{SYSTEM}: {loss}", part, value, None, options.batches) for (loss, part), value in norms.items()
    )


def gradients(model: "KeywordsAndInstances", batches: "Iterator[Batch]", seed: int) -> dict[tuple[str, str], float]:
    """Return the norm of the gradient of each loss in each part of the network, averaged over batches.

    Returns:
        (loss, part) -> norm, losses averaged over the examples of a batch and without their weights. A part that a loss
        does not reach is left out.
    """
    import torch

    from pipeline_lib.compute.device import seeded

    parts = {
        name: [parameter for key, parameter in model.named_parameters() if key.split(".")[0] in modules]
        for name, modules in {
            "encoder": ["encoder"],
            "decoder": ["decoder"],
            "posterior": ["posterior"],
            "prior": ["prior"],
            "graph": ["attention", "known_by"],
        }.items()
    }
    every = [parameter for own in parts.values() for parameter in own]
    norms: dict[tuple[str, str], list[float]] = {}
    for number, batch in enumerate(batches):
        terms, contrasts = model.terms(batch.to(model.device), seeded(model.device, seed, 7, number))
        for loss, values in (terms | contrasts).items():
            own = torch.autograd.grad(values.mean(), every, retain_graph=True, allow_unused=True)
            of = iter(own)
            for part, parameters in parts.items():
                found = [gradient for gradient in (next(of) for _ in parameters) if gradient is not None]
                if found:
                    norm = torch.stack([gradient.square().sum() for gradient in found]).sum().sqrt()
                    norms.setdefault((loss, part), []).append(float(norm))
    return {key: float(np.mean(values)) for key, values in norms.items()}
