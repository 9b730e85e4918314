"""The base of metrics that compare a response with what its user said in training, and the word counts of both."""

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.metrics.base import MeanOfSome
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.spoken import Spoken
from pipeline_lib.schemas.users import UNKNOWN_USER

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class UserMetric(MeanOfSome):
    """A mean over the examples of known users; undefined where nobody is known.

    A user whose training responses were all filtered out is as unknown as one who never spoke.
    """

    better = "higher"

    def parts(self, items: Items) -> NDArray[np.float64] | None:
        """Give (n, 2) float64: the value of each example of a known user, averaged over its responses, and 1."""
        if items.user is None or items.spoken is None:
            return None
        known = np.isin(items.user, items.spoken.user)
        if not known.any():
            return None
        user = np.where(known, items.user, UNKNOWN_USER)
        values = np.where(known, self.values(Words(items, items.spoken), user), 0.0)
        return items.by_example(np.stack([values, known.astype(np.float64)], 1))

    @abstractmethod
    def values(self, words: "Words", user: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give (B,), one for each response; those of unknown users are left out."""


class Words:
    """Word counts of responses and of what users said in training, over the vocabulary of both."""

    def __init__(self, items: Items, spoken: Spoken) -> None:
        tokens = pc.split_pattern(spoken.texts, " ")
        said = pc.list_flatten(tokens)
        self.vocabulary = pc.unique(pa.concat_arrays([items.vocabulary, said]))
        ids = pc.index_in(items.vocabulary, value_set=self.vocabulary).to_numpy()
        self.responses = self._counts(ids[items.responses.ids], items.responses.offsets)
        self._said = pc.index_in(said, value_set=self.vocabulary).to_numpy()
        self._lengths = pc.list_value_length(tokens).to_numpy()
        self.spoken_by = spoken.user

    @cached_property
    def spoken(self) -> "csr_matrix":
        """Counts of (N) training utterances."""
        return self._counts(self._said, np.concatenate([[0], self._lengths.cumsum()]))

    def by_user(self, users: int = 0) -> "csr_matrix":
        """Return counts of so many users, at least all who spoke, (U, V)."""
        from scipy.sparse import csr_matrix

        n = len(self.spoken_by)
        users = max(users, int(self.spoken_by.max()) + 1)
        return csr_matrix((np.ones(n), (self.spoken_by, np.arange(n))), (users, n)) @ self.spoken

    def _counts(self, ids: NDArray[np.int64], offsets: NDArray[np.int64]) -> "csr_matrix":
        from scipy.sparse import csr_matrix

        counted = csr_matrix((np.ones(len(ids)), ids.copy(), offsets.copy()), (len(offsets) - 1, len(self.vocabulary)))
        counted.sum_duplicates()
        return counted
