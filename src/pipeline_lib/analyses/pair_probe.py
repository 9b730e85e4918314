"""Analysis `pair_probe`: a linear classifier tells paraphrases by both codes (Bowman et al. 2016, Table 9)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.measures import Measure, table_of
from pipeline_lib.analyses.needs import CODES, Needs
from pipeline_lib.analyses.pair_features import pair_features
from pipeline_lib.analyses.probing import Labels, accuracy, accuracy_error, f1, majority, predicted
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.corpora.grammar_pairs import pairs
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.measures import SYSTEM

if TYPE_CHECKING:
    from pipeline_lib.models.system import System

ACCURACY, F1 = "accuracy", "F1"  # percent
FEATS, MAJORITY = "Feats", "majority"  # rows beside the system's
WITH_FEATS = f"{SYSTEM}+feats"

Features = NDArray[np.float64]  # (N, F)


class Options(Settings):
    """A logistic regression on pairs of sentences: those of a corpus, or of a grammar drawn for the purpose."""

    train_pairs: Positive = Field(default=2000, description="pairs of a grammar to learn from")
    test_pairs: Positive = Field(default=1000, description="pairs of a grammar to test on")


def needs(options: Options) -> Needs:
    return Needs("measures", models=(CODES,), any_corpus=True)


class Pairs(NamedTuple):
    """N pairs of texts, and 1 for those that mean the same, 0 for the others."""

    first: Sequence[str]
    second: Sequence[str]
    labels: Labels


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `MEASURES` table: accuracy and F1 from codes, from six surface features, from both, and of a constant.

    Raises:
        PipelineError: the examples are no labelled pairs, or the system has no code.
    """
    from pipeline_lib.analyses.latent_space import LatentSpace
    from pipeline_lib.text.units import read_units

    space = LatentSpace(model, read_units(data.vocabulary), longest=1)  # nothing is decoded
    train, test = (
        (_of_corpus(data, split) for split in ("train", "test"))
        if data.grammar is None
        else _of_grammar(data.grammar, options)
    )
    code = [both_codes(*(space.posteriors(texts)[0] for texts in (part.first, part.second))) for part in (train, test)]
    surface = [pair_features(part.first, part.second) for part in (train, test)]
    both = [np.concatenate(parts, 1) for parts in zip(code, surface, strict=True)]
    rows = []
    for name, (own, other) in {SYSTEM: code, WITH_FEATS: both, FEATS: surface}.items():
        rows += _rows(name, test.labels, predicted(own, train.labels, other, f1))
    rows += _rows(MAJORITY, test.labels, majority(test.labels))
    return table_of(rows)


def both_codes(first: Features, second: Features) -> Features:
    """Return [|a - b|; a * b] for codes a and b, (N, 2 Z)."""
    return np.concatenate([np.abs(first - second), first * second], 1)


def _of_corpus(data: Data, split: str) -> Pairs:
    table = read_parquet(data.examples[split], EXAMPLES, ["context", "response", "label"])
    labels = table["label"].drop_null().to_numpy().astype(np.int64)
    if len(labels) < len(table) or set(labels.tolist()) != {0, 1} or "" in table["context"].to_pylist():
        raise PipelineError(
            f"the {len(table)} examples are not pairs of texts with labels 0 and 1",
            where=data.examples[split],
            expected="pairs, some of which mean the same (1) and some do not (0)",
            remedy="name a `corpus:` of the analysis with reader `msrp`, or one with a grammar",
        )
    return Pairs(table["context"].to_pylist(), table["response"].to_pylist(), labels)


def _of_grammar(settings: Grammar, options: Options) -> tuple[Pairs, Pairs]:
    """Draw pairs of a grammar, which are the same for all systems and seeds of runs."""
    drawn = []
    for number, count in enumerate((options.train_pairs, options.test_pairs)):
        found = list(pairs(grammar_of(settings), count, settings.seed + number))
        labels = np.array([pair.label for pair in found], np.int64)
        drawn.append(Pairs([pair.first for pair in found], [pair.second for pair in found], labels))
    return drawn[0], drawn[1]


def _rows(name: str, true: Labels, found: Labels) -> list[Measure]:
    return [
        Measure(name, ACCURACY, accuracy(true, found), accuracy_error(true, found), len(true)),
        Measure(name, F1, f1(true, found), None, len(true)),
    ]
