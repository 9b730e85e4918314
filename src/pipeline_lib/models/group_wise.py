"""Group-wise contrastive learning (Cai et al. 2020): a Transformer that learns from how well texts match.

It is first trained by likelihood alone. Then each pair of a context and a response is compared with pairs in which one
side is another example's: the better these match, the more likely they should be than under a frozen reference model,
a Transformer that was trained by likelihood; the worse, the less likely. Differences from the released code: others are
taken from the batch and not from a ranked list of the training split, and are matched by the cosine of frozen vectors
and not by a trained network.

B examples of a process, W of the whole batch, K pairs of a group, S tokens of a context, d width.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from pipeline_lib.compute.sharing import drawn, holding, in_order, mean, own_rows, token_mean
from pipeline_lib.config.networks import Transformer as TransformerSizes
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.layers.transformer import Drop, keep_all
from pipeline_lib.models.system import Objective, Phase, needed
from pipeline_lib.models.transformer import Transformer
from pipeline_lib.text.units import Units


class Group(NamedTuple):
    """Pairs to compare, by the rows of their context and of their response in the whole batch: (B, K) int64 each.

    ``scores`` (B, K) in [0, 1]: how well the two match. The first pair of a group is the example itself, of score 1.
    """

    contexts: Tensor
    responses: Tensor
    scores: Tensor


class GroupWise(Transformer):
    """A Transformer with a frozen one beside it, which `starts_from:` names.

    The weight of the contrast is that of `training.annealing`; the released code has a sigmoid over the updates of the
    second phase, of midpoint 3,500 and steepness 0.002.
    """

    class Options(Settings):
        reference: ClassVar[str] = "models.transformer:Transformer"  # what `starts_from:` has to name

        pretraining: Positive = Field(default=5_000, description="updates by likelihood alone, before the contrast")
        others: Positive = Field(default=6, description="pairs that a pair is compared with at an update")
        candidates: Positive = Field(
            default=10, description="examples with the most similar contexts, and as many with the least, to draw from"
        )

    def __init__(self, units: Units, network: TransformerSizes, options: Options) -> None:
        super().__init__(units, network, Transformer.Options())
        self.pretraining, self.others, self.candidates = options.pretraining, options.others, options.candidates
        self.reference = Transformer(units, network, Transformer.Options()).requires_grad_(False)
        self.has_reference = False

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Load the reference model; the system's own weights stay as they were drawn."""
        self.reference.load_state_dict(weights)
        self.has_reference = True

    def phases(self) -> Sequence[Phase]:
        if not self.has_reference:
            raise PipelineError(
                "the system has no reference model to compare itself with",
                where="systems.<name>.starts_from",
                expected="a system that is trained by likelihood: models.transformer:Transformer, of the same network",
                remedy="add such a system to the run, and name it here",
            )
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return [
            Phase("likelihood", parameters, self.objective, until=self.pretraining),
            Phase("contrast", [], self.contrast, since=self.pretraining, shared=parameters),
        ]

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        nll = self._nll(batch, generator)
        return Objective(token_mean(nll, batch.response.lengths), {"nll": nll.detach()})

    def contrast(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Mix the likelihood with the contrast of groups; ``weight`` is the share of the latter."""
        contexts, responses = whole_texts(batch, self.ids.pad)
        with torch.no_grad():
            group = self.groups(contexts, responses.words, generator)
            reference = self._pairs(self.reference, contexts, responses, group, keep_all)
        drop = self.dropping(generator)
        nll = self._pairs(self, contexts, responses, group, drop)
        own = nll[:, 0]
        contrast = group_loss(reference - nll, group.scores)
        loss = (1 - weight) * token_mean(own, batch.response.lengths) + weight * mean(contrast)
        told = {"nll": own, "contrast": contrast, "score": group.scores[:, 1:].mean(1)}
        return Objective(loss, {name: value.detach() for name, value in told.items()})

    def groups(self, contexts: Tokens, responses: Tokens, generator: torch.Generator) -> Group:
        """Draw the group of each example of this process, K = 1 + `others` pairs, or 1 in a batch of one."""
        whole = len(contexts.lengths)
        vectors = self._vectors(contexts, responses)
        own = own_rows(whole, contexts.ids.device).unsqueeze(1)
        if whole == 1:
            return Group(own, own, torch.ones_like(own, dtype=vectors.dtype))
        order = (vectors[0] @ vectors[0].T).fill_diagonal_(torch.inf).argsort(1, descending=True)[:, 1:]
        near = min(self.candidates, whole - 1)
        candidates = torch.cat([order[:, :near], order[:, -near:]], 1)[own.squeeze(1)]
        size = (len(own), self.others)
        uniform = drawn(lambda n: torch.rand((n, *size[1:], 2), generator=generator, device=own.device), size[0])
        other = candidates.gather(1, (uniform[..., 0] * candidates.shape[1]).long())
        replaces_context = uniform[..., 1] < 0.5
        context = torch.where(replaces_context, other, own)
        response = torch.where(replaces_context, own, other)
        scores = (vectors[0][context] * vectors[1][response]).sum(-1).clamp(0, 1)
        return Group(torch.cat([own, context], 1), torch.cat([own, response], 1), F.pad(scores, (1, 0), value=1.0))

    def _vectors(self, contexts: Tokens, responses: Tokens) -> Tensor:
        """Return (2, W, d), mean vectors of the words of both sides, of length 1.

        They are centred on the batch: means of any words point nearly the same way, and all texts would match.
        """
        words = self.reference.output.weight
        means = []
        for texts in (contexts, responses):
            inside = valid_positions(texts.lengths, texts.ids.shape[1]).unsqueeze(-1)
            total = (F.embedding(texts.ids, words) * inside).sum(1)
            means.append(total / texts.lengths.clamp(min=1).unsqueeze(1))
        both = torch.stack(means)
        return F.normalize(both - both.flatten(0, 1).mean(0), dim=-1)

    def _pairs(self, model: Transformer, contexts: Tokens, responses: Response, group: Group, drop: Drop) -> Tensor:
        """Return -log p(response | context) of every pair, nats, (B, K); every context is read once."""
        with holding(None):  # every process encodes the whole batch, with the same noise
            memory = model.decoder.start(model.encode(contexts, drop), contexts.lengths)
        response = group.responses.flatten()
        paired = Response(*(part[response] for part in (responses.inputs, responses.targets, responses.lengths)))
        return model.read(paired, memory.take(group.contexts.flatten()), drop).unflatten(0, group.contexts.shape)


def group_loss(gains: Tensor, scores: Tensor) -> Tensor:
    """Return -log(1/2 - s (1/2 - sigmoid(gain))) with s = 2 score - 1, averaged over each group, as released.

    It equals -log of the mean of sigmoid(gain) and sigmoid(-gain), weighted by the score and its complement; so
    computed, it cannot overflow.

    Args:
        gains: (B, K), log p(response | context) of the model less that of the reference model, nats.
        scores: (B, K) in [0, 1], without gradient.
    Returns:
        (B,) nats.
    """
    return -torch.logaddexp(scores.log() + F.logsigmoid(gains), torch.log1p(-scores) + F.logsigmoid(-gains)).mean(1)


def whole_texts(batch: Batch, pad: int) -> tuple[Tokens, Response]:
    """Return the contexts and responses of the whole batch, of which this process may hold a share."""
    context, response = needed(batch.context, "context"), batch.response
    contexts = Tokens(_whole_ids(context.ids, pad), in_order(context.lengths))
    inputs, targets = (_whole_ids(ids, pad) for ids in (response.inputs, response.targets))
    return contexts, Response(inputs, targets, in_order(response.lengths))


def _whole_ids(ids: Tensor, pad: int) -> Tensor:
    longest = int(in_order(torch.full_like(ids[:, 0], ids.shape[1])).max())
    return in_order(F.pad(ids, (0, longest - ids.shape[1]), value=pad))
