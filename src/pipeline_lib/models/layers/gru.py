"""GRU (Cho et al. 2014) that reads many marked or differently started copies of the same sequences.

SepaCVAE scores N copies of every example, without gradient, at each training step. The copies differ from one another
by a vector added to every word, or by the initial state alone, so the words' part of the input projection is the same
for all; on CPUs it is computed once (1.2 to 1.6 times as fast at the paper's sizes, benchmarks/gru.py). Elsewhere
torch's own kernels run.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence


class GRU(nn.GRU):
    """torch.nn.GRU, batch first, zero dropout, whose methods say what is wanted: last states or all outputs."""

    def __init__(self, input_size: int, hidden_size: int, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__(input_size, hidden_size, layers, batch_first=True, bidirectional=bidirectional)

    def forward(  # type: ignore[override]
        self, inputs: Tensor | PackedSequence, state: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Do as torch's; on GPUs never under autocast, which would run it in float16 and lose small gradients."""
        if not (inputs.data.is_cuda and torch.is_autocast_enabled("cuda")):
            return super().forward(inputs, state)
        with torch.autocast("cuda", enabled=False):
            return super().forward(inputs.to(torch.float32), None if state is None else state.float())

    def last_states(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the states after each sequence's last token, both directions of the only layer side by side.

        Args:
            inputs: (B, T, E); padding is never read.
            lengths: (B,) int64, at least 1.
        Returns:
            (B, H) or, bidirectional, (B, 2H).
        """
        return torch.cat(list(self(packed(inputs, lengths))[1]), -1)

    def last_states_of_copies(self, inputs: Tensor, lengths: Tensor, marks: Tensor) -> Tensor:
        """Return `last_states` of N copies of each sequence, copy j with ``marks[j]`` added to its every token.

        Args:
            inputs: (B, T, E), ``lengths`` (B,), ``marks`` (N, E).
        Returns:
            (B * N, H) or (B * N, 2H), the copies of a sequence one after the other.
        """
        copies = len(marks)
        if not _projection_is_shared(inputs):
            marked = (inputs.unsqueeze(1) + marks.unsqueeze(1)).flatten(0, 1)
            return self.last_states(marked, lengths.repeat_interleave(copies))
        words = packed(inputs, lengths)
        start = inputs.new_zeros(len(inputs) * copies, self.hidden_size)
        last = [self._scan(words, start, "_l0", marks)[1]]
        if self.bidirectional:
            last.append(self._scan(words, start, "_l0_reverse", marks)[1])
        return torch.cat(last, -1).unflatten(0, (-1, copies))[words.unsorted_indices].flatten(0, 1)

    def outputs(self, inputs: Tensor, initial: Tensor, copies: int = 1) -> Tensor:
        """Return the last layer's state at every step.

        Args:
            inputs: (B, T, E), every row T long (what follows a shorter text is computed and ignored).
            initial: (layers, B * copies, H): each input is read from ``copies`` initial states.
        Returns:
            (B * copies, T, H).
        """
        if copies == 1 or not _projection_is_shared(inputs):
            return self(inputs.repeat_interleave(copies, 0), initial)[0]
        batch, steps, _ = inputs.shape
        every = torch.full((steps,), batch)
        words = PackedSequence(inputs.transpose(0, 1).reshape(steps * batch, -1), every)
        flat, _ = self._scan(words, initial[0], "_l0", inputs.new_zeros(copies, inputs.shape[-1]))
        for layer in range(1, self.num_layers):
            flat, _ = self._scan(PackedSequence(flat, every * copies), initial[layer], f"_l{layer}")
        return flat.view(steps, batch * copies, -1).transpose(0, 1)

    def projected(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Project a part of the inputs of the first layer: (..., P), the components from ``start`` on, to (..., 3H).

        The bias belongs to the first component, so that parts add up to the projection of the whole.
        """
        weight: Tensor = self.weight_ih_l0[:, start : start + inputs.shape[-1]]  # type: ignore[index]
        bias: Tensor | None = None if start else self.bias_ih_l0  # type: ignore[assignment]
        return F.linear(inputs, weight, bias)

    def advanced(self, projected: Tensor, state: Tensor) -> Tensor:
        """Advance the state (B, H) of the first layer by a step whose `projected` input is (B, 3H), with gradient."""
        recurrent = F.linear(state, self.weight_hh_l0, self.bias_hh_l0)  # type: ignore[arg-type]
        reset_in, update_in, new_in = projected.chunk(3, -1)
        reset_state, update_state, new_state = recurrent.chunk(3, -1)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_state) * new_state)
        return torch.lerp(new, state, torch.sigmoid(update_in + update_state))

    def _scan(
        self, packed: PackedSequence, start: Tensor, suffix: str, marks: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scan one direction of one layer without gradient.

        Args:
            suffix: of the names of the weights, as torch names them (gates in the order reset, update, new).
            marks: (N, E); with them, S and B count the N copies of each sequence.
        Returns:
            The states at all tokens (S, H), packed, and the last ones (B, H).
        """
        weight = {name: getattr(self, name + suffix) for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")}
        projected = F.linear(packed.data, weight["weight_ih"], weight["bias_ih"])
        sizes = packed.batch_sizes
        if marks is not None:
            projected = (projected.unsqueeze(1) + F.linear(marks, weight["weight_ih"])).flatten(0, 1)
            sizes = sizes * len(marks)
        hidden, transposed = self.hidden_size, weight["weight_hh"].t()
        outputs = projected.new_empty(len(projected), hidden)
        state = start.clone()
        for rows, n in _steps(sizes.tolist(), reverse=suffix.endswith("_reverse")):
            previous = state[:n]
            recurrent = torch.addmm(weight["bias_hh"], previous, transposed)
            gate = projected[rows]  # overwritten: nobody else holds the projection
            gate[:, : 2 * hidden].add_(recurrent[:, : 2 * hidden]).sigmoid_()
            reset, update, new = gate.chunk(3, 1)
            new.addcmul_(reset, recurrent[:, 2 * hidden :]).tanh_()
            torch.lerp(new, previous, update, out=outputs[rows])
            state[:n] = outputs[rows]
        return outputs, state


def packed(inputs: Tensor, lengths: Tensor) -> PackedSequence:
    """Pack (B, T, E) sequences of ``lengths`` (B,), at least 1 each, for torch's GRU."""
    return pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)


def _projection_is_shared(inputs: Tensor) -> bool:
    return inputs.device.type == "cpu" and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def _steps(sizes: list[int], reverse: bool) -> list[tuple[slice, int]]:
    """List each time step's rows of packed tokens and how many sequences reach it, in the order of the scan."""
    steps, start = [], 0
    for n in sizes:
        steps.append((slice(start, start + n), n))
        start += n
    return steps[::-1] if reverse else steps
