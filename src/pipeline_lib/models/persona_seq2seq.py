"""Seq2Seq with attention (Bahdanau et al. 2015), without and with something of the user beside each word.

Persona reads a vector of the user (Li et al. 2016), Adaptation the words that the user is known by.

B examples, T steps, S words of the context, E embedding size, H hidden units, X values beside each word.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.settings import Fraction, Positive, Settings
from pipeline_lib.decoding.steps import Decode
from pipeline_lib.examples.batch import Batch, Tokens
from pipeline_lib.models.dialogue import DialogueSystem, UserTable, token_mean
from pipeline_lib.models.layers.gru import GRU, packed
from pipeline_lib.models.layers.recurrent import Decoder, valid_positions
from pipeline_lib.models.system import Generated, Likelihood, Objective, Phase, given
from pipeline_lib.text.units import Units


class Attended:
    """The words of contexts as a decoder attends to them: ``states`` (B, S, 2H), ``keys`` (B, S, H), ``inside``."""

    def __init__(self, states: Tensor, keys: Tensor, inside: Tensor) -> None:
        self.states, self.keys, self.inside = states, keys, inside

    def __getitem__(self, rows: Tensor) -> "Attended":
        return Attended(self.states[rows], self.keys[rows], self.inside[rows])


class AttentiveDecoder(Decoder):
    """A GRU that reads [word; attended context; X further values], and predicts from its state and what it attended."""

    def __init__(self, embedding: int, hidden: int, beside: int, vocabulary_size: int) -> None:
        super().__init__(embedding + 2 * hidden + beside, hidden, 1, vocabulary_size, 2 * hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(2 * hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.output = nn.Linear(3 * hidden, vocabulary_size)

    def attended(self, states: Tensor, lengths: Tensor) -> Attended:
        """Prepare the encoded words (B, S, 2H) of contexts of ``lengths`` (B,)."""
        return Attended(states, self.key(states), valid_positions(lengths, states.shape[1]))

    def step(self, word: Tensor, state: Tensor, beside: Tensor | None, context: Attended) -> tuple[Tensor, Tensor]:
        """Read one word (B, E) after the state (B, H); return the state and what the next word is told from (B, 3H)."""
        scores = self.score(torch.tanh(context.keys + self.query(state).unsqueeze(1))).squeeze(-1)
        weights = scores.masked_fill(~context.inside, -torch.inf).softmax(-1)
        read = torch.einsum("bs,bsh->bh", weights, context.states)
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


class AttentiveSeq2Seq(DialogueSystem):
    """A bidirectional GRU over all words of the context, marks of turns included, and a decoder that attends to it."""

    def __init__(self, units: Units, network: Dialogue, options: Settings) -> None:
        super().__init__(units, network, options)
        self.encoder = GRU(self.embedding_size, network.hidden, bidirectional=True)
        self.decoder = AttentiveDecoder(
            self.embedding_size, network.hidden, self._size_beside(network), self.vocabulary_size
        )

    def _size_beside(self, network: Dialogue) -> int:
        return 0

    def _beside(self, batch: Batch, noise: torch.Generator) -> Tensor | None:
        """Return what the decoder reads beside every word, (B, X), or None."""
        return None

    def _encode(self, context: Tokens, noise: torch.Generator) -> tuple[Tensor, Attended]:
        """Return the decoder's first state (B, H), and the words to attend to."""
        outputs, last = self.encoder(packed(self.embedded(context, noise), context.lengths))
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=context.ids.shape[1])
        first = self.decoder.initial_state(torch.cat(list(last), -1))[0]
        return first, self.decoder.attended(states, context.lengths)

    def _nll(self, batch: Batch, noise: torch.Generator) -> Tensor:
        first, context = self._encode(given(batch.context), noise)
        words = self.dropped(self.words(batch.response.inputs), noise)
        told = self.decoder.states(words, first, self._beside(batch, noise), context)
        return self.decoder.negative_log_likelihood(told, batch.response.targets, batch.response.lengths)

    def objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        nll = self._nll(batch, generator)
        return Objective(token_mean(nll, batch.response), {"nll": nll.detach()})

    def likelihood(self, batch: Batch, generator: torch.Generator) -> Likelihood:
        nll = self._nll(batch, generator)
        return Likelihood(nll, torch.zeros_like(nll), nll, nll_prior=nll)

    def importance_nll(self, batch: Batch, generator: torch.Generator, samples: int) -> Tensor:
        return self._nll(batch, generator)  # exact: nothing is integrated out

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        first, context = self._encode(given(batch.context), generator)
        beside = self._beside(batch, generator)
        return Generated(decode(AttentiveSteps(self.decoder, self.words, first, beside, context)))


class PersonaSeq2Seq(AttentiveSeq2Seq):
    """The speaker model: the responder's vector, partly dropped, is read beside every word."""

    class Options(Settings):
        users: Positive | None = Field(default=None, description="known users at most; set by `users.count`")
        user_dropout: Fraction = Field(
            default=0.05, description="share of training examples whose user is taken for unknown"
        )

    def __init__(self, units: Units, network: Dialogue, options: Options) -> None:
        super().__init__(units, network, options)
        self.users = UserTable(given(options.users), network.user, options.user_dropout)

    def _size_beside(self, network: Dialogue) -> int:
        return network.user

    def _beside(self, batch: Batch, noise: torch.Generator) -> Tensor:
        return self.dropped(self.users(batch, noise).unsqueeze(1), noise).squeeze(1)


class AdaptedSeq2Seq(AttentiveSeq2Seq):
    """Adaptation (Zhang et al. 2017, as Chan et al. 2019 train it): first without users, then with their words.

    In the second phase the mean vector of the 20 words that a user is known by is read beside every word; of an unknown
    user it is zero, as in the first phase.
    """

    class Options(Settings):
        general: Positive = Field(default=500, description="rounds of the first phase, which knows no users")

    def __init__(self, units: Units, network: Dialogue, options: Options) -> None:
        super().__init__(units, network, options)
        self.general = options.general

    def phases(self) -> Sequence[Phase]:
        parameters = list(self.parameters())
        return [
            Phase("general", parameters, self.general_objective, until=self.general),
            Phase("adapted", [], self.objective, since=self.general, shared=parameters),
        ]

    def general_objective(self, batch: Batch, weight: float, generator: torch.Generator) -> Objective:
        """Compute the objective of users who are all unknown."""
        profile = given(batch.profile)
        return self.objective(replace(batch, profile=torch.full_like(profile, self.ids.pad)), weight, generator)

    def _size_beside(self, network: Dialogue) -> int:
        return self.embedding_size

    def _beside(self, batch: Batch, noise: torch.Generator) -> Tensor:
        profile = given(batch.profile)
        known = (profile != self.ids.pad).unsqueeze(-1).to(self.words.weight)
        return (self.words(profile) * known).sum(1) / known.sum(1).clamp(min=1)
