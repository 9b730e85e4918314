"""GRU (Cho et al. 2014) over packed sequences, with a hand-written backward pass for CPUs.

torch's CPU kernel differentiates step by step: a small matrix product and an accumulation for every weight at every
time step. Here a step of the backward pass is three element-wise operations and one product; the weights' gradients
are one large product over all steps. Training is about twice as fast; the numbers are those of torch.nn.GRU
(tests/unit/test_models_gru.py). On a GPU, and under autocast, torch's own kernels run.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence


class GRU(nn.GRU):
    """torch.nn.GRU, batch first, zero dropout, whose methods say what is wanted: last states or all outputs."""

    def __init__(self, input_size: int, hidden_size: int, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__(input_size, hidden_size, layers, batch_first=True, bidirectional=bidirectional)

    def last_states(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """States after each sequence's last token, both directions of the only layer side by side.

        Args:
            inputs: (B, T, E); padding is never read.
            lengths: (B,) int64, at least 1.
        Returns:
            (B, H) or, bidirectional, (B, 2H).
        """
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        if not _by_hand(inputs):
            return torch.cat(list(self(packed)[1]), -1)
        start = inputs.new_zeros(len(inputs), self.hidden_size)
        last = [self._scan(packed, start, "_l0", False)[1]]
        if self.bidirectional:
            last.append(self._scan(packed, start, "_l0_reverse", True)[1])
        return torch.cat(last, -1)[packed.unsorted_indices]

    def last_states_of_copies(self, inputs: Tensor, lengths: Tensor, marks: Tensor) -> Tensor:
        """`last_states` of N copies of each sequence, copy j with ``marks[j]`` added to its every token.

        The tokens' part of the input projection is computed once for all copies.

        Args:
            inputs: (B, T, E), ``lengths`` (B,), ``marks`` (N, E).
        Returns:
            (B * N, H) or (B * N, 2H), the copies of a sequence one after the other.
        """
        copies = len(marks)
        if not _by_hand(inputs):
            marked = (inputs.unsqueeze(1) + marks.unsqueeze(1)).flatten(0, 1)
            return self.last_states(marked, lengths.repeat_interleave(copies))
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        start = inputs.new_zeros(len(inputs) * copies, self.hidden_size)
        last = [self._scan(packed, start, "_l0", False, marks)[1]]
        if self.bidirectional:
            last.append(self._scan(packed, start, "_l0_reverse", True, marks)[1])
        return torch.cat(last, -1).unflatten(0, (-1, copies))[packed.unsorted_indices].flatten(0, 1)

    def outputs(self, inputs: Tensor, initial: Tensor, copies: int = 1) -> Tensor:
        """The last layer's state at every step.

        Args:
            inputs: (B, T, E), every row T long (what follows a shorter text is computed and ignored).
            initial: (layers, B * copies, H): each input is read from ``copies`` initial states.
        Returns:
            (B * copies, T, H).
        """
        if not _by_hand(inputs):
            return self(inputs.repeat_interleave(copies, 0), initial)[0]
        batch, steps, _ = inputs.shape
        every = torch.full((steps,), batch)
        packed = PackedSequence(inputs.transpose(0, 1).reshape(steps * batch, -1), every)
        marks = inputs.new_zeros(copies, inputs.shape[-1]) if copies > 1 else None
        flat, _ = self._scan(packed, initial[0], "_l0", False, marks)
        for layer in range(1, self.num_layers):
            flat, _ = self._scan(PackedSequence(flat, every * copies), initial[layer], f"_l{layer}", False)
        return flat.view(steps, batch * copies, -1).transpose(0, 1)

    def _scan(
        self, packed: PackedSequence, start: Tensor, suffix: str, reverse: bool, marks: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """All states (S, H) and the last ones; with ``marks`` (N, E), of N copies of each sequence."""
        weight = {name: getattr(self, name + suffix) for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")}
        projected = F.linear(packed.data, weight["weight_ih"], weight["bias_ih"])
        sizes = packed.batch_sizes
        if marks is not None:
            projected = (projected.unsqueeze(1) + F.linear(marks, weight["weight_ih"])).flatten(0, 1)
            sizes = sizes * len(marks)
        return _Scan.apply(projected, start, weight["weight_hh"], weight["bias_hh"], sizes.tolist(), reverse)


def _by_hand(inputs: Tensor) -> bool:
    return inputs.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class _Scan(torch.autograd.Function):
    """One direction of one layer.

    Inputs: ``projected`` (S, 3H) input part of the gates of all S tokens, packed (time-major, longest sequence first),
    ``start`` (B, H), recurrent weight (3H, H) and bias (3H,), batch size at each time step, direction. Outputs: the
    state at every token (S, H) and after the last one (B, H). Gate order is torch's: reset, update, new.
    """

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, start: Tensor, weight: Tensor, bias: Tensor, sizes: list[int], reverse: bool
    ) -> tuple[Tensor, Tensor]:
        hidden = start.shape[1]
        steps = _steps(sizes, reverse)
        keep = any(ctx.needs_input_grad)
        outputs = projected.new_empty(len(projected), hidden)
        gates = torch.empty_like(projected) if keep else None
        recurrent_new = torch.empty_like(outputs) if keep else None
        before = torch.empty_like(outputs) if keep else None
        state = start.clone()
        transposed = weight.t()
        for rows, n in steps:
            previous = state[:n]
            recurrent = torch.addmm(bias, previous, transposed)
            # without a backward pass the projection, which nobody else holds, is overwritten
            gate = projected[rows] if gates is None else gates[rows].copy_(projected[rows])
            gate[:, : 2 * hidden].add_(recurrent[:, : 2 * hidden]).sigmoid_()
            reset, update, new = gate.chunk(3, 1)
            new.addcmul_(reset, recurrent[:, 2 * hidden :]).tanh_()
            if before is not None and recurrent_new is not None:
                before[rows] = previous
                recurrent_new[rows] = recurrent[:, 2 * hidden :]
            torch.lerp(new, previous, update, out=outputs[rows])
            state[:n] = outputs[rows]
        if keep:
            ctx.save_for_backward(gates, recurrent_new, before, weight)
            ctx.steps = steps
        return outputs, state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_last: Tensor) -> tuple[Tensor | None, ...]:
        gates, recurrent_new, before, weight = ctx.saved_tensors
        reset, update, new = gates.chunk(3, 1)
        # d(pre-activation) = d(state) * factor, for the gates as the recurrent product meets them
        to_new = (1 - update) * (1 - new * new)
        factors = torch.cat(
            [to_new * recurrent_new * reset * (1 - reset), (before - new) * update * (1 - update), to_new * reset], 1
        )
        d_recurrent = torch.empty_like(factors)
        d_states = torch.empty_like(new)
        d_state = d_last.clone()
        for rows, n in reversed(ctx.steps):
            here = torch.add(d_state[:n], d_outputs[rows], out=d_states[rows])
            d_gate = torch.mul(here.repeat(1, 3), factors[rows], out=d_recurrent[rows])
            d_state[:n] = torch.addmm(here * update[rows], d_gate, weight)
        hidden = d_states.shape[1]
        d_projected = torch.cat([d_recurrent[:, : 2 * hidden], d_states * to_new], 1)
        return d_projected, d_state, d_recurrent.t() @ before, d_recurrent.sum(0), None, None


def _steps(sizes: list[int], reverse: bool) -> list[tuple[slice, int]]:
    """Rows of the packed tokens of each time step, and how many sequences reach it, in the order of the scan."""
    steps, start = [], 0
    for n in sizes:
        steps.append((slice(start, start + n), n))
        start += n
    return steps[::-1] if reverse else steps
