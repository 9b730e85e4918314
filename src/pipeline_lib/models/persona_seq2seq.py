"""Seq2Seq with attention (Bahdanau et al. 2015), without and with something of the user beside each word.

Persona reads a vector of the user (Li et al. 2016), Adaptation the words that the user is known by.

B examples, H hidden units, X values beside each word.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils.rnn import pad_packed_sequence

from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.config.users import ReadsUsers
from pipeline_lib.examples.batch import Batch, Response, Tokens
from pipeline_lib.models.dialogue import DialogueSystem, UserTable
from pipeline_lib.models.exact import TokenwiseSystem
from pipeline_lib.models.layers.attentive import Attended, AttentiveDecoder, AttentiveSteps
from pipeline_lib.models.layers.gru import packed
from pipeline_lib.models.layers.recurrent import response_nll
from pipeline_lib.models.layers.scan import ScannedGRU
from pipeline_lib.models.system import Objective, Phase, given, needed
from pipeline_lib.text.units import Units


class Beginning(NamedTuple):
    """What responses begin with: ``state`` (B, H), what is read ``beside`` every word, (B, X) or None, and contexts."""

    state: Tensor
    beside: Tensor | None
    context: Attended

    def repeated(self, times: int) -> Self:
        """Repeat all rows so many times, one block after the other."""
        rows = torch.arange(len(self.state), device=self.state.device).repeat(times)
        beside = None if self.beside is None else self.beside[rows]
        return type(self)(self.state[rows], beside, self.context[rows])


class AttentiveSeq2Seq(DialogueSystem, TokenwiseSystem):
    """A bidirectional GRU over all words of the context, marks of turns included, and a decoder that attends to it."""

    def __init__(self, units: Units, network: Dialogue, options: Settings) -> None:
        super().__init__(units, network, options)
        self.encoder = ScannedGRU(self.embedding_size, network.hidden, bidirectional=True)
        self.decoder = AttentiveDecoder(
            self.embedding_size, network.hidden, self._size_beside(network), self.vocabulary_size
        )

    def _size_beside(self, network: Dialogue) -> int:
        return 0

    def _beside(self, batch: Batch, generator: torch.Generator) -> Tensor | None:
        """Return what the decoder reads beside every word, (B, X), or None."""
        return None

    def _encode(self, context: Tokens, generator: torch.Generator) -> tuple[Tensor, Attended]:
        """Return the decoder's first state (B, H), and the words to attend to."""
        outputs, last = self.encoder(packed(self.embedded(context, generator), context.lengths))
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=context.ids.shape[1])
        first = self.decoder.initial(torch.cat(list(last), -1))
        return first, self.decoder.attended(states, context.lengths)

    def _begin(self, batch: Batch, generator: torch.Generator) -> "Beginning":
        first, context = self._encode(needed(batch.context, "context"), generator)
        return Beginning(first, self._beside(batch, generator), context)

    def _nll_after(self, beginning: "Beginning", response: Response, generator: torch.Generator) -> Tensor:
        """Return -log p(response | context), nats, (B,)."""
        told = self.decoder.states(self.dropped(self.words(response.inputs), generator), *beginning)
        return response_nll(told, self.decoder.output, response.targets, response.lengths)

    def _nll(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._nll_after(self._begin(batch, generator), batch.response, generator)

    def steps(self, batch: Batch, generators: Sequence[torch.Generator]) -> AttentiveSteps:
        beginning = self._begin(batch, generators[0]).repeated(len(generators))
        return AttentiveSteps(self.decoder, self.words, *beginning)


class PersonaSeq2Seq(AttentiveSeq2Seq):
    """The speaker model: the responder's vector, partly dropped, is read beside every word."""

    class Options(ReadsUsers):
        """Those of the users' vectors."""

    def __init__(self, units: Units, network: Dialogue, options: Options) -> None:
        super().__init__(units, network, options)
        self.users = UserTable(given(options.users), network.user, options.user_dropout)

    def _size_beside(self, network: Dialogue) -> int:
        return network.user

    def _beside(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.dropped(self.users(batch, generator).unsqueeze(1), generator).squeeze(1)


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
        profile = needed(batch.profile, "profile")
        return self.objective(replace(batch, profile=torch.full_like(profile, self.ids.pad)), weight, generator)

    def _size_beside(self, network: Dialogue) -> int:
        return self.embedding_size

    def _beside(self, batch: Batch, generator: torch.Generator) -> Tensor:
        profile = needed(batch.profile, "profile")
        known = (profile != self.ids.pad).unsqueeze(-1).to(self.words.weight)
        return (self.words(profile) * known).sum(1) / known.sum(1).clamp(min=1)
