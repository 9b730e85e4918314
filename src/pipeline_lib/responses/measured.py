"""What is measured of a trained model on a split: likelihoods of the references, and use of context and z."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline_lib.compute.device import seeded
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.metrics.latent import ACTIVE_NATS
from pipeline_lib.models.layers.distributions import Gaussian
from pipeline_lib.models.layers.mutual_information import information
from pipeline_lib.models.system import Likelihood, System, check_nll, given
from pipeline_lib.stage.progress import ProgressBar

# noise of each measure, so that none depends on what else is measured
_LIKELIHOOD, _IMPORTANCE, _Z_USE = 1, 3, 4
_ORDER_SEED = 7  # contexts and responses are exchanged alike for every system and seed
# column of the responses -> field of `Likelihood`
_FIELDS = {"nll": "nll", "nll_end": "end", "kl": "kl", "bound": "bound", "group_nats": "group_nats"}

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """Values for each example of a split, in its order.

    Attributes:
        nats: (n,) float32 by the name of the column (`schemas.responses.MEASURED`), without what the model cannot tell.
        group: (n,) int64, the group that explains each reference best, where the model has groups.
        active_units: latent dimensions whose mean KL exceeds `ACTIVE_NATS`; None without a latent variable.
    """

    nats: dict[str, Values]
    group: NDArray[np.int64] | None
    active_units: int | None


def measure(
    model: System,
    dataset: ExampleDataset,
    batches: Sequence[NDArray[np.int64]],
    importance_samples: int,
    seed: int,
    uses: bool = True,
) -> Measured:
    """Measure a model on a split.

    Args:
        batches: rows of each batch; together each example once.
        importance_samples: draws of z for the importance-weighted likelihood; 0: it is not measured.
        uses: measure the use of context and z.
    Raises:
        PipelineError: a negative log-likelihood is below 0.
    """
    split = _Split(model, dataset, batches, seed)
    own, active_units = split.likelihoods()
    found = {column: own[field] for column, field in _FIELDS.items()}
    found["mutual_information"] = split.mutual_information(own)
    if importance_samples:
        found["nll_importance"] = split.importance(importance_samples)
    if uses:
        found["context_use"] = split.context_use(own["bound"])
        found["z_use"] = split.z_use()
    group = own["group"]
    return Measured(
        {name: values for name, values in found.items() if values is not None},
        None if group is None else group.astype(np.int64),
        active_units,
    )


@dataclass(frozen=True)
class _Split:
    """A model and the examples that it is measured on."""

    model: System
    dataset: ExampleDataset
    batches: Sequence[NDArray[np.int64]]
    seed: int

    def likelihoods(self) -> tuple[dict[str, Values | None], int | None]:
        """Measure likelihoods, by the field of `Likelihood`, and count the latent dimensions in use."""
        parts: list[Likelihood] = []
        unit_nats: Tensor | None = None
        generator = self._noise(_LIKELIHOOD)
        with ProgressBar("likelihood", len(self.dataset), "examples") as bar:
            for rows in self.batches:
                found = self.model.likelihood(self._batch(rows), generator)
                if found.kl_units is not None:
                    own = found.kl_units.double().sum(0)
                    unit_nats = own if unit_nats is None else unit_nats + own
                found = found._replace(condition=None, kl_units=None)  # large, and not kept
                parts.append(found if found.z is not None else found._replace(posterior_mean=None))
                bar.advance(len(rows))
        columns = zip(Likelihood._fields, zip(*parts, strict=True), strict=True)
        joined = {name: self._joined(values) for name, values in columns}
        check_nll(float(given(joined["nll"]).min()), self.model)
        active = None if unit_nats is None else int((unit_nats / len(self.dataset) > ACTIVE_NATS).sum())
        return joined, active

    def mutual_information(self, own: dict[str, Values | None]) -> Values | None:
        """Estimate what each code tells of its sentence, nats, (n,), see `mutual_information.information`."""
        mean, log_variance, z = (own[name] for name in ("posterior_mean", "posterior_log_variance", "z"))
        if mean is None or log_variance is None or z is None:
            return None
        posterior = Gaussian(torch.from_numpy(mean), torch.from_numpy(log_variance))
        return information(posterior, torch.from_numpy(z)).numpy().astype(np.float32)

    def importance(self, samples: int) -> Values | None:
        """Estimate -log p(response | context), nats, (n,), by importance weighting."""
        generator = self._noise(_IMPORTANCE)
        return self._every("importance", lambda batch, rows: self.model.importance_nll(batch, generator, samples))

    def context_use(self, bound: Values | None) -> Values | None:
        """Measure what the bound loses when each example gets another's context, nats, (n,); with the same noise."""
        if bound is None or not self.dataset.has_contexts:
            return None
        generator, others = self._noise(_LIKELIHOOD), self._others()

        def with_other_context(batch: Batch, rows: NDArray[np.int64]) -> Tensor | None:
            return self.model.likelihood(batch.after(self._batch(others[rows])), generator).bound

        permuted = self._every("context use", with_other_context)
        return None if permuted is None else permuted - bound

    def z_use(self) -> Values | None:
        """Measure what reconstruction loses with z from the posterior of another example's response, nats, (n,)."""
        generator, others = self._noise(_Z_USE), self._others()
        return self._every(
            "z use",
            lambda batch, rows: self.model.latent_use(batch, self._batch(others[rows]).response, generator),
        )

    def _noise(self, number: int) -> torch.Generator:
        return seeded(self.model.device, self.seed, number)

    def _batch(self, rows: NDArray[np.int64]) -> Batch:
        return self.dataset.batch(rows).to(self.model.device)

    def _others(self) -> NDArray[np.int64]:
        """Give each example another one, (n,): the next in a random order, so that none keeps its own."""
        order = np.random.default_rng(_ORDER_SEED).permutation(len(self.dataset))
        others = np.empty_like(order)
        others[order] = np.roll(order, 1)
        return others

    def _every(self, what: str, value: Callable[[Batch, NDArray[np.int64]], Tensor | None]) -> Values | None:
        """Compute a value of each example; None where the model has no such value."""
        parts = []
        with ProgressBar(what, len(self.dataset), "examples") as bar:
            for rows in self.batches:
                parts.append(value(self._batch(rows), rows))
                bar.advance(len(rows))
        return self._joined(parts)

    def _joined(self, parts: Sequence[Tensor | None]) -> Values | None:
        """Join the rows of all batches in the order of the split; None where the model has no such value."""
        given = [part for part in parts if part is not None]
        return torch.cat(given).cpu().numpy()[np.argsort(np.concatenate(self.batches))] if given else None
