"""Reference rows that no model can beat: likelihoods under the distribution from which a corpus was generated."""

from pathlib import Path
from typing import Literal

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import SentenceGrammar, grammar_of
from pipeline_lib.corpora.grammar_truth import positions
from pipeline_lib.corpora.positional import positional_losses
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.responses.baselines import without_likelihood
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES

Exact = Literal["truth", "positions"]


def exact(kind: Exact, source: Source, examples: Path) -> pa.Table:
    """Score the sentences of a generated corpus; none of them is answered.

    Args:
        kind: ``truth``: log p(sentence) of the grammar; ``positions``: of the best distribution that knows only a
            word's position, which is what an inputless decoder without a latent variable can learn.
        examples: a file of `EXAMPLES`.
    Returns:
        `RESPONSES` with likelihoods, the end token counted, in the order of ``examples``.
    Raises:
        PipelineError: the corpus was not generated from a grammar, or a sentence is not one of its.
    """
    if source.grammar is None:
        raise PipelineError(
            f"the distribution of {source.label} is not known",
            where=f"`baseline: {kind}` of a system",
            expected="a source with reader `grammar`",
            remedy="leave the row out of the tables of this corpus: name their `systems:`",
        )
    texts = read_parquet(examples, EXAMPLES)
    sentences = [text.split(" ") for text in texts["response"].to_pylist()]
    losses = _losses(kind, grammar_of(source.grammar), sentences)
    table = without_likelihood(texts, pa.nulls(len(texts), pa.string()))
    # without a latent variable the bound is the likelihood itself
    likelihoods = dict.fromkeys(("nll", "bound", "nll_importance"), losses) | {"kl": [0.0] * len(losses)}
    for name, values in likelihoods.items():
        table = table.set_column(RESPONSES.get_field_index(name), RESPONSES.field(name), pa.array(values, pa.float32()))
    return table


def _losses(kind: Exact, grammar: SentenceGrammar, sentences: list[list[str]]) -> list[float]:
    if kind == "positions":
        return positional_losses(positions(grammar), sentences)
    parser = Parser(grammar)
    losses = [-parser.log_p(sentence) for sentence in sentences]
    if strange := [sentence for sentence, loss in zip(sentences, losses, strict=True) if loss == float("inf")]:
        raise PipelineError(
            f"{len(strange)} of {len(sentences)} sentences are not of the grammar, the first: {' '.join(strange[0])}",
            where=f"seed, topics and words_per_slot of `grammar:`, and `tokeniser: spaces`, {kind}",
            expected="the sentences as they were generated",
            remedy="delete the examples of this corpus and run the same command again",
        )
    return losses
