"""The base of systems that read several turns and a user: words that are trained, and users."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from pipeline_lib.compute.sharing import drawn
from pipeline_lib.config.networks import Dialogue, Sizes
from pipeline_lib.config.settings import Settings
from pipeline_lib.decoding.steps import Decode, Steps, Strategy
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Tokens
from pipeline_lib.models.layers.dropping import dropout
from pipeline_lib.models.layers.turns import by_turn
from pipeline_lib.models.system import Generated, System, needed
from pipeline_lib.text.ids import TURN
from pipeline_lib.text.units import Units


class DialogueSystem(System):
    """A system whose words start from the corpus's vectors, or are drawn, and are trained."""

    Network: ClassVar[type[Sizes]] = Dialogue

    def __init__(self, units: Units, network: Dialogue, options: Settings) -> None:
        super().__init__(units, network, options)
        if units.embeddings is None:
            raise PipelineError(
                f"{type(self).__name__} needs word vectors to begin with, and what it is given has none",
                where="units:, embeddings: of the corpus",
                expected="words with vectors",
                remedy="give the corpus vectors (`embeddings: {source: native}`) and the system words",
            )
        self.words = nn.Embedding.from_pretrained(torch.from_numpy(units.embeddings.astype(np.float32)), freeze=False)
        self.are_drawn = network.words == "drawn"
        if self.are_drawn:
            nn.init.normal_(self.words.weight)
        self.turn = int(units.encode(pa.array([TURN])).ids[0])
        self.rate = network.dropout

    @property
    def embedding_size(self) -> int:
        return self.words.embedding_dim

    def given_parameters(self) -> Iterable[Tensor]:
        return [] if self.are_drawn else [self.words.weight]

    def undrawn_parameters(self) -> Iterable[Tensor]:
        return [*super().undrawn_parameters(), self.words.weight]

    def dropped(self, values: Tensor, generator: torch.Generator | None) -> Tensor:
        """Drop components of (B, T, E) in training; without a generator, none."""
        return dropout(values, self.rate, generator) if self.training and generator else values

    def context_turns(self, batch: Batch, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return the embedded words of each turn (B, K, L, E), and the lengths (B, K)."""
        turns = by_turn(needed(batch.context, "context"), self.turn, self.ids.pad)
        size = turns.ids.shape[1]
        embedded = self.dropped(self.words(turns.ids.flatten(0, 1)), generator)
        return embedded.unflatten(0, (-1, size)), turns.lengths

    def embedded(self, tokens: Tokens, generator: torch.Generator | None) -> Tensor:
        """Embed (B, T) words as (B, T, E)."""
        return self.dropped(self.words(tokens.ids), generator)

    @abstractmethod
    def steps(self, batch: Batch, generators: Sequence[torch.Generator]) -> Steps:
        """Begin a response to each context with each of ``generators``: for each in turn, rows of all contexts."""

    def generate(self, batch: Batch, decode: Decode, selection: str, generator: torch.Generator) -> Generated:
        return Generated(decode(self.steps(batch, [generator])))

    def generate_samples(
        self, batch: Batch, strategy: Strategy, selection: str, generators: Sequence[torch.Generator]
    ) -> list[Generated]:
        tokens = strategy(generators)(self.steps(batch, generators))
        return [Generated(own) for own in tokens.chunk(len(generators))]


class UserTable(nn.Module):
    """A vector for each user; row 0 is that of all unknown ones, which some of the known learn too.

    Args:
        users: known users at most.
        size: components of a vector.
        share: share of training examples whose user is taken for unknown.
    """

    def __init__(self, users: int, size: int, share: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(users + 1, size)
        self.share = share
        nn.init.normal_(self.vectors.weight, std=size**-0.5)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return (B, U), the vectors of those who respond."""
        user = needed(batch.user, "user")
        if self.training and self.share:
            lost = drawn(lambda n: torch.rand((n,), generator=generator, device=user.device), len(user)) < self.share
            user = user.masked_fill(lost, 0)
        return self.vectors(user)
