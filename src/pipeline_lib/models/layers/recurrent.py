"""The building blocks that the systems of the SepaCVAE paper share (its section 4 and the released code).

B examples, T tokens, E embedding size, H hidden units, Z latent size, V vocabulary size.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.models.layers import projection
from pipeline_lib.models.layers.gru import GRU


class Encoder(nn.Module):
    """Bidirectional GRU; a text is the concatenation of the two directions' last states."""

    Recurrent: ClassVar[type[GRU]] = GRU

    def __init__(self, embedding_size: int, hidden: int) -> None:
        super().__init__()
        self.gru = self.Recurrent(embedding_size, hidden, bidirectional=True)
        self.size = 2 * hidden

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Encode (B, T, E) texts of ``lengths`` (B,) int64, all >= 1, as (B, 2H); padding is never read."""
        return self.gru.last_states(embedded, lengths)

    def copies(self, embedded: Tensor, lengths: Tensor, marks: Tensor) -> Tensor:
        """Encode N copies of each text, copy j with ``marks[j]`` (N, E) added to its every word: (B * N, 2H)."""
        return self.gru.last_states_of_copies(embedded, lengths, marks)


def valid_positions(lengths: Tensor, width: int) -> Tensor:
    """Mark the positions of tokens that are not padding: (B, width) bool."""
    return torch.arange(width, device=lengths.device) < lengths.unsqueeze(1)


class Decoder(nn.Module):
    """GRU language model whose initial states are a linear map of what the response is conditioned on."""

    def __init__(self, input_size: int, hidden: int, layers: int, vocabulary_size: int, condition_size: int) -> None:
        super().__init__()
        self.gru = GRU(input_size, hidden, layers)
        self.initial = nn.Linear(condition_size, layers * hidden)
        self.output = nn.Linear(hidden, vocabulary_size)

    def initial_state(self, condition: Tensor) -> Tensor:
        """Turn a (B, C) condition into the first state, (layers, B, H)."""
        state = self.initial(condition).unflatten(-1, (self.gru.num_layers, self.gru.hidden_size))
        return state.transpose(0, 1).contiguous()

    def forward(self, inputs: Tensor, condition: Tensor, copies: int = 1) -> Tensor:
        """Read (B, T, input) embedded previous words (teacher forcing) into hidden states (B * copies, T, H).

        ``condition`` (B * copies, C): each response is read under ``copies`` consecutive conditions.
        """
        return self.gru.outputs(inputs, self.initial_state(condition), copies)

    def negative_log_likelihood(self, hidden: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """Return ``-sum_t log p(y_t | y_<t)`` per example, nats, (B,); only non-pad positions are projected to V."""
        return response_nll(hidden, self.output, targets, lengths)


def response_nll(hidden: Tensor, output: nn.Linear, targets: Tensor, lengths: Tensor) -> Tensor:
    """Return -log p(targets) of each text, nats, (B,), from (B, T, H) hidden states that ``output`` projects to V."""
    valid = valid_positions(lengths, targets.shape[1])
    return sum_by_example(projection.likelihood(hidden[valid], output, targets[valid]), lengths)


class DecoderSteps:
    """`decoding.steps.Steps` of a `Decoder`.

    Args:
        embeddings: (V, E) word vectors that the decoder reads.
        condition: (R, C), one response for each row.
        constant_input: (R, X) beside the embedded word at every step, or None.
    """

    def __init__(
        self, decoder: Decoder, embeddings: Tensor, condition: Tensor, constant_input: Tensor | None = None
    ) -> None:
        self._decoder, self._embeddings, self._constant_input = decoder, embeddings, constant_input
        self._state = decoder.initial_state(condition)

    @property
    def rows(self) -> int:
        return self._state.shape[1]

    @property
    def device(self) -> torch.device:
        return self._state.device

    def next(self, words: Tensor) -> Tensor:
        inputs = F.embedding(words, self._embeddings)
        if self._constant_input is not None:
            inputs = torch.cat([inputs, self._constant_input], dim=-1)
        hidden, self._state = self._decoder.gru(inputs.unsqueeze(1), self._state)
        return self._decoder.output(hidden.squeeze(1)).float()

    def keep(self, rows: Tensor) -> None:
        self._state = self._state[:, rows]
        if self._constant_input is not None:
            self._constant_input = self._constant_input[rows]


def sum_by_example(values: Tensor, lengths: Tensor) -> Tensor:
    """Sum the values of consecutive non-pad positions: (sum of lengths,) -> (B,)."""
    examples = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    return torch.zeros(len(lengths), dtype=values.dtype, device=values.device).index_add(0, examples, values)


class BagOfWords(nn.Module):
    """Predicts the response's words, unordered, from context and latent variable (Zhao et al. 2017)."""

    def __init__(self, condition_size: int, hidden: int, vocabulary_size: int) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(condition_size, hidden), nn.Tanh(), nn.Linear(hidden, vocabulary_size))

    def forward(self, condition: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """Return ``-sum_t log softmax(b)_{y_t}`` per example, nats, (B,)."""
        log_probabilities = F.log_softmax(at_least_float32(self.network(condition)), dim=-1)
        token_nll = -log_probabilities.gather(1, targets)
        return token_nll.masked_fill(~valid_positions(lengths, targets.shape[1]), 0.0).sum(1)
