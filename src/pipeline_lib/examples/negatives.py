"""A negative for every example: the text most like its context, by its words, that is about something else.

Li et al. (2022) define negatives for one corpus only, whose pairs are labelled. The rule here: a text that somebody
labelled as different in meaning, if there is one; else, of the same split, the text whose TF-IDF vector has the largest
cosine with that of the context, which belongs to another cluster of paraphrases, and whose keyword has its stem neither
in context nor in response. A text that shares the keyword would be no contrast of keywords; the nearest of all texts is
often a paraphrase that nobody has labelled.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.schemas.contrasts import CONTRASTS
from pipeline_lib.text.keywords import stem_of

_ROWS_AT_ONCE = 256  # bounds memory: cosines with all texts
_NEAREST = 64  # candidates of an example, before all texts are looked at

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


def choose_negatives(examples: Examples, labelled: Labelled, language: str | None, settings: Contrasts) -> pa.Table:
    """Choose a negative for every example.

    Args:
        labelled: texts that somebody labelled as different in meaning, with their keywords, by example id.
        language: the language of stems, as the tokeniser gives it.
    Returns:
        `CONTRASTS`, in the order of ``examples``.
    """
    texts = _Texts(examples)
    generator = np.random.default_rng(settings.seed)
    found: dict[str, list[object]] = {name: [] for name in ("negative", "source", "similarity", "keyword_negative")}
    for row, cosines in enumerate(texts.cosines(examples.contexts)):
        key = int(examples.example_id[row])
        if key in labelled:
            text, keyword = labelled[key]
            chosen, source, similarity = (text, keyword), LABELLED, texts.cosine(examples.contexts[row], text)
        else:
            number, source = None, MINED
            if settings.negatives == "nearest":
                number = texts.nearest(row, cosines, language)
            if number is None:
                number, source = int(generator.choice(texts.of_other_clusters(row))), DRAWN
            chosen, similarity = (texts.texts[number], texts.keywords[number]), float(cosines[number])
        for name, value in zip(found, (chosen[0], source, similarity, chosen[1]), strict=True):
            found[name].append(value)
    columns = found | {
        "example_id": examples.example_id,
        "keyword_in": examples.keywords_in,
        "keyword_out": examples.keywords_out,
    }
    return pa.table({name: columns[name] for name in CONTRASTS.names}, schema=CONTRASTS)


class _Texts:
    """The different texts of a split, as candidates."""

    def __init__(self, examples: Examples) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._examples = examples
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

    def cosines(self, contexts: Sequence[str]) -> Iterator[NDArray[np.float32]]:
        """Yield the cosines of each context with all texts, (T,) float32."""
        transposed = self._vectors.T.tocsr()
        for start in range(0, len(contexts), _ROWS_AT_ONCE):
            block = self._vectoriser.transform(contexts[start : start + _ROWS_AT_ONCE])
            yield from (block @ transposed).toarray()

    def cosine(self, left: str, right: str) -> float:
        """Return the cosine of two texts."""
        vectors = self._vectoriser.transform([left, right])
        return float((vectors[0] @ vectors[1].T).toarray()[0, 0])

    def nearest(self, row: int, cosines: NDArray[np.float32], language: str | None) -> int | None:
        """Return the number of the most similar text that fulfils the rule; None if none does; ties: the first."""
        examples = self._examples
        stems = {
            stem_of(word, language) for side in (examples.contexts, examples.responses) for word in side[row].split()
        }
        first = np.argpartition(-cosines, min(_NEAREST, len(cosines) - 1))[:_NEAREST]
        for candidates in (first, np.arange(len(cosines))):
            least = cosines[candidates].min()
            for number in candidates[np.lexsort((candidates, -cosines[candidates]))]:
                if cosines[number] == least and candidates is first:
                    break  # others, not among the candidates, are as near
                if self._admissible(row, number, stems, language):
                    return int(number)
        return None

    def _admissible(self, row: int, number: int, stems: set[str], language: str | None) -> bool:
        own = self._examples.cluster[row]
        return own not in self._clusters[number] and stem_of(self.keywords[number], language) not in stems

    def of_other_clusters(self, row: int) -> NDArray[np.int64]:
        """List the texts that are not of the example's cluster, or all where there are no others."""
        others = [number for number, own in enumerate(self._clusters) if self._examples.cluster[row] not in own]
        return np.array(others or range(len(self.texts)))
