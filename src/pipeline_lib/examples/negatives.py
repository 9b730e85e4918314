"""A negative for every example: the text most like its context, by its words, that is about something else.

Li et al. (2022) define negatives for one corpus only, whose pairs are labelled. The rule here: a text that somebody
labelled as different in meaning, if there is one; else, of the same split, the text whose TF-IDF vector has the largest
cosine with that of the context, which belongs to another cluster of paraphrases, and whose keyword has its stem neither
in context nor in response. A text that shares the keyword would be no contrast of keywords; the nearest of all texts is
often a paraphrase that nobody has labelled.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.audit import Pair
from pipeline_lib.schemas.contrasts import CONTRASTS
from pipeline_lib.text.keywords import stem_of
from pipeline_lib.text.turns import turns_apart

_COSINES_AT_ONCE = 1 << 24  # bounds memory: 64 MiB
_NEAREST = 64  # candidates of an example, before all texts are looked at
_DRAWS = 100  # until a text is of another cluster

LABELLED, MINED, DRAWN = "labelled", "mined", "drawn"

Labelled = Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class Examples:
    """Examples of one split, each side as tokens joined by spaces.

    Attributes:
        cluster: the cluster of paraphrases that each belongs to.
        keywords_in, keywords_out: the best keyword of each context and response.
    """

    example_id: NDArray[np.int64]
    cluster: Sequence[str]
    contexts: Sequence[str]
    responses: Sequence[str]
    keywords_in: Sequence[str]
    keywords_out: Sequence[str]


def choose_negatives(
    examples: Examples,
    labelled: Labelled,
    language: str | None,
    settings: Contrasts,
    refused: AbstractSet[Pair] = frozenset(),
) -> pa.Table:
    """Choose a negative for every example.

    Args:
        labelled: texts that somebody labelled as different in meaning, with their keywords, by example id.
        language: the language of stems, as the tokeniser gives it.
        refused: texts that are no negatives of a context (`audit.refused`).
    Returns:
        `CONTRASTS`, in the order of ``examples``.
    """
    texts = _Texts(examples, refused)
    # what one example draws does not depend on what another was refused
    first = np.random.default_rng(settings.seed).integers(len(texts.texts), size=len(examples.example_id))
    found: list[tuple[str, str, str]] = []  # negative, source and keyword
    nearest = texts.nearest(language) if settings.negatives == "nearest" else repeat(None)
    for row, number in zip(range(len(examples.example_id)), nearest, strict=False):
        text, keyword = labelled.get(int(examples.example_id[row]), (None, ""))
        if text is not None and not texts.is_refused(row, text):
            found.append((text, LABELLED, keyword))
            continue
        source = DRAWN if number is None else MINED
        chosen = texts.drawn(row, int(first[row]), settings.seed) if number is None else number
        found.append((texts.texts[chosen], source, texts.keywords[chosen]))
    negatives, sources, keywords = zip(*found, strict=True)
    columns = {
        "example_id": examples.example_id,
        "negative": negatives,
        "source": sources,
        "similarity": texts.similarities(examples.contexts, negatives),
        "keyword_in": examples.keywords_in,
        "keyword_out": examples.keywords_out,
        "keyword_negative": keywords,
    }
    return pa.table(columns, schema=CONTRASTS)


class _Texts:
    """The different texts of a split, as candidates."""

    def __init__(self, examples: Examples, refused: AbstractSet[Pair]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._examples, self._refused = examples, refused
        clusters: dict[str, set[str]] = {}
        keywords: dict[str, str] = {}
        sides = (
            (examples.contexts, examples.keywords_in),
            (examples.responses, examples.keywords_out),
        )
        for side, of_side in sides:
            for text, keyword, cluster in zip(side, of_side, examples.cluster, strict=True):
                clusters.setdefault(text, set()).add(cluster)
                keywords.setdefault(text, keyword)
        self.texts, self.keywords = list(clusters), list(keywords.values())
        self._clusters = [clusters[text] for text in self.texts]
        self._vectoriser = TfidfVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, dtype=np.float32)
        self._vectors = self._vectoriser.fit_transform(self.texts)

    def similarities(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
        """Return the cosine of each pair of texts, (n,) float32."""
        vectors = self._vectoriser.transform(left).multiply(self._vectoriser.transform(right))
        return np.asarray(vectors.sum(1), np.float32).ravel()

    def nearest(self, language: str | None) -> Iterator[int | None]:
        """Yield for each example the number of the text most like its context that fulfils the rule; None: none does.

        Of equals, the first.
        """
        examples, transposed = self._examples, self._vectors.T.tocsr()
        at_once = max(1, _COSINES_AT_ONCE // len(self.texts))
        for start in range(0, len(examples.contexts), at_once):
            block = self._vectoriser.transform(examples.contexts[start : start + at_once])
            for row, cosines in enumerate((block @ transposed).toarray(), start):
                sides = (examples.contexts[row], examples.responses[row])
                stems = {stem_of(word, language) for side in sides for word in side.split()}
                yield self._best(row, cosines, stems, language)

    def _best(self, row: int, cosines: NDArray[np.float32], stems: set[str], language: str | None) -> int | None:
        first = np.argpartition(-cosines, min(_NEAREST, len(cosines) - 1))[:_NEAREST]
        for candidates in (first, np.arange(len(cosines))):
            least = cosines[candidates].min()
            for number in candidates[np.lexsort((candidates, -cosines[candidates]))]:
                if cosines[number] == least and candidates is first:
                    break  # others, not among the candidates, are as near
                if self._admissible(row, number, stems, language):
                    return int(number)
        return None

    def is_refused(self, row: int, text: str) -> bool:
        """Tell whether somebody found that a text means what the context of an example means."""
        return bool(self._refused) and (turns_apart(self._examples.contexts[row]), text) in self._refused

    def _admissible(self, row: int, number: int, stems: set[str], language: str | None) -> bool:
        return self._is_other(row, number) and stem_of(self.keywords[number], language) not in stems

    def _is_other(self, row: int, number: int) -> bool:
        is_own = self._examples.cluster[row] in self._clusters[number]
        return not is_own and not self.is_refused(row, self.texts[number])

    def drawn(self, row: int, first: int, seed: int) -> int:
        """Take the ``first`` text if it is of another cluster; if not, draw one.

        Raises:
            PipelineError: every text is of the example's own.
        """
        if self._is_other(row, first):
            return first
        generator = np.random.default_rng((seed, int(self._examples.example_id[row])))
        for _ in range(_DRAWS):
            number = int(generator.integers(len(self.texts)))
            if self._is_other(row, number):
                return number
        others = [number for number in range(len(self.texts)) if self._is_other(row, number)]
        if not others:
            own = self._examples.cluster[row]
            raise PipelineError(
                f"all {len(self.texts)} texts of a split are of cluster {own!r}, if not of others too, or refused",
                where="negatives of a split",
                expected="texts of another cluster, one of which becomes the negative of an example",
                remedy="check the column that names the cluster (`columns:` of the source), or take more examples",
            )
        return others[int(generator.integers(len(others)))]
