"""A decoder that points: each word is generated from the vocabulary or copied from a source (See et al. 2017).

B examples, T steps, S words of a source, E embedding size, H hidden units, V vocabulary size. R rows of decoding, U
unknown words of a source at most. Coverage (their section 2.3) is left out.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline_lib.compute.precision import at_least_float32
from pipeline_lib.examples.batch import Response
from pipeline_lib.models.layers import projection
from pipeline_lib.models.layers.attentive import Attended, AttentiveDecoder
from pipeline_lib.models.layers.recurrent import sum_by_example, valid_positions


class Source(NamedTuple):
    """What a decoder attends to and copies from.

    Attributes:
        words: as it attends to them.
        ids: (B, S) int64 that a copy of each has; V + n: the n-th unknown word, where unknown words are told apart.
    """

    words: Attended
    ids: Tensor

    def take(self, rows: Tensor) -> "Source":
        """Choose examples; one may occur several times."""
        return Source(self.words[rows], self.ids[rows])


class Pointed(NamedTuple):
    """What is known of the next word after a step: ``told`` (B, 3H) the generator reads it from.

    ``weights`` (B, S) is the attention to the source, ``generates`` (B,) the logit of p_gen, and ``state`` (B, H) with
    ``read`` (B, 2H) what the next step begins with.
    """

    state: Tensor
    read: Tensor
    weights: Tensor
    told: Tensor
    generates: Tensor


class PointerDecoder(AttentiveDecoder):
    """A GRU that reads [word; what it attended to before], attends, and chooses between generating and copying.

    It attends after reading the word (equations 1 to 3), so that a copy knows the word that it follows.
    """

    def __init__(self, embedding: int, hidden: int, vocabulary_size: int) -> None:
        super().__init__(embedding, hidden, 0, vocabulary_size)
        self.generates = nn.Linear(3 * hidden + embedding, 1)

    def point(self, word: Tensor, state: Tensor, read: Tensor, source: Attended) -> Pointed:
        """Read one word (B, E) after the state (B, H) that had attended to ``read`` (B, 2H)."""
        state = self.gru.advanced(self.gru.projected(torch.cat([word, read], -1)), state)
        weights, read = self.attend(state, source)
        told = torch.cat([state, read], -1)
        return Pointed(state, read, weights, told, self.generates(torch.cat([told, word], -1)).squeeze(-1))

    def nll(self, words: Tensor, first: Tensor, source: Source, response: Response) -> Tensor:
        """Return -log p(response | source), nats, (B,), of the mixture (equation 9).

        Args:
            words: (B, T, E), embedded inputs of the response.
            first: (B, H), the state to begin with.
        """
        state, read = first, first.new_zeros(len(first), source.words.states.shape[-1])
        steps = []
        for word in words.unbind(1):
            steps.append(self.point(word, state, read, source.words))
            state, read = steps[-1].state, steps[-1].read
        inside = valid_positions(response.lengths, words.shape[1])
        _, _, weights, told, generates = (torch.stack(parts, 1)[inside] for parts in zip(*steps, strict=True))
        targets = response.targets[inside]
        own = source.ids.repeat_interleave(response.lengths, 0)
        copied = at_least_float32(weights * (own == targets.unsqueeze(1))).sum(-1)
        generates = at_least_float32(generates)
        log_p = torch.logaddexp(
            F.logsigmoid(generates) - projection.likelihood(told, self.output, targets),
            F.logsigmoid(-generates) + _log(copied),
        )
        return sum_by_example(-log_p, response.lengths)

    def log_probabilities(self, pointed: Pointed, ids: Tensor, unknown_words: int) -> Tensor:
        """Return log p of every word that may come next, (R, V + U): V generated or copied, U copied alone."""
        generates = at_least_float32(pointed.generates).unsqueeze(1)
        generated = F.pad(at_least_float32(self.output(pointed.told)).softmax(-1), (0, unknown_words))
        copied = torch.zeros_like(generated).scatter_add_(1, ids, at_least_float32(pointed.weights))
        return torch.log(generates.sigmoid() * generated + (-generates).sigmoid() * copied)


def _log(probability: Tensor) -> Tensor:
    """Return a logarithm that is finite at 0, whose gradient there is 0."""
    return probability.clamp(min=torch.finfo(probability.dtype).tiny).log()


class PointerSteps:
    """`decoding.steps.Steps` of a `PointerDecoder`; what it calls logits are log-probabilities.

    Args:
        unknown: id of a word that the vocabulary lacks, as the decoder reads one that it copied.
        unknown_words: U.
    """

    def __init__(
        self,
        decoder: PointerDecoder,
        embedding: nn.Embedding,
        first: Tensor,
        source: Source,
        unknown: int,
        unknown_words: int,
    ) -> None:
        self._decoder, self._embedding, self._source = decoder, embedding, source
        self._state, self._read = first, first.new_zeros(len(first), source.words.states.shape[-1])
        self._unknown, self._unknown_words = unknown, unknown_words

    @property
    def rows(self) -> int:
        return len(self._state)

    @property
    def device(self) -> torch.device:
        return self._state.device

    def next(self, words: Tensor) -> Tensor:
        known = words.masked_fill(words >= self._embedding.num_embeddings, self._unknown)
        pointed = self._decoder.point(self._embedding(known), self._state, self._read, self._source.words)
        self._state, self._read = pointed.state, pointed.read
        return self._decoder.log_probabilities(pointed, self._source.ids, self._unknown_words)

    def keep(self, rows: Tensor) -> None:
        self._state, self._read, self._source = self._state[rows], self._read[rows], self._source.take(rows)
