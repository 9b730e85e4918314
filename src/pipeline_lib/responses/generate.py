"""A system's responses to every context of a split, with the likelihood of the references."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pipeline_lib.compute.device import seeded
from pipeline_lib.config.decoding import Decoding
from pipeline_lib.config.settings import ORACLE_SPLIT
from pipeline_lib.decoding.steps import Strategy
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import Generated, System
from pipeline_lib.responses.measured import Measured, measure
from pipeline_lib.schemas.responses import MEASURED, ORACLE, RESPONSES
from pipeline_lib.stage.kinds import load
from pipeline_lib.stage.progress import ProgressBar
from pipeline_lib.text.ragged import lengths_with_end
from pipeline_lib.text.units import Units, written
from pipeline_lib.text.unknown import UnknownWords

DECODING = "pipeline_lib.decoding"
_NOISE = 2  # of the responses; 1, 3 and 4 are those of `responses.measured`


def respond(
    model: System,
    units: Units,
    dataset: ExampleDataset,
    texts: pa.Table,
    settings: Decoding,
    seed: int,
    split: str,
) -> tuple[pa.Table, dict[str, str]]:
    """Generate and score.

    Args:
        dataset: the examples to answer.
        texts: `EXAMPLES`, the same in words.
        split: the split that they are of. Of held-out ones the importance-weighted likelihood and the use of context
            and z are measured too; of the training split, which is large, the bound says as much.
    Returns:
        (`RESPONSES`, for each way of choosing the group one sample after the other, each in the order of ``texts``;
        metadata with `active_units` where the model has a latent variable, and `apart` where its row stands apart).
    Raises:
        PipelineError: several samples of a system that draws nothing.
    """
    check_samples(model, settings)
    rows = list(dataset.by_length(settings.batch_size))
    unknown = UnknownWords(texts["context"], units)
    model.eval()
    held_out = split != "train"
    samples = settings.importance_samples if held_out else 0
    with torch.no_grad():
        measured = measure(model, dataset, rows, samples, seed, uses=held_out)
        tables = [
            _table(texts, measured, selection, sample, *drawn)
            for selection in selections_of(model, split)
            for sample, drawn in enumerate(
                generate(model, units, dataset, unknown, rows, selection, settings, seed, measured.group)
            )
        ]
    metadata = {} if measured.active_units is None else {"active_units": str(measured.active_units)}
    return pa.concat_tables(tables), metadata | ({"apart": model.apart} if model.apart else {})


def selections_of(model: System, split: str = "test") -> list[str]:
    """List the ways of choosing the group.

    The oracle sees the reference: it exists to compare with the paper's values on `ORACLE_SPLIT`, never on test.
    """
    return [name for name in model.selections if split == ORACLE_SPLIT or name != ORACLE]


def check_samples(model: System, settings: Decoding) -> None:
    """Refuse several samples of a system that draws nothing."""
    if settings.samples > 1 and not model.draws and settings.kind != "sampling":
        raise PipelineError(
            f"{settings.samples} samples of {type(model).__name__}, which would all be the same",
            where="decoding.samples, of the run or of the system",
            expected="1 for a system without a latent variable, or words that are drawn",
            remedy="set `decoding: {samples: 1}` for the system, or `decoding: {kind: sampling}`",
        )


def generate(
    model: System,
    units: Units,
    dataset: ExampleDataset,
    unknown: UnknownWords,
    batches: list[Any],
    selection: str,
    settings: Decoding,
    seed: int,
    explaining: NDArray[np.int64] | None = None,
) -> list[tuple[list[str], NDArray[np.int64] | None]]:
    """Respond to every context.

    Each sample draws from a generator of its own, so it does not depend on how many others there are.

    Args:
        unknown: the unknown words of the contexts.
        batches: rows of the examples that are decoded together.
        explaining: (n,) the group of each example, for the selection `oracle`.
    Returns:
        texts and groups of each sample, in the order of the examples.
    """
    device = model.device
    generators = [seeded(device, seed, _NOISE, *([sample] if sample else [])) for sample in range(settings.samples)]
    strategy = partial(load(DECODING, settings.kind, "strategy").strategy, settings, units.ids)
    texts: list[list[str]] = [[] for _ in generators]
    groups: list[list[Tensor]] = [[] for _ in generators]
    with ProgressBar("decoding", len(dataset), "contexts") as bar:
        for rows in batches:
            batch = _with_unknown(dataset.batch(rows), unknown, rows)
            if selection == ORACLE and explaining is not None:
                batch = replace(batch, group=torch.from_numpy(explaining[rows]))
            drawn = _drawn(model, batch.to(device), strategy, selection, generators, settings.candidates)
            for generated, own_texts, own_groups in zip(drawn, texts, groups, strict=True):
                answers = zip(generated.tokens.cpu().tolist(), rows, strict=True)
                own_texts += [_text(ids, units, unknown[row]) for ids, row in answers]
                if generated.group is not None:
                    own_groups.append(generated.group)
            bar.advance(len(rows))
    order = np.argsort(np.concatenate(batches))
    return [
        ([own_texts[i] for i in order], torch.cat(own_groups).cpu().numpy()[order] if own_groups else None)
        for own_texts, own_groups in zip(texts, groups, strict=True)
    ]


def _drawn(
    model: System,
    batch: Batch,
    strategy: Strategy,
    selection: str,
    generators: Sequence[torch.Generator],
    candidates: int,
) -> list[Generated]:
    """Respond to each context with each of the generators."""
    if candidates == 1:
        return model.generate_samples(batch, strategy, selection, generators)
    return [_chosen(model, batch, strategy, selection, generator, candidates) for generator in generators]


def _chosen(
    model: System, batch: Batch, strategy: Strategy, selection: str, generator: torch.Generator, candidates: int
) -> Generated:
    """Draw so many responses to each context, and take the one closest to it."""
    decode = strategy([generator])
    drawn = [model.generate(batch, decode, selection, generator) for _ in range(candidates)]
    longest = max(each.tokens.shape[1] for each in drawn)
    tokens = torch.stack(
        [F.pad(each.tokens, (0, longest - each.tokens.shape[1]), value=model.ids.pad) for each in drawn], 1
    )
    rows = torch.arange(len(batch), device=tokens.device)
    best = model.closeness(batch, tokens.flatten(0, 1)).argmax(1)
    groups = [each.group for each in drawn if each.group is not None]
    return Generated(tokens[rows, best], torch.stack(groups, 1)[rows, best] if groups else None)


def _with_unknown(batch: Batch, unknown: UnknownWords, rows: NDArray[np.int64]) -> Batch:
    """Tell the unknown words of the contexts apart, for systems that copy them."""
    numbers = None if batch.context is None else unknown.numbered(rows, batch.context.ids.numpy())
    return batch if numbers is None else replace(batch, unknown=torch.from_numpy(numbers))


def _text(ids: list[int], units: Units, unknown: Sequence[str]) -> str:
    """Write the text of ``ids``, of which those beyond the units are copied words of ``unknown``."""
    parts: list[str] = []
    for is_copied, tokens in groupby(written(ids, units.ids), lambda token: token >= len(units)):
        run = list(tokens)
        parts += [unknown[token - len(units)] for token in run] if is_copied else [units.decode(run)]
    return " ".join(parts)


def _table(
    texts: pa.Table,
    measured: Measured,
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
        "tokens": lengths_with_end(texts["response"]),  # words, whatever the units
    } | {name: _nats(measured.nats.get(name), len(texts)) for name in MEASURED}
    return pa.table(columns).cast(RESPONSES)


def _nats(values: np.ndarray | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.float32()) if values is None else pa.array(values, pa.float32())
