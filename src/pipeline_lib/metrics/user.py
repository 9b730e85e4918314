"""How well responses show which user they are of, judged by what users said in training; for any corpus with speakers.

Examples of unknown users do not count. On the corpus `personas`, whose styles are known, `metrics.persona` is exact.
"""

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.base import Metric, RatioMetric, Score
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.spoken import Spoken
from pipeline_lib.schemas.users import UNKNOWN_USER
from pipeline_lib.text.stopwords import stop_words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from pipeline_lib.vectors.space import VectorSpace


class UserMetric(RatioMetric):
    """A mean over the examples of known users; undefined where nobody is known."""

    better = "higher"
    of_users = True

    def parts(self, items: Items) -> NDArray[np.float64] | None:
        """Give (n, 2) float64: the value of each example of a known user, averaged over its responses, and 1."""
        if items.user is None or items.spoken is None or not (items.user != UNKNOWN_USER).any():
            return None
        known = items.user != UNKNOWN_USER
        values = np.where(known, self.values(_Words(items, items.spoken), items.user), 0.0)
        return items.by_example(np.stack([values, known.astype(np.float64)], 1))

    @abstractmethod
    def values(self, words: "_Words", user: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give (B,), one for each response; those of unknown users are left out."""

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(sums[..., 0], sums[..., 1], out=np.zeros_like(sums[..., 0]), where=sums[..., 1] > 0)

    def __call__(self, items: Items) -> Score:
        parts = self.parts(items)
        if parts is None:
            return Score(None, None, items.n_examples)
        return Score(float(self.value(parts.sum(0))), None, int(parts[:, 1].sum()))


class Accuracy(UserMetric):
    """1 where a naive Bayes classifier of users finds the right one; ties are shared.

    The classifier has the word counts of training responses, add-one smoothing, and takes all users for equally likely.
    """

    name = "user-accuracy"
    signature = "user-accuracy|classifier:multinomial naive Bayes|smoothing:1|prior:uniform|ties:shared|v:1"
    meaning = "Share of responses that a naive Bayes classifier over training responses gives to the right user"
    caution = "the row of the references is its ceiling, one over the number of known users its floor"

    def values(self, words: "_Words", user: NDArray[np.int64]) -> NDArray[np.float64]:
        from sklearn.naive_bayes import MultinomialNB

        classifier = MultinomialNB(alpha=1.0, fit_prior=False).fit(words.spoken, words.spoken_by)
        found = np.zeros(len(user))
        asked = np.flatnonzero(user != UNKNOWN_USER)
        for rows in np.array_split(asked, 1 + len(asked) // 2048):  # the scores of 2048 responses for all users
            scores = classifier.predict_joint_log_proba(words.responses[rows])
            best = np.isclose(scores, scores.max(1, keepdims=True), rtol=0, atol=1e-9)
            right = np.searchsorted(classifier.classes_, user[rows])
            found[rows] = best[np.arange(len(rows)), right] / best.sum(1)
        return found


class F1(UserMetric):
    """Harmonic mean of two shares: of a response's words that its user said in training, and of the latter's.

    Words are different ones that are no stop words.
    """

    name = "user-F1"
    fewer_digits = -1

    def __init__(self, language: str | None = "english") -> None:
        self._language = language
        self.signature = f"user-F1|words:different, no stop words ({language or 'none known'})|v:1"

    meaning = "F1 of the different content words of a response and of its user's training responses"

    @classmethod
    def make(cls, settings: Metrics, vectors: "VectorSpace | None", language: str | None) -> Metric:
        return cls(language)

    def values(self, words: "_Words", user: NDArray[np.int64]) -> NDArray[np.float64]:
        content = ~pc.is_in(words.vocabulary, value_set=stop_words(self._language)).to_numpy(zero_copy_only=False)
        of_user = words.by_user(int(user.max()) + 1).multiply(content).tocsr().sign()
        of_response = words.responses.multiply(content).tocsr().sign()
        shared = np.asarray(of_response.multiply(of_user[user]).sum(1)).ravel()
        sizes = np.asarray(of_response.sum(1)).ravel() + np.asarray(of_user.sum(1)).ravel()[user]
        return np.divide(2 * shared, sizes, out=np.zeros(len(user)), where=sizes > 0)


class _Words:
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

    def by_user(self, users: int) -> "csr_matrix":
        """Return counts of so many users, (U, V)."""
        from scipy.sparse import csr_matrix

        n = len(self.spoken_by)
        users = max(users, int(self.spoken_by.max()) + 1)
        return csr_matrix((np.ones(n), (self.spoken_by, np.arange(n))), (users, n)) @ self.spoken

    def _counts(self, ids: NDArray[np.int64], offsets: NDArray[np.int64]) -> "csr_matrix":
        from scipy.sparse import csr_matrix

        counted = csr_matrix((np.ones(len(ids)), ids.copy(), offsets.copy()), (len(offsets) - 1, len(self.vocabulary)))
        counted.sum_duplicates()
        return counted
