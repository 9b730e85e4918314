"""The latent space of a system of sentences: the way into it and out of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline_lib.decoding.greedy import Greedy
from pipeline_lib.decoding.steps import log_probability, word_lengths
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.sentence_vae import CodedSentences, SentenceVAE
from pipeline_lib.models.system import System
from pipeline_lib.text.units import Units

_BATCH = 128  # rows encoded or decoded together

Points = NDArray[np.float64]  # (N, Z)


class Decoded(NamedTuple):
    """A text that was decoded greedily, and log p(text | z) in nats, the end token counted."""

    text: str
    log_p: float


class LatentSpace:
    """Encodes sentences into the latent space of a trained system, and decodes points of it.

    Args:
        model: the system; it is put into evaluation mode.
        units: what it reads and writes.
        longest: most units of a decoded text.
    Raises:
        PipelineError: the system has no latent space of sentences.
    """

    def __init__(self, model: System, units: Units, longest: int) -> None:
        if not isinstance(model, CodedSentences):
            raise PipelineError(
                f"{type(model).__name__} has no latent space that sentences are encoded into",
                where="systems: of the table, figure or command that asks for decoded points",
                expected="a sentence VAE or an autoencoder (models/sentence_vae.py)",
                remedy="remove the system from the list",
            )
        self._model = model.eval()
        self._units = units
        self._greedy = Greedy(units.ids, longest)

    @property
    def dimensions(self) -> int:
        """Z, the size of the latent space."""
        return self._model.latent

    @property
    def keep(self) -> float:
        """Share of the words that the decoder was shown in training."""
        return self._model.decoder.keep

    def prior(self, count: int, rng: np.random.Generator) -> Points:
        """Draw points from N(0, I): (N, Z).

        Raises:
            PipelineError: the system has no prior.
        """
        if not isinstance(self._model, SentenceVAE):
            raise PipelineError(
                f"{type(self._model).__name__} has no prior to draw from",
                where="systems: of the table, figure or command that asks for draws from the prior",
                expected="a sentence VAE",
                remedy="remove the system from the list, or take points between sentences",
            )
        return rng.standard_normal((count, self.dimensions))

    def posteriors(self, texts: Sequence[str]) -> tuple[Points, Points]:
        """Encode N texts of tokens joined by one space: means and standard deviations, (N, Z) each.

        An autoencoder has one code for a sentence: its deviations are 0.
        """
        data = ExampleDataset.of_sentences(texts, self._units)
        means, deviations = np.empty((2, len(texts), self.dimensions))
        with torch.no_grad():
            for rows in data.by_length(_BATCH):
                batch = data.batch(rows).to(self._model.device)
                if isinstance(self._model, SentenceVAE):
                    posterior = self._model.encode(batch)
                    deviation = (posterior.log_variance / 2).exp()
                    means[rows], deviations[rows] = _numbers(posterior.mean), _numbers(deviation)
                else:
                    means[rows], deviations[rows] = _numbers(self._model.code(batch)), 0
        return means, deviations

    def decode(self, points: Points) -> list[Decoded]:
        """Decode (N, Z) points greedily."""
        found: list[Decoded] = []
        with torch.no_grad():
            for start in range(0, len(points), _BATCH):
                found += self._decode(torch.from_numpy(points[start : start + _BATCH]))
        return found

    def _decode(self, points: Tensor) -> list[Decoded]:
        z = points.to(self._model.initial.weight)
        tokens = self._greedy(self._model.steps(z))
        nats = log_probability(self._model.steps(z), tokens, self._units.ids)
        lengths = word_lengths(tokens, self._units.ids).tolist()
        words = self._model.decoder.turned(tokens).tolist()
        texts = [self._units.decode(row[:length]) for row, length in zip(words, lengths, strict=True)]
        return [Decoded(text, log_p) for text, log_p in zip(texts, nats.tolist(), strict=True)]


def _numbers(values: Tensor) -> Points:
    found: Points = values.double().cpu().numpy()
    return found
