"""Analysis `adversarial`: how well classifiers tell imputed sentences from true ones (Bowman et al. 2016, 4.1).

It continues an `imputation`.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.imputation import joined
from pipeline_lib.analyses.measures import Measure, mean_of, standard_error, table_of
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.settings import Settings
from pipeline_lib.corpora.grammar_endings import Endings
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.imputations import IMPUTATIONS
from pipeline_lib.schemas.measures import SYSTEM

if TYPE_CHECKING:
    from pipeline_lib.analyses.discriminators import Parts
    from pipeline_lib.models.system import System
    from pipeline_lib.text.units import Units

UNIGRAM, LSTM = "adversarial error unigram", "adversarial error LSTM"  # percentage points, 0 to 50
NLL = "RNNLM NLL"  # nats a sentence, under the judge
ORACLE = "oracle error"  # percentage points: of a classifier that knows the grammar, and the imputer
TRUE, RANDOM, BEST = "true", "random ending", "best imputer"  # rows beside the system's
_FEWEST = 10  # pairs, of which one is tested


class Options(Settings):
    """Nothing is to be chosen: four fifths of the pairs train the classifiers, a tenth each validates and tests."""


def needs(options: Options) -> Needs:
    return Needs("measures", continues="imputation", any_corpus=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `MEASURES` table of the sentences that the system imputed, and of two controls.

    The controls are the same sentences with their true endings (*true*), and with those of other sentences of the same
    length (*random ending*). Where the grammar of the sentences is known, there is also the error that no classifier
    exceeds, of the system and of the best imputer that there is.

    Raises:
        PipelineError: the analysis continues an imputation of too few sentences.
    """
    from pipeline_lib.analyses.verdicts import sentence_losses
    from pipeline_lib.text.units import read_units

    units, pairs = read_units(data.vocabulary), _imputations(data)
    beside, prefixes, endings = (pairs[name].to_pylist() for name in ("beside", "prefix", "ending"))
    completed = {
        SYSTEM: pairs["imputed"].to_pylist(),
        TRUE: endings,
        RANDOM: exchanged(endings, [len(text.split(" ")) for text in beside], seed),
    }
    rows: list[Measure] = []
    for name, found in completed.items():
        texts = [joined(*both) for both in zip(prefixes, found, strict=True)]
        rows += _learnt(name, beside, texts, units, seed)
        if data.judge is not None:
            losses = sentence_losses(data.judge.system, data.judge.units, texts)
            rows.append(mean_of(name, NLL, np.array(losses, np.float64)))
    if data.grammar is not None:
        rows += _exact(data.grammar, prefixes, completed[SYSTEM], [len(text.split(" ")) for text in beside])
    return table_of(rows)


def exchanged(endings: Sequence[str], lengths: Sequence[int], seed: int) -> list[str]:
    """Give each of N sentences the ending of another one of the same length (N words), as far as there is one.

    Every ending is given once, so that the words of all endings together are as frequent as before.
    """
    rng = np.random.default_rng(seed)
    of_length: dict[int, list[int]] = defaultdict(list)
    for row in rng.permutation(len(endings)).tolist():
        of_length[lengths[row]].append(row)
    found = list(endings)
    for rows in of_length.values():
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True):
            found[row] = endings[other]
    return found


def error_of(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return |accuracy - 1/2| in percentage points, and its binomial standard error."""
    accuracy = float((predicted == labels).mean())
    return 100 * abs(accuracy - 0.5), 100 * math.sqrt(accuracy * (1 - accuracy) / len(labels))


def oracle(shares: Sequence[float]) -> tuple[float, float]:
    """Return the greatest error of any classifier, percentage points, and its standard error.

    An imputer that always completes a prefix alike puts all probability on one ending, to which the truth gives p. The
    total variation distance of the two is 1 - p, and no classifier's accuracy exceeds 1/2 by more than half its mean.

    Args:
        shares: p(imputed ending | prefix, length) of the sentences.
    """
    missed = 50 * (1 - np.array(shares, np.float64))
    return float(missed.mean()), standard_error(missed) or 0.0


def _imputations(data: Data) -> pa.Table:
    assert data.continued is not None  # as `needs` says
    pairs = read_parquet(data.continued, IMPUTATIONS)
    if len(pairs) < _FEWEST:
        raise PipelineError(
            f"{len(pairs)} pairs of sentences",
            where=data.continued,
            expected=f"at least {_FEWEST}: four fifths train the classifiers, a tenth each validates and tests",
            remedy="let the imputation read more sentences",
        )
    return pairs


def _learnt(name: str, beside: Sequence[str], completed: Sequence[str], units: "Units", seed: int) -> Iterator[Measure]:
    """Train both classifiers on the sentences beside (sort 0) and the completed ones (sort 1)."""
    from pipeline_lib.analyses.discriminators import lstm, unigram

    parts = parts_of(beside, completed)
    labels = parts.test.labels
    for column, discriminator in ((UNIGRAM, unigram), (LSTM, lstm)):
        yield Measure(name, column, *error_of(discriminator(parts, units, seed), labels), len(labels))


def parts_of(beside: Sequence[str], completed: Sequence[str]) -> "Parts":
    """Cut N pairs into 80 % to train, 10 % to validate and 10 % to test; both sentences of a pair go to one part."""
    from pipeline_lib.analyses.discriminators import Labelled, Parts

    def part(start: int, stop: int) -> Labelled:
        count = stop - start
        return Labelled([*beside[start:stop], *completed[start:stop]], np.repeat([0, 1], count))

    tenth = len(beside) // 10
    train = len(beside) - 2 * tenth
    return Parts(part(0, train), part(train, train + tenth), part(train + tenth, len(beside)))


def _exact(grammar: Grammar, prefixes: Sequence[str], imputed: Sequence[str], lengths: Sequence[int]) -> list[Measure]:
    endings = Endings(grammar_of(grammar))
    found, best = [], []
    for prefix, ending, length in zip(prefixes, imputed, lengths, strict=True):
        shares = endings.given(prefix.split(" ") if prefix else [], length)
        found.append(shares.get(tuple(ending.split(" ")), 0.0))
        best.append(max(shares.values()))
    return [Measure(name, ORACLE, *oracle(own), len(own)) for name, own in ((SYSTEM, found), (BEST, best))]
