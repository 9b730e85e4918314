"""A system's responses to every context of a split, with the likelihood of the references."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipeline_lib.compute.device import seeded
from pipeline_lib.config.decoding import Decoding
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import Likelihood, System
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.stage.kinds import load
from pipeline_lib.stage.progress import ProgressBar
from pipeline_lib.text.ragged import flatten
from pipeline_lib.text.units import Units
from pipeline_lib.training.validation import active_units

DECODING = "pipeline_lib.decoding"


def respond(
    model: System,
    units: Units,
    dataset: ExampleDataset,
    texts: pa.Table,
    settings: Decoding,
    seed: int,
    selections: list[str],
    importance_samples: int,
) -> tuple[pa.Table, dict[str, str]]:
    """Generate and score.

    Args:
        dataset: the examples to answer.
        texts: `EXAMPLES`, the same in words.
        importance_samples: draws of z for the importance-weighted likelihood; 0: it is not estimated.
        selections: ways of choosing the group, each a set of rows of the result; only `oracle` sees the reference.
    Returns:
        (`RESPONSES`, one sample after the other, each in the order of ``texts``; metadata with `active_units` where
        the model has a latent variable).
    """
    rows = list(dataset.by_length(settings.batch_size))
    model.eval()
    with torch.no_grad():
        likelihood, importance = _likelihoods(model, dataset, rows, importance_samples, seed)
        tables = [
            _table(
                texts,
                likelihood,
                importance,
                selection,
                sample,
                *_generate(model, units, dataset, rows, selection, settings, seed, sample),
            )
            for selection in selections
            for sample in range(settings.samples)
        ]
    latent = likelihood["posterior_mean"]
    metadata = {} if latent is None else {"active_units": str(active_units(torch.from_numpy(latent)))}
    return pa.concat_tables(tables), metadata


def _likelihoods(
    model: System, dataset: ExampleDataset, batches: list[Any], importance_samples: int, seed: int
) -> tuple[dict[str, np.ndarray | None], np.ndarray | None]:
    device = model.device
    generator = seeded(device, seed, 1)
    parts: list[Likelihood] = []
    importance: list[Tensor | None] = []
    with ProgressBar("likelihood", len(dataset), "examples") as bar:
        for rows in batches:
            batch = dataset.batch(rows).to(device)
            parts.append(model.likelihood(batch, generator)._replace(condition=None))  # the largest, and not kept
            if importance_samples:
                importance.append(model.importance_nll(batch, generator, importance_samples))
            bar.advance(len(rows))
    order = np.argsort(np.concatenate(batches))
    joined = {
        name: _joined(values, order) for name, values in zip(Likelihood._fields, zip(*parts, strict=True), strict=True)
    }
    return joined, _joined(importance, order)


def _joined(parts: Sequence[Tensor | None], order: np.ndarray) -> np.ndarray | None:
    """Join the rows of all batches in ``order``; None where the model has no such value."""
    given = [part for part in parts if part is not None]
    return torch.cat(given).cpu().numpy()[order] if given else None


def _generate(
    model: System,
    units: Units,
    dataset: ExampleDataset,
    batches: list[Any],
    selection: str,
    settings: Decoding,
    seed: int,
    sample: int,
) -> tuple[list[str], np.ndarray | None]:
    device = model.device
    generator = seeded(device, seed, 2, *([sample] if sample else []))
    decode: Decode = load(DECODING, settings.kind, "strategy").strategy(settings, units.ids, generator)
    texts: list[str] = []
    groups: list[Tensor] = []
    with ProgressBar("decoding", len(dataset), "contexts") as bar:
        for rows in batches:
            generated = model.generate(dataset.batch(rows).to(device), decode, selection, generator)
            texts += [_text(ids, units) for ids in generated.tokens.cpu().tolist()]
            if generated.group is not None:
                groups.append(generated.group)
            bar.advance(len(rows))
    order = np.argsort(np.concatenate(batches))
    return [texts[i] for i in order], torch.cat(groups).cpu().numpy()[order] if groups else None


def _text(ids: list[int], units: Units) -> str:
    ends = next((i for i, token in enumerate(ids) if token in (units.ids.end, units.ids.pad)), len(ids))
    return units.decode(ids[:ends])


def _table(
    texts: pa.Table,
    likelihood: dict[str, np.ndarray | None],
    importance: np.ndarray | None,
    selection: str,
    sample: int,
    responses: list[str],
    group: np.ndarray | None,
) -> pa.Table:
    columns = {
        "example_id": texts["example_id"],
        "sample": pa.array(np.full(len(texts), sample, np.int16)),
        "selection": pa.array([selection] * len(texts)),
        "context": texts["context"],
        "reference": texts["response"],
        "response": pa.array(responses),
        "group": pa.array(group, pa.int16()) if group is not None else pa.nulls(len(texts), pa.int16()),
        "label": texts["label"],
        "tokens": pa.array(np.diff(flatten(texts["response"])[1]) + 1, pa.int32()),  # words, whatever the units
        "nll": _nats(likelihood["nll"], len(texts)),
        "nll_end": _nats(likelihood["end"], len(texts)),
        "kl": _nats(likelihood["kl"], len(texts)),
        "bound": _nats(likelihood["bound"], len(texts)),
        "nll_importance": _nats(importance, len(texts)),
    }
    return pa.table(columns).cast(RESPONSES)


def _nats(values: np.ndarray | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.float32()) if values is None else pa.array(values, pa.float32())
