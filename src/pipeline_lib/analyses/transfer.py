"""Analysis `transfer`: what a system answers to one context as each of many users, with the same noise for all."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.settings import Positive, Seed, Settings, Split
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.transfer import TRANSFER

if TYPE_CHECKING:
    from pipeline_lib.examples.batch import Batch
    from pipeline_lib.models.system import System


class Options(Settings):
    """Contexts of one split, each answered as every known user."""

    split: Split = Field(default="test", description="split of the contexts")
    contexts: Positive = Field(default=20, description="contexts that are drawn")
    draw: Seed = Field(default=1, description="seed of the draw")
    max_length: Positive = Field(default=30, description="tokens after which a response is cut off")


def needs(options: Options) -> Needs:
    return Needs("transfer", fields=frozenset({"user"}))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `TRANSFER`, for each context a row for each user, most active first."""
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.text.units import read_units, written

    dataset = ExampleDataset.open(data.encoded[options.split], data.reads)
    texts = read_parquet(data.examples[options.split], EXAMPLES)
    chosen = min(options.contexts, len(texts))
    rows = np.sort(np.random.default_rng(options.draw).choice(len(texts), chosen, replace=False))
    users = _users(data)
    batch = dataset.batch(rows).to(model.device)
    units = read_units(data.vocabulary)
    answers = respond_as(model, batch, users["user"].to_numpy(), options.max_length, seed)
    decoded = [[units.decode(written(ids, units.ids)) for ids in each] for each in answers]
    return _table(texts.take(rows), users, _present(data, texts["example_id"].take(rows)), decoded)


def respond_as(
    model: "System", batch: "Batch", users: NDArray[np.int64], max_length: int, seed: int
) -> list[list[list[int]]]:
    """Respond to every context as each of the users, with equal noise.

    Returns:
        For each user, for each context, the ids of the response with what follows it.
    """
    import torch

    from pipeline_lib.compute.device import seeded
    from pipeline_lib.config.decoding import GreedySettings
    from pipeline_lib.decoding.greedy import strategy

    model.eval()
    answers = []
    with torch.no_grad():
        for user in users.tolist():
            noise = seeded(model.device, seed, 5)
            decode = strategy(GreedySettings(max_length=max_length), model.ids, [noise])
            as_user = replace(batch, user=torch.full((len(batch),), user, device=model.device))
            answers.append(model.generate(as_user, decode, "none", noise).tokens.cpu().tolist())
    return answers


def _users(data: Data) -> pa.Table:
    """List the known users by number, with name and label."""
    numbers = read_parquet(data.reads["user"], columns=["example_id", "user"])
    known = read_parquet(data.examples["train"], EXAMPLES, ["example_id", "user", "label"])
    named = known.rename_columns(["example_id", "name", "label"]).join(numbers, "example_id", join_type="inner")
    users = named.group_by("user").aggregate([("name", "min"), ("label", "min")])
    users = users.rename_columns(["user", "name", "label"])
    return users.filter(pc.greater(users["user"], 0)).sort_by("user")


def _present(data: Data, examples: pa.ChunkedArray) -> dict[int, set[int]]:
    """Return for each of (n) examples the numbers of those who speak in its context or respond."""
    table = read_parquet(data.reads["user"], columns=["example_id", "user", "speakers"])
    table = table.filter(pc.is_in(table["example_id"], value_set=examples.combine_chunks()))
    return {row["example_id"]: {row["user"], *row["speakers"]} for row in table.to_pylist()}


def _table(
    texts: pa.Table, users: pa.Table, present: Mapping[int, set[int]], answers: Sequence[Sequence[str]]
) -> pa.Table:
    rows = [
        {
            "case": case,
            "example_id": text["example_id"],
            "context": text["context"],
            "reference": text["response"],
            "speaker": text["user"],
            **user,
            "present": user["user"] in present[text["example_id"]],
            "response": own[case],
        }
        for case, text in enumerate(texts.to_pylist())
        for user, own in zip(users.to_pylist(), answers, strict=True)
    ]
    return pa.Table.from_pylist(rows, TRANSFER)
