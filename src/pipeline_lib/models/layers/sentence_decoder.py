"""An LSTM decoder of single sentences, standard or inputless, in either direction (Bowman et al. 2016, sections 3, 4).

B sentences, T steps, E embedding size, H hidden units, Z latent size, V units. Sentences come and go in reading order;
a decoder from right to left emits the last word first. Only `Steps` show its own order, in which `turned` puts words.
"""

import torch
from torch import Tensor, nn

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.config.networks import Direction, LanguageModel
from pipeline_lib.decoding.steps import word_lengths
from pipeline_lib.examples.batch import Response
from pipeline_lib.models.layers import projection
from pipeline_lib.models.layers.dropping import dropout, keep_words
from pipeline_lib.models.layers.lstm import LSTM, State
from pipeline_lib.models.layers.recurrent import valid_positions
from pipeline_lib.text.units import Units


class SentenceDecoder(nn.Module):
    """An LSTM decoder over learnt embeddings, standard or inputless.

    A standard decoder reads the word before, which in training becomes ``<unk>`` with probability 1 - ``keep``. With
    ``keep`` 0 it is inputless: it reads ``<unk>`` at every step, the first included, in training, scoring and decoding.

    Args:
        beside: components of z that it reads with every word.
    """

    def __init__(
        self, units: Units, network: LanguageModel, keep: float, direction: Direction, beside: int = 0
    ) -> None:
        super().__init__()
        self.direction = direction
        self.ids, self.keep, self.rate = units.ids, keep, network.dropout
        self.embedding = nn.Embedding(len(units), network.embedding)  # the dictionary of Figure 1, an encoder's too
        self.lstm = LSTM(network.embedding + beside, network.hidden)
        self.output = nn.Linear(network.hidden, len(units))
        self.reads_z = beside > 0

    @property
    def inputless(self) -> bool:
        return self.keep == 0

    def forward(self, response: Response, state: State | None, z: Tensor | None, generator: torch.Generator) -> Tensor:
        """Return -log p(word) of every word and end token, nats, (sum of lengths,).

        They follow one another sentence by sentence, in the order in which the decoder emits them, the end token last.

        Args:
            response: sentences in reading order.
            state: h and c, (1, B, H) each, from which the decoder starts; None: zeros.
            z: (B, Z), for a decoder that reads it with every word.
            generator: what training draws from; without effect in evaluation.
        """
        if self.direction == "right_to_left":
            response = self._reversed(response)
        valid = valid_positions(response.lengths, response.targets.shape[1])
        if state is None and self.inputless:
            return self._by_position(response.targets, valid, generator)
        hidden = self._hidden(self.inputs(response.inputs, generator), state, z, generator)
        return projection.likelihood(hidden[valid], self.output, response.targets[valid])

    def turned(self, words: Tensor) -> Tensor:
        """Exchange reading order and the order in which the decoder emits words; both are one from left to right.

        Args:
            words: (..., T) int64, after the last word the end token or padding, which stay; so do forced words of a
                beam, `decoding.beam.FREE` among them.
        """
        if self.direction == "left_to_right":
            return words
        rows = words.reshape(-1, words.shape[-1])
        return rows.gather(1, _backwards(word_lengths(rows, self.ids), rows.shape[1])).view_as(words)

    def _reversed(self, response: Response) -> Response:
        """Return the sentences with their words in the opposite order; start and end token keep their places."""
        targets = response.targets.gather(1, _backwards(response.lengths - 1, response.targets.shape[1]))
        return Response(torch.cat([response.inputs[:, :1], targets[:, :-1]], 1), targets, response.lengths)

    def inputs(self, words: Tensor, generator: torch.Generator) -> Tensor:
        """Turn (B, T) previous words, the start token first, into the (B, T) words that the decoder reads."""
        if self.inputless:
            return torch.full_like(words, self.ids.unknown)
        if self.training and self.keep < 1:
            return keep_words(words, self.keep, self.ids.unknown, generator)
        return words

    def read(self, words: Tensor, z: Tensor | None) -> Tensor:
        """Embed (B, T) words as (B, T, E), or (B, T, E + Z) where the decoder reads z beside each."""
        embedded = self.embedding(words)
        if not self.reads_z or z is None:
            return embedded
        return torch.cat([embedded, z.unsqueeze(1).expand(-1, words.shape[1], -1)], -1)

    def _hidden(
        self, words: Tensor, state: State | None, z: Tensor | None, generator: torch.Generator, common: bool = False
    ) -> Tensor:
        rate = self.rate if self.training else 0
        outputs = self.lstm.outputs(dropout(self.read(words, z), rate, generator, common), state)
        return dropout(outputs, rate, generator, common)

    def _by_position(self, targets: Tensor, valid: Tensor, generator: torch.Generator) -> Tensor:
        """Score words by their position alone: without words or z, sentences share states: T rows, not B * T."""
        words = torch.full((1, targets.shape[1]), self.ids.unknown, device=targets.device)
        hidden = self._hidden(words, None, None, generator, common=True)[0]
        log_probabilities = torch.log_softmax(at_least_float32(self.output(hidden)), -1)
        return -log_probabilities.gather(1, targets.t()).t()[valid]


class SentenceSteps:
    """`decoding.steps.Steps` of a `SentenceDecoder`."""

    def __init__(self, decoder: SentenceDecoder, state: State, z: Tensor | None) -> None:
        self._decoder, self._state, self._z = decoder, state, z

    @property
    def rows(self) -> int:
        return self._state[0].shape[1]

    @property
    def device(self) -> torch.device:
        return self._state[0].device

    def next(self, words: Tensor) -> Tensor:
        if self._decoder.inputless:
            words = torch.full_like(words, self._decoder.ids.unknown)
        hidden, self._state = self._decoder.lstm(self._decoder.read(words.unsqueeze(1), self._z), self._state)
        return at_least_float32(self._decoder.output(hidden.squeeze(1)))

    def keep(self, rows: Tensor) -> None:
        self._state = self._state[0][:, rows], self._state[1][:, rows]
        self._z = None if self._z is None else self._z[rows]


def _backwards(lengths: Tensor, width: int) -> Tensor:
    """Return (B, width) int64, the positions that reverse the first ``lengths`` (B,) of a row and keep the others."""
    position = torch.arange(width, device=lengths.device).expand(len(lengths), -1)
    last = lengths.unsqueeze(1) - 1
    return torch.where(position <= last, last - position, position)
