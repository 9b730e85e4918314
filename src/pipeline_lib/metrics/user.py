"""How well responses show which user they are of, judged by what users said in training; for any corpus with speakers.

Examples of unknown users do not count. On the corpus `personas`, whose styles are known, `metrics.persona` is exact.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.metrics.base import Metric
from pipeline_lib.metrics.of_users import UserMetric, Words
from pipeline_lib.schemas.users import UNKNOWN_USER
from pipeline_lib.text.stopwords import stop_words

if TYPE_CHECKING:
    from pipeline_lib.vectors.space import VectorSpace


class Accuracy(UserMetric):
    """1 where a naive Bayes classifier of users finds the right one; ties are shared.

    The classifier has the word counts of training responses, add-one smoothing, and takes all users for equally likely.
    """

    name = "user-accuracy"
    signature = "user-accuracy|classifier:multinomial naive Bayes|smoothing:1|prior:uniform|ties:shared|v:1"
    meaning = "Share of responses that a naive Bayes classifier over training responses gives to the right user"
    caution = (
        "user-accuracy: responses that repeat what marks a user may be told more surely than the references; random "
        "and constant responses are for comparison"
    )

    def values(self, words: Words, user: NDArray[np.int64]) -> NDArray[np.float64]:
        users = np.unique(words.spoken_by)
        said = words.by_user()[users]
        # log (c + 1) / (N + V) of each word, with the counts of words that a user never said left out of the product:
        # the whole matrix of log-probabilities, 20,000 users by 31,000 words, would take 5 GB
        total = np.log(np.asarray(said.sum(1)).ravel() + said.shape[1])
        log_counts = said.log1p().T.tocsr()
        found = np.zeros(len(user))
        asked = np.flatnonzero(user != UNKNOWN_USER)
        for rows in np.array_split(asked, 1 + len(asked) // 512):  # the scores of 512 responses for all users
            responses = words.responses[rows]
            lengths = np.asarray(responses.sum(1))
            scores = (responses @ log_counts).toarray() - lengths * total
            best = np.isclose(scores, scores.max(1, keepdims=True), rtol=0, atol=1e-9)
            right = np.searchsorted(users, user[rows])
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

    def values(self, words: Words, user: NDArray[np.int64]) -> NDArray[np.float64]:
        content = ~pc.is_in(words.vocabulary, value_set=stop_words(self._language)).to_numpy(zero_copy_only=False)
        of_user = words.by_user(int(user.max()) + 1).multiply(content).tocsr().sign()
        of_response = words.responses.multiply(content).tocsr().sign()
        shared = np.asarray(of_response.multiply(of_user[user]).sum(1)).ravel()
        sizes = np.asarray(of_response.sum(1)).ravel() + np.asarray(of_user.sum(1)).ravel()[user]
        return np.divide(2 * shared, sizes, out=np.zeros(len(user)), where=sizes > 0)
