"""The decoder of PersonaWAE: a GRU that reads the user's vector through a gate of its own (eq. 13 and 14).

B examples, T steps, E embedding size, H hidden units, U size of a user's vector, V vocabulary size.
"""

import torch
from torch import Tensor, nn

from pipeline_lib.models.layers.recurrent import Decoder


class GatedDecoder(Decoder):
    """Reads [d; g * u] at each step, with g = sigmoid(U s + V d + W u) in R^U, s being the state before it.

    Args:
        user: U; 0: it reads words alone, as the library's GRU.
    """

    def __init__(self, embedding: int, hidden: int, user: int, condition: int, vocabulary_size: int) -> None:
        super().__init__(embedding + user, hidden, 1, vocabulary_size, condition)
        self.embedding = embedding
        if user:
            self.gate_of_state = nn.Linear(hidden, user, bias=False)
            self.gate_of_word = nn.Linear(embedding, user, bias=False)
            self.gate_of_user = nn.Linear(user, user, bias=False)

    def states(self, words: Tensor, condition: Tensor, user: Tensor | None) -> Tensor:
        """Read (B, T, E) embedded previous words into hidden states (B, T, H).

        Args:
            condition: (B, C), from which the first state is made.
            user: (B, U), or None for a decoder without users.
        """
        first = self.initial_state(condition)
        if user is None:
            return self.gru.outputs(words, first)
        state, states = first[0], []
        gates, projected = self._of_words(words, user)
        for step in range(words.shape[1]):
            state = self._step(projected[:, step], gates[:, step], state, user)
            states.append(state)
        return torch.stack(states, 1)

    def next_state(self, words: Tensor, state: Tensor, user: Tensor | None) -> Tensor:
        """Read one word (B, E) after the state (B, H)."""
        if user is None:
            return self.gru(words.unsqueeze(1), state.unsqueeze(0))[1][0]
        gates, projected = self._of_words(words, user)
        return self._step(projected, gates, state, user)

    def _of_words(self, words: Tensor, user: Tensor) -> tuple[Tensor, Tensor]:
        """Return what does not depend on the state: parts of the gate and of the GRU's input, of all steps at once."""
        of_user = self.gate_of_user(user)
        gates = self.gate_of_word(words) + (of_user.unsqueeze(1) if words.dim() == 3 else of_user)
        return gates, self.gru.projected(words)

    def _step(self, projected: Tensor, gate: Tensor, state: Tensor, user: Tensor) -> Tensor:
        read = torch.sigmoid(gate + self.gate_of_state(state)) * user
        return self.gru.advanced(projected + self.gru.projected(read, self.embedding), state)


class GatedSteps:
    """`decoding.steps.Steps` of a `GatedDecoder`.

    Args:
        embedding: the words that the decoder reads.
        condition: (R, C), ``user`` (R, U) or None, one response for each row.
    """

    def __init__(self, decoder: GatedDecoder, embedding: nn.Embedding, condition: Tensor, user: Tensor | None) -> None:
        self._decoder, self._embedding, self._user = decoder, embedding, user
        self._state = decoder.initial_state(condition)[0]

    @property
    def rows(self) -> int:
        return len(self._state)

    @property
    def device(self) -> torch.device:
        return self._state.device

    def next(self, words: Tensor) -> Tensor:
        self._state = self._decoder.next_state(self._embedding(words), self._state, self._user)
        return self._decoder.output(self._state).float()

    def keep(self, rows: Tensor) -> None:
        self._state = self._state[rows]
        self._user = None if self._user is None else self._user[rows]
