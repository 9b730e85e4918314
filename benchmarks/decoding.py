"""Beam search over cached states against one that reads the whole prefix again; decoding without what has ended.

    python benchmarks/decoding.py

Beam 4, 16 contexts, 20 words; random networks: the GRU decoder of the SepaCVAE paper and of its embedded run, a
small Transformer, and the decoder of Keywords and Instances, which attends to contexts of 12 words and z. The uncached
search is the same `Beam` over steps that read each prefix from its start, as in teacher forcing: `all` projects every
position to the vocabulary, `last` the newest alone. Beside them greedy decoding of the same contexts.

Greedy decoding of 128 responses whose lengths are geometric with a mean of 21, 82 at most, as sentences of the Penn
Treebank are: `decoding/steps.py`, which leaves out those that have ended, against a loop that continues all of them.
The same of `Beam` with the first 32 of them.

On one thread; of five turns the least processor time counts. Two minutes.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from measure import head, row
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.decoding.beam import FREE, Beam, Hypotheses
from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.steps import Decode, Steps
from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances
from pipeline_lib.models.layers.transformer import Cache
from pipeline_lib.models.transformer import TransformerSteps, TransformerSystem
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.units import Units

REPETITIONS, CONTEXTS, WORDS, BEAM = 5, 16, 20, 4
RESPONSES, SEARCHED, LONGEST = 128, 32, 82
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


class Ending(Cached):
    """Steps of hypotheses that end after given numbers of words."""

    def __init__(self, network: Network, lengths: Tensor) -> None:
        super().__init__(network)
        self.state, self.left = network.body.initial[:1].expand(len(lengths), -1, -1), lengths.clone()

    def next(self, words: Tensor) -> Tensor:
        logits = super().next(words)
        logits[self.left == 0, IDS.end] = 1e4
        self.left -= 1
        return logits

    def keep(self, rows: Tensor) -> None:
        super().keep(rows)
        self.left = self.left[rows]


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


class UncachedTransformer(TransformerSteps):
    """Steps of a system that keep what the encoder gave, and the words; keys and values are made anew at each."""

    def __init__(self, system: TransformerSystem, memory: Tensor, beside: Tensor, project: str) -> None:
        super().__init__(system, started(system, memory), beside)
        self.memory, self.words = memory, torch.empty(len(memory), 0, dtype=torch.int64)
        self.project = slice(None) if project == "all" else slice(-1, None)

    def next(self, words: Tensor) -> Tensor:
        self.words = torch.cat([self.words, words.unsqueeze(1)], 1)
        read = self._system.embedded(self.words) + self._beside.unsqueeze(1)
        states, _ = self._system.decoder(read, started(self._system, self.memory))
        return self._system.output(states[:, self.project])[:, -1]

    def keep(self, rows: Tensor) -> None:
        super().keep(rows)
        self.memory, self.words = self.memory[rows], self.words[rows]


def started(system: TransformerSystem, memory: Tensor) -> Cache:
    return system.decoder.start(memory, torch.full((len(memory),), memory.shape[1]))


class Case(NamedTuple):
    decode: Decode
    steps: Callable[[], Steps]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head(f"beam {BEAM}, {CONTEXTS} contexts, {WORDS} words", "ms", "against cached", "same words as cached")
    with torch.no_grad():
        report("GRU, 300 units, 20,000 words", of_network(Network(Recurrent(300), 300, 20_000)))
        report("GRU, 64 units, 600 words", of_network(Network(Recurrent(64), 64, 600)))
        report("Transformer, 128 units, 4,000 words", of_network(Network(Transformer(128), 128, 4_000)))
        report("Keywords and Instances, 64 units, 600 words", of_system(64, 600))
        report("Keywords and Instances, 128 units, 6,000 words", of_system(128, 6_000))
        print()
        head(f"greedy, {RESPONSES} responses", "ms", "against the first", "same words")
        large, small = Network(Recurrent(256), 256, 10_000), Network(Recurrent(64), 64, 600)
        greedy: dict[str, Decode] = {"without those that ended": Greedy(IDS, LONGEST), "all continued": continued}
        report_ends("GRU, 256 units, 10,000 words", large, RESPONSES, greedy)
        report_ends("GRU, 64 units, 600 words", small, RESPONSES, greedy)
        print()
        head(f"beam {BEAM}, {SEARCHED} contexts", "ms", "against the first", "same words")
        beam: dict[str, Decode] = {
            "without those that ended": Beam(IDS, BEAM, LONGEST),
            "all continued": Continued(IDS, BEAM, LONGEST),
        }
        report_ends("GRU, 256 units, 10,000 words", large, SEARCHED, beam)
        report_ends("GRU, 64 units, 600 words", small, SEARCHED, beam)


def continued(steps: Steps) -> Tensor:
    """Decode greedily, and continue every hypothesis until the last one has ended."""
    word, ended = torch.full((steps.rows,), IDS.start), torch.zeros(steps.rows, dtype=torch.bool)
    words: list[Tensor] = []
    while len(words) < LONGEST and not bool(ended.all()):
        logits = steps.next(word)
        logits[:, [IDS.pad, IDS.start]] = -torch.inf
        word = logits.argmax(1).masked_fill(ended, IDS.pad)
        words.append(word)
        ended |= word == IDS.end
    return torch.stack(words, 1)


class Continued(Beam):
    """Searches on for every context until the last search is over."""

    def __call__(self, steps: Steps, forced: Tensor | None = None, barred: Tensor | None = None) -> Tensor:
        growing, last = self._nothing(steps)
        free, rows = torch.full((steps.rows,), FREE), torch.arange(steps.rows)
        words = torch.full((steps.rows, 1, self.max_length + 1), IDS.pad)
        ended = Hypotheses(words, torch.full((steps.rows, 1), -torch.inf))
        for position in range(self.max_length + 1):
            forced = free if position < self.max_length else torch.full_like(free, IDS.end)
            kept, parents = self._grown(steps, growing, last, forced, None, may_end=True)
            over = kept.words[..., -1] == IDS.end
            penalised = kept.scores / (position + 1) ** self.length_penalty
            ended = self._best(ended, rows, Hypotheses(kept.words, penalised.masked_fill(~over, -torch.inf)))
            growing = Hypotheses(kept.words, kept.scores.masked_fill(over, -torch.inf))
            within_reach = growing.scores.amax(1) / (self.max_length + 1) ** self.length_penalty
            if bool((ended.scores[:, -1] >= within_reach).all()):
                break
            steps.keep(parents)
            last = kept.words[..., -1].flatten()
        return ended.words[:, 0, : min(position + 1, self.max_length)]


def report_ends(name: str, network: Network, responses: int, cases: dict[str, Decode]) -> None:
    drawn = torch.empty(RESPONSES).geometric_(1 / 21, generator=torch.Generator().manual_seed(0))
    lengths = drawn.long().clamp(max=LONGEST)[:responses]
    words, best = timed({case: Case(decode, lambda: Ending(network, lengths)) for case, decode in cases.items()})
    first, *_ = cases
    for case, seconds in best.items():
        same = (words[case] == words[first]).all(1).float().mean()
        row(f"{name}: {case}", f"{1e3 * seconds:.0f}", f"{seconds / best[first]:.1f}", f"{same:.0%}")


def of_network(network: Network) -> dict[str, Callable[[], Steps]]:
    return {
        "cached": lambda: Cached(network),
        "uncached, all": lambda: Uncached(network, "all"),
        "uncached, last": lambda: Uncached(network, "last"),
    }


def of_system(width: int, vocabulary: int) -> dict[str, Callable[[], Steps]]:
    sizes = Sizes(width=width, layers=2, heads=4, feed_forward=4 * width, latent=32)
    units: Units = Numbers(vocabulary)  # type: ignore[assignment]
    system = KeywordsAndInstances(units, sizes, KeywordsAndInstances.Options(keyword_size=50)).eval()
    system.output.bias.data[IDS.end] = -100.0
    memory, beside = torch.randn(CONTEXTS, 13, width), torch.randn(CONTEXTS, width)
    return {
        "cached": lambda: TransformerSteps(system, started(system, memory), beside),
        "uncached, all": lambda: UncachedTransformer(system, memory, beside, "all"),
        "uncached, last": lambda: UncachedTransformer(system, memory, beside, "last"),
    }


class Numbers:
    """Units that are numbers; nothing is encoded here."""

    ids, embeddings = IDS, None

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size


def report(name: str, steps: dict[str, Callable[[], Steps]]) -> None:
    beam = Beam(IDS, BEAM, max_length=WORDS, min_length=WORDS)
    cases = {form: Case(beam, begin) for form, begin in steps.items()}
    cases["greedy"] = Case(Greedy(IDS, WORDS), steps["cached"])
    words, best = timed(cases)
    for case, seconds in best.items():
        same = (words[case] == words["cached"]).all(1).float().mean()
        row(f"{name}: {case}", f"{1e3 * seconds:.0f}", f"{seconds / best['cached']:.1f}", f"{same:.0%}")


def timed(cases: dict[str, Case]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Run the cases in turns: the words of each, and its least processor time in seconds."""
    best = dict.fromkeys(cases, float("inf"))
    words: dict[str, Tensor] = {}
    for _ in range(REPETITIONS):
        for case, (decode, begin) in cases.items():
            start = time.process_time()
            words[case] = decode(begin())
            best[case] = min(best[case], time.process_time() - start)
    return words, best


if __name__ == "__main__":
    main()
