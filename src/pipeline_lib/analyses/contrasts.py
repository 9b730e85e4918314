"""Analysis `contrasts`: whether contrasts still teach anything, and whether what they should pull apart is apart."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.measures import Measure, mean_of, table_of
from pipeline_lib.analyses.needs import CONTRASTS, Needs
from pipeline_lib.config.settings import Settings, Split
from pipeline_lib.schemas.measures import SYSTEM

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances
    from pipeline_lib.models.system import System

_UNIFORMITY = 2.0  # exponent of Wang and Isola (2020)


class Options(Settings):
    """Contrasts on one split."""

    split: Split = Field(default="test", description="split that is measured")


def needs(options: Options) -> Needs:
    return Needs("measures", models=(CONTRASTS,))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `MEASURES`: a row of the system with what `measured` tells."""
    from pipeline_lib.examples.dataset import ExampleDataset

    checked = with_contrasts(model)
    return table_of(measured(checked, ExampleDataset.open(data.encoded[options.split], data.reads), seed))


def with_contrasts(model: "System") -> "KeywordsAndInstances":
    """Return the system, which `needs` says has contrasts, set to evaluation."""
    from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances

    assert isinstance(model, KeywordsAndInstances)
    model.eval()
    return model


def measured(model: "KeywordsAndInstances", dataset: "ExampleDataset", seed: int) -> Iterator[Measure]:
    """Measure the contrasts of a split.

    Yields:
        Over the examples: the loss of each contrast and the share of examples on which its gradient has vanished; of
        the keyword of the response against its impostor, the share of examples on which the former is nearer (`AUC`,
        within each example, not of distances of all examples pooled): to the posterior of the response, and to the
        keyword of the context; alignment and uniformity (Wang and Isola 2020) of the posterior means of responses and
        the prior means of their contexts, of length 1.
    """
    import torch

    from pipeline_lib.compute.device import seeded
    from pipeline_lib.models.contrasts import mahalanobis

    found: dict[str, list[NDArray[np.float64]]] = {}
    noise = seeded(model.device, seed, 6)

    def keep(name: str, values: "Tensor") -> None:
        found.setdefault(name, []).append(values.double().cpu().numpy())

    with torch.no_grad():
        for rows in dataset.by_length(128):
            batch = dataset.batch(rows).to(model.device)
            _, contrasts = model.terms(batch, noise)
            for name, loss in contrasts.items():
                keep(f"{name} loss", loss)
                keep(f"{name} vanished", model.has_vanished(loss))
            _, posterior, prior = model.distributions(batch)
            keep("posterior", posterior.mean)
            keep("prior", prior.mean)
            if model.options.keywords == "none":
                continue
            compared = model.compared(batch)
            near, far = (torch.cosine_similarity(compared.asked, one, -1) for one in compared[1:])
            keep("keyword AUC", _preferred(near, far))
            near, far = (mahalanobis(model.latent_keyword(one), posterior) for one in compared[1:])
            keep("mahalanobis AUC", _preferred(far, near))
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    responses, contexts = (_unit(whole.pop(name)) for name in ("posterior", "prior"))
    for name, values in whole.items():
        yield mean_of(SYSTEM, name, values)
    distances = np.square(responses - contexts).sum(1)
    yield mean_of(SYSTEM, "alignment", distances)
    yield Measure(SYSTEM, "uniformity", uniformity(responses), None, len(responses))


def uniformity(points: NDArray[np.float64]) -> float:
    """Return log of the mean of exp(-2 |a - b|^2) over all pairs of (n, Z) points; less is more uniform."""
    from scipy.spatial.distance import pdist

    return float(np.log(np.exp(-_UNIFORMITY * pdist(points, "sqeuclidean")).mean()))


def _preferred(higher: "Tensor", lower: "Tensor") -> "Tensor":
    """Give 1 where the first is greater, and 1/2 where both are equal."""
    return (higher > lower).double() + (higher == lower).double() / 2


def _unit(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
