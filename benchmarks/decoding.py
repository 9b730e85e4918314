"""Beam search over cached states (`decoding/beam.py`) against one that reads the whole prefix again at every word.

    python benchmarks/decoding.py

Beam 4, 16 contexts, 20 words; random networks: the GRU decoder of the SepaCVAE paper and of its embedded run, and a
small Transformer. The uncached search is the same `Beam` over steps that read each prefix from its start, as in teacher
forcing: `all` projects every position to the vocabulary, `last` the newest alone. Beside them greedy decoding of the
same contexts. On one thread; of five turns the least processor time counts. A minute.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from measure import head, row
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.decoding.beam import Beam
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.text.ids import Ids

REPETITIONS, CONTEXTS, WORDS, BEAM = 5, 16, 20, 4
IDS = Ids(pad=0, start=2, end=3)


class Recurrent(nn.Module):
    """Two layers of a GRU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, num_layers=2, batch_first=True)
        self.initial = torch.randn(CONTEXTS, 2, width)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(R, T, H) inputs, (R, 2, H) state before them -> outputs of the same shape, state after them."""
        outputs, state = self.gru(inputs, state.transpose(0, 1).contiguous())
        return outputs, state.transpose(0, 1)


class Transformer(nn.Module):
    """Two layers of causal self-attention; its state is the keys and values of what was read."""

    HEADS, LAYERS = 4, 2

    def __init__(self, width: int) -> None:
        super().__init__()
        self.positions = nn.Embedding(WORDS + 1, width)
        self.attention = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(self.LAYERS))
        self.feed_forward = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
            for _ in range(self.LAYERS)
        )
        self.initial = torch.empty(CONTEXTS, self.LAYERS, 2, self.HEADS, 0, width // self.HEADS)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(R, T, H) inputs, (R, layers, 2, heads, S, H / heads) state -> outputs, state of S + T positions."""
        read = state.shape[4]
        outputs = inputs + self.positions(torch.arange(read, read + inputs.shape[1]))
        state = F.pad(state, (0, 0, 0, inputs.shape[1]))
        for layer in range(self.LAYERS):
            queries, *keys_and_values = self.attention[layer](outputs).unflatten(-1, (3, self.HEADS, -1)).unbind(2)
            state[:, layer, :, :, read:] = torch.stack(keys_and_values, 1).transpose(2, 3)
            keys, values = state[:, layer].unbind(1)
            attended = F.scaled_dot_product_attention(queries.transpose(1, 2), keys, values, is_causal=read == 0)
            outputs = outputs + attended.transpose(1, 2).flatten(2)
            outputs = outputs + self.feed_forward[layer](outputs)
        return outputs, state


class Network(nn.Module):
    def __init__(self, body: Recurrent | Transformer, width: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding, self.body, self.output = nn.Embedding(vocabulary, width), body, nn.Linear(width, vocabulary)
        self.output.bias.data[IDS.end] = -100.0  # every response has all words, however it is decoded


class Cached:
    """Steps that keep the state after the last word."""

    def __init__(self, network: Network) -> None:
        self.network, self.state = network, network.body.initial
        self.device = self.state.device

    @property
    def rows(self) -> int:
        return len(self.state)

    def next(self, words: Tensor) -> Tensor:
        outputs, self.state = self.network.body(self.network.embedding(words).unsqueeze(1), self.state)
        return self.network.output(outputs.squeeze(1))

    def keep(self, rows: Tensor) -> None:
        self.state = self.state[rows]


class Uncached(Cached):
    """Steps that keep the state at the start, and the words."""

    def __init__(self, network: Network, project: str) -> None:
        super().__init__(network)
        self.words = torch.empty(self.rows, 0, dtype=torch.int64)
        self.project = slice(None) if project == "all" else slice(-1, None)

    def next(self, words: Tensor) -> Tensor:
        self.words = torch.cat([self.words, words.unsqueeze(1)], 1)
        outputs, _ = self.network.body(self.network.embedding(self.words), self.state)
        return self.network.output(outputs[:, self.project])[:, -1]

    def keep(self, rows: Tensor) -> None:
        super().keep(rows)
        self.words = self.words[rows]


class Case(NamedTuple):
    decode: Decode
    steps: Callable[[], Cached]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head(f"beam {BEAM}, {CONTEXTS} contexts, {WORDS} words", "ms", "against cached", "same words as cached")
    with torch.no_grad():
        report("GRU, 300 units, 20,000 words", Network(Recurrent(300), 300, 20_000))
        report("GRU, 64 units, 600 words", Network(Recurrent(64), 64, 600))
        report("Transformer, 128 units, 4,000 words", Network(Transformer(128), 128, 4_000))


def report(name: str, network: Network) -> None:
    beam = Beam(IDS, BEAM, max_length=WORDS, min_length=WORDS)
    cases = {
        "cached": Case(beam, lambda: Cached(network)),
        "uncached, all": Case(beam, lambda: Uncached(network, "all")),
        "uncached, last": Case(beam, lambda: Uncached(network, "last")),
        "greedy": Case(Greedy(IDS, WORDS), lambda: Cached(network)),
    }
    best = dict.fromkeys(cases, float("inf"))
    words: dict[str, Tensor] = {}
    for _ in range(REPETITIONS):
        for case, (decode, steps) in cases.items():
            started = time.process_time()
            words[case] = decode(steps())
            best[case] = min(best[case], time.process_time() - started)
    for case, seconds in best.items():
        same = (words[case] == words["cached"]).all(1).float().mean()
        row(f"{name}: {case}", f"{1e3 * seconds:.0f}", f"{seconds / best['cached']:.1f}", f"{same:.0%}")


if __name__ == "__main__":
    main()
