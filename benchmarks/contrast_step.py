"""A training step of Keywords and Instances against a plain implementation.

`plain` is the obvious program: torch's own Transformer modules, batches as they come, padded to their longest text, a
pass of the encoder for each of the three texts, all padding projected to the words, log_softmax over all logits at
once, a product of every edge of the graph with every matrix, torch's Adam as it is by default, no tuning of the
allocator. It starts from the weights of ours, and first both forms are given the same batch without dropout: the table
says how far losses and gradients are apart. Then each runs in processes of its own, the forms in turn, so that a drift
of the machine's speed meets both, on the same pairs, whose lengths are drawn like those of real questions (log-normal,
median 10 words, at most 30). One thread; processor time, as the machine may be busy; two minutes.

    python benchmarks/contrast_step.py
"""

import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from measure import Run, head, python, row
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.device import keep_freed_memory, seeded
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.config.training import Optimiser, Training
from pipeline_lib.examples.batch import Batch, Graph, Tokens
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.keyword_graph import impostor_candidates, keyword_graph, neighbours, node_of
from pipeline_lib.examples.order import BatchOrder
from pipeline_lib.models.keywords_and_instances import KeywordsAndInstances
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.layers.relational_attention import neighbourhood
from pipeline_lib.models.layers.transformer import positioned
from pipeline_lib.models.system import create, given
from pipeline_lib.text.ids import Ids
from pipeline_lib.text.ragged import Ragged
from pipeline_lib.training.phases import trained_phases

BATCH, LONGEST, NEIGHBOURS, SIZE, TEMPERATURE, WEIGHT = 64, 30, 8, 50, 0.1, 0.5
PAIRS, STEPS, ROUNDS, WARM_UP = 64 * 40, 15, 5, 2
FORMS = ("ours", "plain")
OURS = "pipeline_lib.models.keywords_and_instances:KeywordsAndInstances"

Step = Callable[[Batch, int], None]


class Case(NamedTuple):
    words: int
    keywords: int
    sizes: Sizes


CASES = {
    "d 64, V 600": Case(600, 1_000, Sizes(width=64, layers=2, heads=4, feed_forward=256, latent=16)),
    "d 128, V 6,000": Case(6_000, 5_000, Sizes(width=128, layers=2, heads=4, feed_forward=512, latent=32)),
}


class Numbers:
    """Units that are numbers; nothing is encoded here."""

    embeddings = None

    def __init__(self, size: int) -> None:
        self._size, self.ids = size, Ids()

    def __len__(self) -> int:
        return self._size


def feed_forward(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width))


def distribution(inputs: int, width: int, latent: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, 2 * latent))


class PlainGraph(nn.Module):
    """Equations 4 to 9, edge by edge."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sign, self.first, self.update = (
            nn.Embedding(2, width),
            feed_forward(2 * width, width),
            feed_forward(width, width),
        )
        for name in ("edge_query", "edge_key", "query", "key", "relation", "value"):
            setattr(self, name, nn.Linear(width, width, bias=False))

    def forward(self, nodes: Tensor, edges: Tensor, signs: Tensor) -> Tensor:
        here, there = edges
        scale = math.sqrt(nodes.shape[1])
        relations = self.first(torch.cat([nodes[here], nodes[there]], 1)) + self.sign(signs)
        for _ in range(2):
            asked = self.edge_query(relations)
            ends = torch.stack([nodes[here], nodes[there]], 1)
            weights = ((asked.unsqueeze(1) * self.edge_key(ends)).sum(-1) / scale).softmax(1)
            relations = self.update(relations + (weights.unsqueeze(-1) * ends).sum(1))
            keys = self.key(nodes[there]) + self.relation(relations)
            exponentials = ((self.query(nodes[here]) * keys).sum(-1) / scale).exp()
            total = torch.zeros(len(nodes)).index_add(0, here, exponentials)
            shares = (exponentials / total[here]).unsqueeze(-1)
            nodes = nodes.index_add(0, here, shares * (self.value(nodes[there]) + relations))
        return nodes


class Plain(nn.Module):
    """The model as one would write it down."""

    def __init__(self, case: Case, rate: float) -> None:
        super().__init__()
        sizes, width, latent = case.sizes, case.sizes.width, case.sizes.latent
        shape = {"dim_feedforward": sizes.feed_forward, "dropout": rate, "activation": F.gelu}
        shape |= {"batch_first": True, "norm_first": True}
        encoder = nn.TransformerEncoderLayer(width, sizes.heads, **shape)
        decoder = nn.TransformerDecoderLayer(width, sizes.heads, **shape)
        self.encoder = nn.TransformerEncoder(encoder, sizes.layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(decoder, sizes.layers, nn.LayerNorm(width))
        for layer in (*self.encoder.layers, *self.decoder.layers):
            layer.dropout.p = layer.self_attn.dropout = 0.0  # ours drops after sub-layers alone
            if hasattr(layer, "multihead_attn"):
                layer.multihead_attn.dropout = 0.0
        self.rate, self.output = rate, nn.Linear(width, case.words)
        self.prior, self.posterior = (distribution(2 * width, width, latent) for _ in range(2))
        self.z_as_word, self.z_beside = (nn.Linear(latent, width) for _ in range(2))
        self.known_by, self.latent_keyword = nn.Linear(SIZE, width), nn.Linear(width, latent, bias=False)
        self.attention = PlainGraph(width)

    def embedded(self, ids: Tensor) -> Tensor:
        return positioned(F.embedding(ids, self.output.weight))

    def encoded(self, texts: Tokens) -> Tensor:
        read = F.dropout(self.embedded(texts.ids), self.rate, self.training)
        return self.encoder(read, src_key_padding_mask=~valid_positions(texts.lengths, texts.ids.shape[1]))

    def keywords(self, graph: Graph, numbers: Tensor) -> Tensor:
        wanted, place = numbers.clamp(min=0).unique(return_inverse=True)
        part = neighbourhood([graph.positive, graph.negative], wanted, 2)
        nodes = self.attention(self.known_by(graph.vectors[part.nodes]), part.edges, part.signs)
        return nodes[torch.searchsorted(part.nodes, wanted)][place]

    def loss(self, batch: Batch, noise: torch.Generator) -> Tensor:
        context, nodes, graph = given(batch.context), given(batch.nodes), given(batch.graph)
        texts = (context, batch.response.words, given(batch.negative))
        encoded = [self.encoded(text) for text in texts]
        inside = [valid_positions(text.lengths, text.ids.shape[1]).unsqueeze(-1) for text in texts]
        asked_text, said_text, other_text = (
            (states * mask).sum(1) / mask.sum(1) for states, mask in zip(encoded, inside, strict=True)
        )
        candidates = graph.impostors[nodes[:, 1]]
        known = self.keywords(graph, torch.cat([nodes[:, :2], candidates], 1))
        asked, said, neighbours = known[:, 0], known[:, 1], known[:, 2:]
        allowed = (candidates >= 0) & (candidates != nodes[:, :1])
        alike = F.cosine_similarity(said.unsqueeze(1), neighbours, dim=-1) / TEMPERATURE
        impostor = (alike.masked_fill(~allowed, -torch.inf).softmax(-1).detach().unsqueeze(-1) * neighbours).sum(1)

        (mean, log_variance), (other_mean, other_log_variance), (prior_mean, prior_log_variance) = (
            (part[..., : part.shape[-1] // 2], part[..., part.shape[-1] // 2 :].clamp(-6, 6))
            for part in (
                self.posterior(torch.cat([asked_text, said_text], -1)),
                self.posterior(torch.cat([asked_text, other_text], -1)),
                self.prior(torch.cat([asked_text, asked], -1)),
            )
        )

        def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
            ratio = (log_variance - prior_log_variance).exp()
            apart = (mean - prior_mean) ** 2 / prior_log_variance.exp()
            return 0.5 * (ratio + apart - 1 + prior_log_variance - log_variance).sum(-1)

        def preference(near: Tensor, far: Tensor) -> Tensor:
            return F.softplus((near - far) / TEMPERATURE)

        def distance(keyword: Tensor) -> Tensor:
            return ((self.latent_keyword(keyword) - mean) ** 2 / log_variance.exp()).mean(-1)

        z = mean + torch.randn(mean.shape, generator=noise) * (0.5 * log_variance).exp()
        memory = torch.cat([self.z_as_word(z).unsqueeze(1), encoded[0]], 1)
        hidden = F.pad(inside[0].squeeze(-1), (1, 0), value=True)
        inputs, targets = batch.response.inputs, batch.response.targets
        words = F.dropout(self.embedded(inputs) + self.z_beside(z).unsqueeze(1), self.rate, self.training)
        later = torch.ones(inputs.shape[1], inputs.shape[1], dtype=torch.bool).triu(1)
        states = self.decoder(words, memory, tgt_mask=later, memory_key_padding_mask=~hidden, tgt_is_causal=True)
        log_p = F.log_softmax(self.output(states), -1)
        nll = F.nll_loss(log_p.flatten(0, 1), targets.flatten(), ignore_index=Ids().pad, reduction="sum") / len(batch)
        own = kl(mean, log_variance)
        size = mean.shape[-1]
        contrasts = [
            preference(own / size, kl(other_mean, other_log_variance) / size),
            preference(-F.cosine_similarity(asked, said), -F.cosine_similarity(asked, impostor)),
            preference(distance(said), distance(impostor)),
        ]
        return nll + WEIGHT * own.mean() + sum(one.mean() for one in contrasts)


def renamed(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give weights, or gradients, of ours the names and shapes that they have in `Plain`."""
    found = {}
    for name, value in ours.items():
        parts = name.split(".")
        if parts[0] not in ("encoder", "decoder") or parts[1] == "last":
            plain = name.replace(".last.", ".norm.").replace("expand.", "0.").replace("contract.", "2.")
            found[plain] = value
            continue
        of_layer, part, rest = ".".join(parts[:3]), parts[3], parts[4:]
        if part in ("attention", "cross"):
            block = "self_attn" if part == "attention" else "multihead_attn"
            if rest[0] == "out":
                found[f"{of_layer}.{block}.out_proj.{rest[1]}"] = value
            elif rest[0] == "query":
                of_all = [ours[f"{of_layer}.{part}.{one}.{rest[1]}"] for one in ("query", "key", "value")]
                found[f"{of_layer}.{block}.in_proj_{rest[1]}"] = torch.cat(of_all)
            continue
        of_decoder = parts[0] == "decoder"
        norms = {"before_attention": "norm1", "before_cross": "norm2", "before_expansion": f"norm{2 + of_decoder}"}
        found[f"{of_layer}.{(norms | {'expand': 'linear1', 'contract': 'linear2'})[part]}.{rest[0]}"] = value
    return found


def made(case: Case, rate: float) -> tuple[KeywordsAndInstances, Plain]:
    torch.manual_seed(1)
    sizes = case.sizes.model_copy(update={"dropout": rate})
    ours = create(OURS, {"keyword_size": SIZE, "temperature": TEMPERATURE}, Numbers(case.words), sizes)  # type: ignore[arg-type]
    assert isinstance(ours, KeywordsAndInstances)
    plain = Plain(case, rate)
    plain.load_state_dict(renamed(dict(ours.named_parameters())))
    return ours.train(), plain.train()


def keywords(case: Case, random: np.random.Generator) -> tuple[Graph, np.ndarray]:
    """Draw a graph, and the keywords of each pair, of whose batches about as many keywords are neighbours as in QQP."""
    weights = 1 / (np.arange(case.keywords) + 300)
    asked, said, other = random.choice(case.keywords, (3, 3 * case.keywords), p=weights / weights.sum())
    said = np.where(random.random(len(said)) < 0.45, asked, said)  # so many positives share the keyword
    named = [[str(one) for one in side] for side in (asked, said, other)]
    graph = keyword_graph(*named)
    signs = (neighbours(graph, matrix, NEIGHBOURS) for matrix in (graph.positive, graph.negative))
    lists = [torch.from_numpy(one) for one in (*signs, impostor_candidates(graph, NEIGHBOURS))]
    nodes = np.stack([node_of(graph, side) for side in named], 1)
    return Graph(torch.randn(len(graph.words), SIZE, generator=torch.Generator().manual_seed(5)), *lists), nodes


def pairs(case: Case, random: np.random.Generator, n: int) -> ExampleDataset:
    def lengths() -> np.ndarray:
        return np.exp(random.normal(np.log(10), 0.4, n)).round().clip(3, LONGEST).astype(np.int64)

    def text() -> Ragged:
        of_each = lengths()
        return Ragged.of_lengths(random.integers(4, case.words, of_each.sum()).astype(np.int32), of_each)

    graph, nodes = keywords(case, random)
    beside = {"negative": text().padded(np.arange(n), Ids().pad).astype(np.int64), "nodes": nodes[:n]}
    return ExampleDataset(text(), text(), beside, graph=graph)


def differences(case: Case) -> tuple[float, float]:
    """Return how far the losses of one batch, and the worst gradients, are apart, relative to their sizes."""
    ours, plain = made(case, rate=0.0)
    data = pairs(case, np.random.default_rng(0), BATCH)
    batch = data.batch(np.arange(BATCH))
    losses = [
        ours.objective(batch, WEIGHT, torch.Generator().manual_seed(3)).loss,
        plain.loss(batch, torch.Generator().manual_seed(3)),
    ]
    for loss in losses:
        loss.backward()
    expected = {name: parameter.grad for name, parameter in plain.named_parameters()}
    found = renamed({name: given(parameter.grad) for name, parameter in ours.named_parameters()})
    assert found.keys() == expected.keys()
    apart = max(
        float((found[name] - given(one)).norm() / given(one).norm().clamp(min=1e-3)) for name, one in expected.items()
    )
    return abs(float(losses[0].detach() / losses[1].detach()) - 1), apart


def steps(case: Case, form: str) -> Step:
    ours, plain = made(case, rate=0.1)
    if form == "ours":
        keep_freed_memory()  # as the training script does
        [phase] = trained_phases(ours, Training(optimiser=Optimiser(kind="fused_adam")))
        ranks = Ranks()

        def step(batch: Batch, number: int) -> None:
            noise = seeded(torch.device("cpu"), 0, number)
            phase.update(phase.objective(batch, WEIGHT, noise).loss, 0.0, ranks)

        return step
    optimiser = torch.optim.Adam(plain.parameters(), 1e-3)

    def plain_step(batch: Batch, number: int) -> None:
        optimiser.zero_grad()
        plain.loss(batch, torch.Generator().manual_seed(number)).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 5.0)
        optimiser.step()

    return plain_step


def seconds(case: Case, form: str) -> float:
    """Measure a step of a form on the same pairs, after a warm-up."""
    torch.set_num_threads(1)
    data = pairs(case, np.random.default_rng(0), PAIRS)
    order = BatchOrder(data, BATCH, bucket_batches=40 if form == "ours" else 1, seed=0)
    step = steps(case, form)
    batches = [data.batch(order.rows(number)) for number in range(WARM_UP + STEPS)]
    for number, batch in enumerate(batches[:WARM_UP]):
        step(batch, number)
    started = time.process_time()
    for number, batch in enumerate(batches[WARM_UP:], WARM_UP):
        step(batch, number)
    return (time.process_time() - started) / STEPS


def main() -> None:
    columns = ("s of processor time", "plain / this", "loss apart", "gradients apart")
    head("step of Keywords and Instances, batch 64, 1 thread", *columns)
    for name, case in CASES.items():
        apart = [f"{one:.0e}" for one in differences(case)]
        found: dict[str, list[Run]] = {form: [] for form in FORMS}
        for _ in range(ROUNDS):
            for form in FORMS:
                found[form].append(python(__file__, name, form))
        best = {form: statistics.median(float(run.output) for run in runs) for form, runs in found.items()}
        for form in FORMS:
            row(f"{name}, {form}", f"{best[form]:.3f}", f"{best['plain'] / best[form]:.2f}", *apart)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(seconds(CASES[sys.argv[1]], sys.argv[2]))  # of one form, in this process
    else:
        main()
