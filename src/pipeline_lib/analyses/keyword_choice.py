"""Analysis `keyword_choice`: what a system answers when it is told another keyword of the context, or none.

A kind's module is imported when a run is planned, to check its options; so it imports torch within its functions.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.settings import Positive, Seed, Settings
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.keyword_choice import KEYWORD_CHOICE, SOURCES

if TYPE_CHECKING:
    from pipeline_lib.models.system import System

_NONE = -1  # number of no keyword


class Options(Settings):
    """All examples of one split, decoded as for the other tables of the run."""

    split: Literal["train", "validation", "test"] = Field(default="test", description="split of the contexts")
    examples: Positive | None = Field(default=None, description="first so many of them; null: all")
    draw: Seed = Field(default=1, description="seed of the random keywords")


def needs(options: Options) -> Needs:
    return Needs("keyword_choice", fields=frozenset({"nodes", "graph"}), decodes=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `KEYWORD_CHOICE`: the context's best keyword, a random one of the graph, none, that of the reference."""
    import torch

    from pipeline_lib.examples.dataset import ExampleDataset
    from pipeline_lib.responses.generate import generate
    from pipeline_lib.text.units import read_units
    from pipeline_lib.text.unknown import UnknownWords

    assert data.decoding is not None  # the rule gives it to this kind
    dataset = ExampleDataset.open(data.encoded[options.split], data.reads)
    texts = read_parquet(data.examples[options.split], EXAMPLES).slice(0, options.examples)
    words = read_parquet(data.reads["graph"], columns=["keyword"])["keyword"].to_pylist()
    units = read_units(data.vocabulary)
    unknown = UnknownWords(texts["context"], units)
    once = data.decoding.model_copy(update={"samples": 1})
    batches = np.split(np.arange(len(texts)), range(once.batch_size, len(texts), once.batch_size))
    nodes = dataset.beside["nodes"]
    model.eval()
    tables = []
    for source, chosen in keywords_of(nodes, len(words), options.draw).items():
        told = dataset.with_beside(nodes=np.concatenate([chosen[:, None], nodes[:, 1:]], 1))
        with torch.no_grad():  # the noise is the same for each source: only the keyword differs
            [(responses, _)] = generate(model, units, told, unknown, batches, "none", once, seed)
        columns = {
            "example_id": texts["example_id"],
            "source": [source] * len(texts),
            "keyword": [None if number == _NONE else words[number] for number in chosen[: len(texts)].tolist()],
            "context": texts["context"],
            "reference": texts["response"],
            "response": responses,
        }
        tables.append(pa.table(columns).cast(KEYWORD_CHOICE))
    return pa.concat_tables(tables)


def keywords_of(nodes: NDArray[np.int64], keywords: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Choose a keyword for every example by each source.

    Args:
        nodes: (n, 3) keyword of context, response and negative.
        keywords: of the graph.
    Returns:
        (n,) number of the keyword, -1 for none; a random one is that of neither context nor response.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(keywords, size=len(nodes))
    while (clash := (drawn == nodes[:, 0]) | (drawn == nodes[:, 1])).any() and keywords > 2:
        drawn[clash] = rng.integers(keywords, size=int(clash.sum()))
    chosen = (nodes[:, 0], drawn, np.full(len(nodes), _NONE), nodes[:, 1])
    return dict(zip(SOURCES, chosen, strict=True))
