"""A decoder that attends to the words of its context (Bahdanau et al. 2015).

B examples, T steps, S words of the context, E embedding size, H hidden units, X values beside each word.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pipeline_lib.models.layers.gru import GRU
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.models.layers.scan import advance, factors_of, of_projected, scans


class Attended:
    """The words of contexts as a decoder attends to them: ``states`` (B, S, 2H), ``keys`` (B, S, H), ``inside``."""

    def __init__(self, states: Tensor, keys: Tensor, inside: Tensor) -> None:
        self.states, self.keys, self.inside = states, keys, inside

    def __getitem__(self, rows: Tensor) -> "Attended":
        return Attended(self.states[rows], self.keys[rows], self.inside[rows])


class AttentiveDecoder(nn.Module):
    """A GRU that reads [word; attended context; X further values], and predicts from its state and what it attended."""

    def __init__(self, embedding: int, hidden: int, beside: int, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding, self.read = embedding, 2 * hidden
        self.gru = GRU(embedding + 2 * hidden + beside, hidden)
        self.initial = nn.Linear(2 * hidden, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(2 * hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.output = nn.Linear(3 * hidden, vocabulary_size)

    def attended(self, states: Tensor, lengths: Tensor) -> Attended:
        """Prepare the encoded words (B, S, 2H) of contexts of ``lengths`` (B,)."""
        return Attended(states, self.key(states), valid_positions(lengths, states.shape[1]))

    def step(self, word: Tensor, state: Tensor, beside: Tensor | None, context: Attended) -> tuple[Tensor, Tensor]:
        """Read one word (B, E) after the state (B, H); return the state and what the next word is told from (B, 3H)."""
        return self._read(self._of_words(word, beside), state, context)

    def states(self, words: Tensor, first: Tensor, beside: Tensor | None, context: Attended) -> Tensor:
        """Read (B, T, E) previous words from the first state (B, H): (B, T, 3H)."""
        projected = self._of_words(words, None if beside is None else beside.unsqueeze(1))
        if scans(words):
            gru, start = self.gru, self.embedding
            weights = gru.weight_ih_l0[:, start : start + self.read], gru.weight_hh_l0, gru.bias_hh_l0  # type: ignore[index]
            attention = self.query.weight, self.score.weight
            told: Tensor = _Attention.apply(
                projected, first, context.states, context.keys, context.inside, *weights, *attention
            )
            return told
        state, every = first, []
        for step in projected.unbind(1):
            state, one = self._read(step, state, context)
            every.append(one)
        return torch.stack(every, 1)

    def _of_words(self, words: Tensor, beside: Tensor | None) -> Tensor:
        """Project the part of the input that does not depend on the state, (..., 3H)."""
        projected = self.gru.projected(words)
        return projected if beside is None else projected + self.gru.projected(beside, self.embedding + self.read)

    def attend(self, state: Tensor, context: Attended) -> tuple[Tensor, Tensor]:
        """Return the weights (B, S) of the words of the contexts for a state (B, H), and their mean state (B, 2H)."""
        scores = self.score(torch.tanh(context.keys + self.query(state).unsqueeze(1))).squeeze(-1)
        weights = scores.masked_fill(~context.inside, -torch.inf).softmax(-1)
        return weights, torch.einsum("bs,bsh->bh", weights, context.states)

    def _read(self, projected: Tensor, state: Tensor, context: Attended) -> tuple[Tensor, Tensor]:
        _, read = self.attend(state, context)
        state = self.gru.advanced(projected + self.gru.projected(read, self.embedding), state)
        return state, torch.cat([state, read], -1)


class AttentiveSteps:
    """`decoding.steps.Steps` of an `AttentiveDecoder`."""

    def __init__(
        self,
        decoder: AttentiveDecoder,
        embedding: nn.Embedding,
        first: Tensor,
        beside: Tensor | None,
        context: Attended,
    ) -> None:
        self._decoder, self._embedding, self._state = decoder, embedding, first
        self._beside, self._context = beside, context

    @property
    def rows(self) -> int:
        return len(self._state)

    @property
    def device(self) -> torch.device:
        return self._state.device

    def next(self, words: Tensor) -> Tensor:
        self._state, told = self._decoder.step(self._embedding(words), self._state, self._beside, self._context)
        return self._decoder.output(told).float()

    def keep(self, rows: Tensor) -> None:
        self._state, self._context = self._state[rows], self._context[rows]
        self._beside = None if self._beside is None else self._beside[rows]


class _Attention(torch.autograd.Function):
    """All steps of an `AttentiveDecoder` (B, T, 3H), whose gradient is computed in one scan back.

    Step by step, each would give the context's states and keys a gradient of their own size.
    """

    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        first: Tensor,
        context: Tensor,
        keys: Tensor,
        inside: Tensor,
        of_read: Tensor,
        of_state: Tensor,
        bias: Tensor,
        query: Tensor,
        score: Tensor,
    ) -> Tensor:
        """Read T words.

        Args:
            projected: (B, T, 3H), the part of the GRU's input that words give; ``first`` (B, H).
            context: (B, S, 2H), ``keys`` (B, S, H), ``inside`` (B, S).
            of_read, of_state, bias: weights of the GRU, (3H, 2H), (3H, H) and (3H,).
            query, score: weights of the attention, (H, H) and (1, H).
        """
        hidden, steps = first.shape[1], projected.shape[1]
        gates = _by_step(projected)
        before, kept = (first.new_empty(steps, *first.shape) for _ in range(2))
        reads = first.new_empty(steps, len(first), context.shape[-1])
        weights, energies = first.new_empty(steps, *inside.shape), first.new_empty(steps, *keys.shape)
        outside, both = ~inside, torch.cat([of_state, query]).t()
        constant, state = F.pad(bias, (0, hidden)), first
        states = []
        for t in range(steps):
            before[t] = state
            recurrent = torch.addmm(constant, state, both)
            torch.add(keys, recurrent[:, None, 3 * hidden :], out=energies[t]).tanh_()
            scores = (energies[t].flatten(0, 1) @ score.t()).view_as(outside)
            torch.softmax(scores.masked_fill_(outside, -torch.inf), -1, out=weights[t])
            torch.bmm(weights[t].unsqueeze(1), context, out=reads[t].unsqueeze(1))
            gates[t].addmm_(reads[t], of_read.t())
            state = advance(gates[t], recurrent[:, : 3 * hidden], state, kept[t])
            states.append(state)
        ctx.save_for_backward(gates, before, kept, reads, weights, energies, context, of_read, both, score)
        return torch.cat([torch.stack(states), reads], -1).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gates, before, kept, reads, weights, energies, context, of_read, both, score = ctx.saved_tensors
        hidden = before.shape[-1]
        factors, of_new = factors_of(gates, before, kept)
        of_states, of_reads = gradient.transpose(0, 1)[..., :hidden], _by_step(gradient[..., hidden:])
        of_both = before.new_empty(*before.shape[:2], 4 * hidden)  # of the projected state, then of the query
        inputs, of_keys = torch.empty_like(gates), torch.zeros_like(energies[0])
        of_scores, total = torch.empty_like(weights), torch.zeros_like(before[0])
        for t in reversed(range(len(gates))):
            total = total + of_states[t]
            recurrent = of_both[t, :, : 3 * hidden]
            torch.mul(total.unsqueeze(1), factors[t], out=recurrent.unflatten(1, (3, hidden)))
            inputs[t] = of_projected(recurrent, total, of_new[t])
            of_reads[t].addmm_(inputs[t], of_read)
            of_weights = torch.bmm(context, of_reads[t].unsqueeze(2)).squeeze(2)
            own = weights[t] * of_weights
            torch.addcmul(own, weights[t], own.sum(1, keepdim=True), value=-1, out=of_scores[t])
            squares = energies[t].square()  # the gradient of tanh is 1 - tanh²; the 1 is added after the loop
            of_keys.addcmul_(of_scores[t].unsqueeze(2), squares, value=-1)
            passed = of_scores[t].sum(1, keepdim=True) - torch.bmm(of_scores[t].unsqueeze(1), squares).squeeze(1)
            torch.mul(passed, score, out=of_both[t, :, 3 * hidden :])
            total = torch.addmm(total * gates[t].chunk(3, -1)[1], of_both[t], both.t())
        of_weight = of_both.flatten(0, 1).t() @ before.flatten(0, 1)
        return (
            inputs.transpose(0, 1),
            total,
            torch.bmm(weights.permute(1, 2, 0), of_reads.transpose(0, 1)),
            (of_keys + of_scores.sum(0).unsqueeze(2)) * score,
            None,
            inputs.flatten(0, 1).t() @ reads.flatten(0, 1),
            of_weight[: 3 * hidden],
            of_both[..., : 3 * hidden].sum((0, 1)),
            of_weight[3 * hidden :],
            of_scores.view(1, -1) @ energies.view(-1, hidden),
        )


def _by_step(values: Tensor) -> Tensor:
    """Copy (B, T, ...) as (T, B, ...), to be changed in place; of one example, `contiguous` would not copy."""
    return values.transpose(0, 1).clone(memory_format=torch.contiguous_format)
