"""Analysis `sentence_probe`: a linear classifier tells classes of sentences by code (Bowman et al. 2016, Table 10)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.measures import Measure, table_of
from pipeline_lib.analyses.needs import CODES, Needs
from pipeline_lib.analyses.probing import Labels, accuracy, accuracy_error, fitted, majority, predicted
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.settings import Positive, Settings
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.measures import SYSTEM

if TYPE_CHECKING:
    from pipeline_lib.models.system import System

ACCURACY, TOPIC = "accuracy", "topic accuracy"  # percent; of the label, and of the topic of a generated sentence
WORDS, MAJORITY = "bag of words", "majority"  # rows beside the system's


class Options(Settings):
    """A softmax regression that is trained on codes of training sentences and tested on those of the test split."""

    sentences: Positive | None = Field(default=None, description="first so many training sentences; null: all")


def needs(options: Options) -> Needs:
    return Needs("measures", models=(CODES,), any_corpus=True)


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `MEASURES` table: accuracies from codes, from words and of the most frequent class.

    Raises:
        PipelineError: a sentence has no label, or the system no code.
    """
    from pipeline_lib.analyses.latent_space import LatentSpace
    from pipeline_lib.text.units import read_units

    space = LatentSpace(model, read_units(data.vocabulary), longest=1)  # nothing is decoded
    train, test = (_labelled(data, split) for split in ("train", "test"))
    train = train.slice(0, options.sentences)
    texts, held_out = (part["response"].to_pylist() for part in (train, test))
    features = {
        SYSTEM: (space.posteriors(texts)[0], space.posteriors(held_out)[0]),
    }
    words = presences(texts, held_out)
    rows = []
    for column, labels, true in _classes(data.grammar, train, test):
        found = {name: predicted(own, labels, other, accuracy) for name, (own, other) in features.items()}
        found[WORDS] = fitted(words[0], labels, 1.0).predict(words[1])
        found[MAJORITY] = majority(true)
        rows += [
            Measure(name, column, accuracy(true, own), accuracy_error(true, own), len(true))
            for name, own in found.items()
        ]
    return table_of(rows)


def presences(texts: Sequence[str], held_out: Sequence[str]) -> tuple[Any, Any]:
    """Tell which words of N training sentences are in these and in M others: (N, W) and (M, W) of 0 and 1, sparse."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectoriser = CountVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, binary=True)
    return vectoriser.fit_transform(texts), vectoriser.transform(held_out)


def _classes(grammar: Grammar | None, train: pa.Table, test: pa.Table) -> Iterator[tuple[str, Labels, Labels]]:
    """Return a column and the classes of training and test sentences: the labels and, of a grammar, the topics."""
    yield ACCURACY, _numbers(train), _numbers(test)
    if grammar is not None:
        names = [topic.name for topic in grammar_of(grammar).topics]
        parser = Parser(grammar_of(grammar))
        topics = [
            # of the few sentences that several topics give, the first one's
            np.array([min(map(names.index, parser.topics(text.split(" ")))) for text in part["response"].to_pylist()])
            for part in (train, test)
        ]
        yield TOPIC, topics[0], topics[1]


def _numbers(part: pa.Table) -> Labels:
    found: Labels = part["label"].to_numpy().astype(np.int64)
    return found


def _labelled(data: Data, split: str) -> pa.Table:
    table = read_parquet(data.examples[split], EXAMPLES, ["response", "label"])
    if not len(table) or table["label"].null_count:
        raise PipelineError(
            f"{table['label'].null_count} of {len(table)} sentences have no label",
            where=data.examples[split],
            expected="a label for each of some sentences",
            remedy="name a `corpus:` of the analysis whose reader gives labels, such as trec or grammar",
        )
    return table
