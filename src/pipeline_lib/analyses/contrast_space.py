"""Analysis `contrast_space`: where inputs, positives, negatives and their keywords lie before and after training."""

import copy
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import CONTRASTS, Needs
from pipeline_lib.config.settings import Positive, Seed, Settings, Split
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.contrast_space import SIDES, contrast_space_schema
from pipeline_lib.schemas.examples import EXAMPLES

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline_lib.examples.batch import Batch
    from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances
    from pipeline_lib.models.system import System


class Options(Settings):
    """Examples of one split, drawn at random."""

    split: Split = Field(default="test", description="split of the examples")
    examples: Positive = Field(default=200, description="examples that are drawn")
    draw: Seed = Field(default=1, description="seed of the draw")


def needs(options: Options) -> Needs:
    return Needs(None, models=(CONTRASTS,), fields=frozenset({"nodes", "graph"}))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `contrast_space_schema`, for every example six points in each of both spaces, before and after training.

    Before training: the same network with weights drawn anew from the run's seed.

    Raises:
        PipelineError: the system has no keywords to show.
    """
    from pipeline_lib.compute.device import seed_weights
    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances

    if not isinstance(model, KeywordsAndInstances) or model.options.keywords == "none":
        raise PipelineError(
            f"{type(model).__name__} of this configuration reads no keywords",
            where="systems of the figures that show an analysis of kind `contrast_space`",
            expected="systems whose model is KeywordsAndInstances, with `keywords: graph` or `words`",
            remedy="leave the system out of the figure",
        )
    dataset = ExampleDataset.open(data.encoded[options.split], data.reads)
    chosen = min(options.examples, len(dataset))
    rows = np.sort(np.random.default_rng(options.draw).choice(len(dataset), chosen, replace=False))
    batch = dataset.batch(rows).to(model.device)
    examples = read_parquet(data.examples[options.split], EXAMPLES, ["example_id"])["example_id"].take(rows)
    fresh = copy.deepcopy(model)
    seed_weights(seed)
    fresh.redraw()
    tables = [
        _table(examples, points(each.eval(), batch), trained) for each, trained in ((fresh, False), (model, True))
    ]
    return pa.concat_tables(tables)


def points(model: "KeywordsAndInstances", batch: "Batch") -> dict[tuple[str, str], "list[Tensor]"]:
    """Return for each space and kind the points of input, positive and negative, (B, d) or (B, Z) each.

    Texts are means of encoded words, or means of distributions: the prior's for the input, the posterior's for
    positive and negative. Keywords are nodes of the graph, or their projections into the latent space.
    """
    import torch

    from pipeline_lib.models.layers.transformer import keep_all
    from pipeline_lib.models.system import given, needed

    with torch.no_grad():
        encoded = model.encoded(batch, keep_all, batch.response.words, needed(batch.negative, "negative"))
        sides = [encoded.context, given(encoded.response), given(encoded.negative)]
        latent = [model.posterior_of(encoded.context, side).mean for side in sides[1:]]
        nodes = model.keywords(needed(batch.graph, "graph"), needed(batch.nodes, "nodes")).unbind(1)
        return {
            ("width", "sentence"): sides,
            ("width", "keyword"): list(nodes),
            ("latent", "sentence"): [model.prior_of(batch, encoded.context).mean, *latent],
            ("latent", "keyword"): [model.latent_keyword(node) for node in nodes],
        }


def _table(examples: pa.ChunkedArray, found: dict[tuple[str, str], "list[Tensor]"], trained: bool) -> pa.Table:
    size = max(side.shape[1] for sides in found.values() for side in sides)
    parts = []
    for (space, kind), sides in found.items():
        for side, values in zip(SIDES, sides, strict=True):
            padded = np.zeros((len(examples), size), np.float32)
            padded[:, : values.shape[1]] = values.float().cpu().numpy()
            columns = {
                "example_id": examples,
                "space": pa.repeat(space, len(examples)),
                "trained": pa.repeat(trained, len(examples)),
                "kind": pa.repeat(kind, len(examples)),
                "side": pa.repeat(side, len(examples)),
                "point": pa.FixedSizeListArray.from_arrays(pa.array(padded.ravel()), size),
            }
            parts.append(pa.table(columns, schema=contrast_space_schema(size)))
    return pa.concat_tables(parts)
