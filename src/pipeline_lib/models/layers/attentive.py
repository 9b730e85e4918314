"""Additive attention to the words of a context (Bahdanau et al. 2015), and the decoder that reads what it attends to.

B examples, T steps, S words of the context, E embedding size, H hidden units, X values beside each word.
"""

import torch
from torch import Tensor, nn

from pipeline_lib.models.layers.gru import GRU
from pipeline_lib.models.layers.recurrent import valid_positions


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
        self.gru = GRU(embedding + 2 * hidden + beside, hidden)
        self.initial = nn.Linear(2 * hidden, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(2 * hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.output = nn.Linear(3 * hidden, vocabulary_size)

    def attended(self, states: Tensor, lengths: Tensor) -> Attended:
        """Prepare the encoded words (B, S, 2H) of contexts of ``lengths`` (B,)."""
        return Attended(states, self.key(states), valid_positions(lengths, states.shape[1]))

    def attend(self, state: Tensor, context: Attended) -> tuple[Tensor, Tensor]:
        """Return the weights (B, S) of the words of the contexts for a state (B, H), and their mean state (B, 2H)."""
        scores = self.score(torch.tanh(context.keys + self.query(state).unsqueeze(1))).squeeze(-1)
        weights = scores.masked_fill(~context.inside, -torch.inf).softmax(-1)
        return weights, torch.einsum("bs,bsh->bh", weights, context.states)

    def step(self, word: Tensor, state: Tensor, beside: Tensor | None, context: Attended) -> tuple[Tensor, Tensor]:
        """Read one word (B, E) after the state (B, H); return the state and what the next word is told from (B, 3H)."""
        _, read = self.attend(state, context)
        parts = [word, read] if beside is None else [word, read, beside]
        state = self.gru.advanced(self.gru.projected(torch.cat(parts, -1)), state)
        return state, torch.cat([state, read], -1)

    def states(self, words: Tensor, first: Tensor, beside: Tensor | None, context: Attended) -> Tensor:
        """Read (B, T, E) previous words from the first state (B, H): (B, T, 3H)."""
        state, told = first, []
        for step in range(words.shape[1]):
            state, one = self.step(words[:, step], state, beside, context)
            told.append(one)
        return torch.stack(told, 1)


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
