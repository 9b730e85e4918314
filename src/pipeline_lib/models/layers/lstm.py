"""LSTM (Hochreiter and Schmidhuber 1997) over texts of different lengths."""

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]  # h and c, (layers, B, H) each


class LSTM(nn.LSTM):
    """torch.nn.LSTM of one layer, batch first, whose methods say what is wanted: the last state or all outputs."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)

    def forward(  # type: ignore[override]
        self, inputs: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Do as torch's; on GPUs never under autocast, which would run it in float16 and lose small gradients."""
        if not (inputs.is_cuda and torch.is_autocast_enabled("cuda")):
            return super().forward(inputs, state)
        with torch.autocast("cuda", enabled=False):
            wide = None if state is None else (state[0].float(), state[1].float())
            return super().forward(inputs.to(torch.float32), wide)

    def last_hidden(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read (B, T, E) texts of ``lengths`` (B,) int64, all at least 1: (B, H) after the last token of each.

        Padding is read too, after the state that is returned: that is faster on CPUs than packed sequences.
        """
        return self.outputs(inputs, None)[torch.arange(len(lengths), device=lengths.device), lengths - 1]

    def outputs(self, inputs: Tensor, state: State | None) -> Tensor:
        """Read (B, T, E) from ``state``, or from zeros: (B, T, H). What follows a shorter text is computed, too."""
        found: Tensor = self(inputs, state)[0]
        return found
