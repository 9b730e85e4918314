"""Classifiers that learn to tell two sorts of sentences apart: bag of unigrams, and LSTM (Bowman et al. 2016, 4.1)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.layers.lstm import LSTM
from pipeline_lib.text.units import Units

Labels = NDArray[np.int64]  # (N,), 0 or 1

_EMBEDDING, _HIDDEN, _BATCH, _LEARNING_RATE = 64, 64, 32, 2e-3
_EPOCHS, _PATIENCE = 30, 3  # of the LSTM; the epoch with the least validation loss counts


class Labelled(NamedTuple):
    """Sentences of two sorts, of tokens joined by one space, and the sort of each."""

    texts: Sequence[str]
    labels: Labels


class Parts(NamedTuple):
    """Disjoint sentences to learn from, to choose by and to test on."""

    train: Labelled
    validation: Labelled
    test: Labelled


Discriminator = Callable[[Parts, Units, int], Labels]
"""Parts, units of the sentences and a seed -> the sort (N,) that it takes each sentence of the test part for."""


def unigram(parts: Parts, units: Units, seed: int) -> Labels:
    """Classify by counts of units, with logistic regression (L2, C = 1); the validation part and seed are not used."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000).fit(_counts(parts.train.texts, units), parts.train.labels)
    predicted: Labels = model.predict(_counts(parts.test.texts, units))
    return predicted


def lstm(parts: Parts, units: Units, seed: int) -> Labels:
    """Classify by the last state of an LSTM that has read the sentence and its end token."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _Reader(len(units))
        _train(model, parts, units, np.random.default_rng(seed))
    return (_scores(model, parts.test, units) > 0).numpy().astype(np.int64)


class _Reader(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, _EMBEDDING)
        self.lstm = LSTM(_EMBEDDING, _HIDDEN)
        self.output = nn.Linear(_HIDDEN, 1)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-odds (B,) that sentences are of sort 1."""
        read: Tensor = self.output(self.lstm.last_hidden(self.embedding(words), lengths))
        return read.squeeze(1)


def _train(model: _Reader, parts: Parts, units: Units, rng: np.random.Generator) -> None:
    data, labels = ExampleDataset.of_sentences(parts.train.texts, units), torch.from_numpy(parts.train.labels)
    optimiser = torch.optim.Adam(model.parameters(), _LEARNING_RATE)
    least, best, waited = float("inf"), model.state_dict(), 0
    for _ in range(_EPOCHS):
        for rows in _batches(data, rng):
            response = data.batch(rows).response
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(response.targets, response.lengths), labels[rows].float()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        validation = nn.functional.binary_cross_entropy_with_logits(
            _scores(model, parts.validation, units), torch.from_numpy(parts.validation.labels).float()
        ).item()
        waited += 1
        if validation < least:
            least, waited = validation, 0
            best = {name: value.clone() for name, value in model.state_dict().items()}
        if waited == _PATIENCE:
            break
    model.load_state_dict(best)


def _batches(data: ExampleDataset, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Draw batches of sentences of similar lengths, in any order."""
    order = data.sorted_by_length(rng.permutation(len(data)))
    batches = np.split(order, range(_BATCH, len(order), _BATCH))
    return [batches[number] for number in rng.permutation(len(batches))]


def _scores(model: _Reader, part: Labelled, units: Units) -> Tensor:
    data = ExampleDataset.of_sentences(part.texts, units)
    scores = torch.empty(len(data))
    with torch.no_grad():
        for rows in data.by_length(256):
            response = data.batch(rows).response
            scores[rows] = model(response.targets, response.lengths)
    return scores


def _counts(texts: Sequence[str], units: Units) -> Any:
    """Count the units of N texts: (N, V), sparse."""
    from scipy.sparse import csr_matrix

    encoded = ExampleDataset.of_sentences(texts, units).response
    ids = np.array(encoded.ids)  # a copy: scipy sorts in place, and ids may be read-only
    counts = csr_matrix((np.ones(len(ids)), ids, encoded.offsets), shape=(len(texts), len(units)))
    counts.sum_duplicates()
    return counts
