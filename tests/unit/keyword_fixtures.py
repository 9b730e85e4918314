"""A small keyword graph, and small batches and models that read it, for the tests of keywords and instances."""

from typing import Any

import torch
from torch import Tensor

from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.examples.batch import Batch, Graph, Response, Tokens
from pipeline_lib.models.system import create
from unit.model_fixtures import SmallUnits

NODES, SIZE, WORDS = 9, 6, 20
NETWORK = Sizes(width=8, layers=2, heads=2, feed_forward=12, latent=3, dropout=0.2)
TRANSFORMER = "pipeline_lib.models.transformer:Transformer"
OURS = "pipeline_lib.models.keywords_and_instances:KeywordsAndInstances"


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def graph() -> Graph:
    draw = torch.Generator().manual_seed(5)
    lists = torch.stack([torch.randperm(NODES, generator=draw)[:3] for _ in range(3 * NODES)]).unflatten(0, (3, NODES))
    lists[:2, 2:5, 1:] = -1
    own = torch.arange(NODES)[:, None]
    return Graph(random(NODES, SIZE), *(torch.where(one == own, -1, one) for one in lists))


def texts(lengths: list[int], seed: int) -> Tokens:
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, WORDS, (len(lengths), max(lengths)), generator=draw)
    for row, length in enumerate(lengths):
        ids[row, length:] = SmallUnits(None).ids.pad
    return Tokens(ids, torch.tensor(lengths))


def batch() -> Batch:
    ids, said = SmallUnits(None).ids, texts([3, 5, 1, 4], 2)
    column = torch.full((4, 1), ids.start)
    targets = torch.cat([said.ids, torch.full((4, 1), ids.pad)], 1).scatter(1, said.lengths[:, None], ids.end)
    nodes = torch.tensor([[0, 3, 5], [1, 6, 2], [0, 7, 8], [4, 4, 3]])
    return Batch(
        response=Response(torch.cat([column, said.ids], 1), targets, said.lengths + 1),
        context=texts([4, 2, 6, 3], 1),
        keywords=torch.tensor([[7, 8], [9, 0], [5, 6], [11, 12]]),
        negative=texts([2, 4, 5, 3], 3),
        nodes=nodes,
        graph=graph(),
    )


def made(path: str = OURS, **options: Any) -> Any:
    torch.manual_seed(3)
    own = {"keyword_size": SIZE} if path == OURS else {}
    return create(path, own | options, SmallUnits(None, WORDS), NETWORK).double()
