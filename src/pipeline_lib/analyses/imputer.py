"""Imputation by systems of sentences: the unknown words of a sentence, given the others and the length (section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.compute.device import seeded
from pipeline_lib.decoding.beam import FREE, Beam
from pipeline_lib.decoding.imputation import complete
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.batch import Batch, Response
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.sentence_vae import RNNLM, CodedSentences
from pipeline_lib.models.system import System
from pipeline_lib.text.units import Units

_BATCH = 64  # sentences of one length that are searched together


@dataclass(frozen=True)
class Search:
    """How far the systems search.

    Attributes:
        beam: hypotheses of a language model.
        beam_of_codes: hypotheses of a system with a code z, in each round.
        rounds: how often z becomes the code of the sentence as it is filled so far, with ``<unk>`` at first.
    """

    beam: int = 15
    beam_of_codes: int = 5
    rounds: int = 3


class Imputer:
    """Fills the unknown positions of sentences with the words that a trained system finds likeliest.

    ``<unk>``, padding, start and end are never found. Nothing is drawn.

    Args:
        model: it is put into evaluation mode.
        units: what it reads and writes.
    Raises:
        PipelineError: the system is none of sentences.
    """

    def __init__(self, model: System, units: Units, search: Search) -> None:
        if not isinstance(model, RNNLM | CodedSentences):
            raise PipelineError(
                f"{type(model).__name__} does not model single sentences, so it cannot impute",
                where="systems: of the table, or the model of the command, that asks for imputed words",
                expected="a system of models/sentence_vae.py",
                remedy="remove the system from the list",
            )
        self._model, self._units, self._search = model.eval(), units, search

    def endings(self, texts: Sequence[str], unknown: Sequence[int]) -> list[str]:
        """Impute the last words of N texts of tokens joined by one space.

        Args:
            unknown: (N) how many of the last units of each text are unknown.
        Returns:
            The imputed endings, of as many units.
        Raises:
            PipelineError: a text is empty, or more of it is unknown than it has.
        """
        data = ExampleDataset.of_sentences(texts, self._units)
        lengths, counts = data.response.lengths_of(np.arange(len(texts))), np.array(unknown, np.int64)
        _check(texts, lengths.tolist(), list(unknown))
        found = [""] * len(texts)
        for length in np.unique(lengths):
            of_length = np.flatnonzero(lengths == length)
            for rows in np.split(of_length, range(_BATCH, len(of_length), _BATCH)):
                known = data.batch(rows).response.words.ids
                hidden = torch.arange(int(length)) >= int(length) - torch.from_numpy(counts[rows]).unsqueeze(1)
                whole = self.fill(known.masked_fill(hidden, FREE)).tolist()
                for row, words in zip(rows.tolist(), whole, strict=True):
                    found[row] = self._units.decode(words[int(length) - counts[row] :])
        return found

    def sentence(self, words: Sequence[str | None]) -> str:
        """Fill one sentence of words, where None is an unknown one; other words that the system lacks are ``<unk>``.

        Raises:
            PipelineError: there is no word.
        """
        _check([" ".join(word or "_" for word in words)], [len(words)], [0])
        parts = [
            [FREE] if word is None else ExampleDataset.of_sentences([word], self._units).response.ids.tolist()
            for word in words
        ]
        whole = self.fill(torch.tensor([[unit for part in parts for unit in part]]))
        return self._units.decode(whole[0].tolist())

    def fill(self, known: Tensor) -> Tensor:
        """Return whole sentences, (B, T) int64.

        Args:
            known: (B, T) words in reading order, without start and end, or `FREE` where one is unknown.
        """
        with torch.no_grad():
            known = known.to(self._model.device)
            whole = self._searched(self._model, known) if isinstance(self._model, RNNLM) else self._in_rounds(known)
        return whole.cpu()

    def _searched(self, model: RNNLM, known: Tensor) -> Tensor:
        noise = seeded(model.device, 0)  # in evaluation nothing is drawn

        def log_p(words: Tensor, of_context: Tensor) -> Tensor:
            return -model.nll(self._response(model.decoder.turned(words)), noise)

        found = complete(
            self._beam(self._search.beam), model.steps(len(known)), model.decoder.turned(known), self._barred, log_p
        )
        return model.decoder.turned(found)

    def _in_rounds(self, known: Tensor) -> Tensor:
        model = self._model
        assert isinstance(model, CodedSentences)
        noise, beam, free = seeded(model.device, 0), self._beam(self._search.beam_of_codes), known == FREE
        whole = known.masked_fill(free, self._units.ids.unknown)
        for _ in range(self._search.rounds):
            z = model.code(Batch(self._response(whole)))

            def log_p(words: Tensor, of_context: Tensor, z: Tensor = z) -> Tensor:
                return -model.nll(self._response(model.decoder.turned(words)), z[of_context], noise)

            whole = model.decoder.turned(
                complete(beam, model.steps(z), model.decoder.turned(known), self._barred, log_p)
            )
        return whole

    @property
    def _barred(self) -> Tensor:
        ids = self._units.ids
        barred = torch.zeros(len(self._units), dtype=torch.bool, device=self._model.device)
        barred[[ids.unknown, ids.pad, ids.start, ids.end]] = True
        return barred

    def _beam(self, size: int) -> Beam:
        return Beam(self._units.ids, size, max_length=0, length_penalty=0)  # of prefixes, whose length is given

    def _response(self, words: Tensor) -> Response:
        """Return sentences of (R, T) words, none of them padding, as a decoder reads and predicts them."""
        ids, one = self._units.ids, words.new_ones(len(words), 1)
        inputs, targets = torch.cat([ids.start * one, words], 1), torch.cat([words, ids.end * one], 1)
        return Response(inputs, targets, words.new_full((len(words),), targets.shape[1]))


def _check(texts: Sequence[str], lengths: Sequence[int], unknown: Sequence[int]) -> None:
    for number, (text, length, count) in enumerate(zip(texts, lengths, unknown, strict=True), start=1):
        if not 0 <= count <= length or not length:
            raise PipelineError(
                f"{count} unknown words at the end of {length}" if length else "a sentence without words",
                where=f"sentence {number}: {text!r}",
                expected="at least one word, and at most as many unknown ones as there are",
                remedy="leave the sentence out, or hide fewer of its words",
            )
