"""GRUs on CPUs whose gradient is computed in one scan back, both directions at once.

torch's GRU over packed sequences gives each time step a gradient of the size of all steps, most of it zeros, so its
backward pass grows with the square of the length. Here each step writes to its own rows, weights have their gradient
from one product over all steps, and the second direction reads every text from its end, so that both take one step
together. Elsewhere than on CPUs torch's own kernels run.

S tokens of a batch, packed; D directions, B texts, H hidden units.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

from pipeline_lib.models.layers.gru import GRU
from pipeline_lib.models.layers.recurrent import Encoder


class ScannedGRU(GRU):
    """A GRU of one layer, whose values are torch's."""

    def forward(  # type: ignore[override]
        self, inputs: Tensor | PackedSequence, state: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Do as torch's; with gradients, packed sequences that start from zero are scanned."""
        data = inputs.data
        if isinstance(inputs, Tensor) or state is not None or not scans(data) or not torch.is_grad_enabled():
            return super().forward(inputs, state)
        backwards = _from_the_end(inputs.batch_sizes) if self.bidirectional else None
        projected = [self.projected(data)]
        if backwards is not None:
            projected.append(torch.nn.functional.linear(data[backwards], *self._weights("ih", "_reverse")))
        directions = ("", "_reverse")[: len(projected)]
        weight, bias = (torch.stack(parts) for parts in zip(*(self._weights("hh", d) for d in directions), strict=True))
        states = _Scan.apply(torch.stack(projected), weight, bias, inputs.batch_sizes.tolist())
        last = states[:, _last_rows(inputs.batch_sizes)]
        both = [states[0], states[1][backwards]] if backwards is not None else [states[0]]
        order = inputs.unsorted_indices
        return PackedSequence(
            torch.cat(both, -1), inputs.batch_sizes, inputs.sorted_indices, inputs.unsorted_indices
        ), last if order is None else last[:, order]

    def _weights(self, kind: str, direction: str) -> tuple[Tensor, Tensor]:
        return getattr(self, f"weight_{kind}_l0{direction}"), getattr(self, f"bias_{kind}_l0{direction}")


class ScannedEncoder(Encoder):
    """An `Encoder` whose GRU is scanned."""

    Recurrent: ClassVar[type[GRU]] = ScannedGRU


def scans(inputs: Tensor) -> bool:
    """Tell whether scans of our own are worth it: elsewhere than on CPUs, and under autocast, they are not."""
    return inputs.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class _Scan(torch.autograd.Function):
    """All states of D GRUs, given the projections of their inputs (D, S, 3H): (D, S, H)."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, bias: Tensor, sizes: list[int]) -> Tensor:
        """Scan texts that start from zero; of (D, 3H, H) recurrent weights, ``sizes[t]`` texts have a token t."""
        hidden = weight.shape[-1]
        gates, states = projected.clone(), projected.new_empty(*projected.shape[:2], hidden)
        before, of_state = torch.zeros_like(states), torch.empty_like(states)
        transposed, constant = weight.transpose(1, 2), bias.unsqueeze(1)
        for rows, previous in _steps(sizes):
            if previous is not None:
                before[:, rows] = states[:, previous]
            recurrent = torch.baddbmm(constant, before[:, rows], transposed)
            states[:, rows] = advance(gates[:, rows], recurrent, before[:, rows], of_state[:, rows])
        ctx.save_for_backward(gates, before, of_state, weight)
        ctx.sizes = sizes
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        gates, before, of_state, weight = ctx.saved_tensors
        factors, of_new = factors_of(gates, before, of_state)
        through, total, update = torch.empty_like(factors), gradient.clone(), gates.chunk(3, -1)[1]
        for rows, previous in reversed(_steps(ctx.sizes)):
            own = total[:, rows]
            torch.mul(own.unsqueeze(-2), factors[:, rows], out=through[:, rows])
            if previous is not None:
                total[:, previous] += torch.baddbmm(own * update[:, rows], through[:, rows].flatten(-2), weight)
        recurrent = through.flatten(-2)
        return of_projected(recurrent, total, of_new), recurrent.transpose(1, 2) @ before, recurrent.sum(1), None


def advance(gates: Tensor, recurrent: Tensor, before: Tensor, of_state: Tensor) -> Tensor:
    """Advance states by a step, and keep what its gradient needs.

    Args:
        gates: (..., 3H), the projected input; it becomes the reset and update gates and the new state.
        recurrent: (..., 3H), the projected state ``before`` (..., H).
        of_state: (..., H), to be filled with the part of ``recurrent`` that the reset gate multiplies.
    Returns:
        The next states (..., H).
    """
    hidden = before.shape[-1]
    of_state.copy_(recurrent[..., 2 * hidden :])
    gates[..., : 2 * hidden].add_(recurrent[..., : 2 * hidden]).sigmoid_()
    reset, update, new = gates.chunk(3, -1)
    new.addcmul_(reset, of_state).tanh_()
    return torch.lerp(new, before, update)


def factors_of(gates: Tensor, before: Tensor, of_state: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the gradient of a state is multiplied by, which does not depend on it: for many steps at once.

    Args:
        gates, before, of_state: as `advance` left them.
    Returns:
        (..., 3, H): the product is the gradient of the projected state. (..., H): the same of the new state's input.
    """
    reset, update, new = gates.chunk(3, -1)
    of_new = (1 - update) * (1 - new.square())
    of_update = (before - new) * update * (1 - update)
    of_reset = of_new * of_state * reset * (1 - reset)
    return torch.stack([of_reset, of_update, of_new * reset], -2), of_new


def of_projected(recurrent: Tensor, states: Tensor, of_new: Tensor) -> Tensor:
    """Return the gradient of projected inputs (..., 3H), given those of projected states and of states (..., H)."""
    return torch.cat([recurrent[..., : 2 * states.shape[-1]], states * of_new], -1)


def _steps(sizes: list[int]) -> list[tuple[slice, slice | None]]:
    """List each time step's rows of packed tokens, and those of the tokens before them."""
    steps: list[tuple[slice, slice | None]] = []
    start, last = 0, 0
    for step, n in enumerate(sizes):
        steps.append((slice(start, start + n), slice(last, last + n) if step else None))
        last, start = start, start + n
    return steps


def _from_the_end(sizes: Tensor) -> Tensor:
    """Return where each text's tokens are in reversed order, as rows of packed ones (S,); its own inverse."""
    starts, lengths = sizes.cumsum(0) - sizes, _lengths(sizes)
    step = torch.arange(len(sizes)).repeat_interleave(sizes)
    text = torch.arange(int(sizes.sum())) - starts[step]
    return starts[lengths[text] - 1 - step] + text


def _last_rows(sizes: Tensor) -> Tensor:
    """Return the row of each text's last token (B,)."""
    return (sizes.cumsum(0) - sizes)[_lengths(sizes) - 1] + torch.arange(int(sizes[0]))


def _lengths(sizes: Tensor) -> Tensor:
    return (sizes.unsqueeze(1) > torch.arange(int(sizes[0]))).sum(0)
