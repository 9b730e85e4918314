"""Reference rows that no model can beat: likelihoods under the distribution from which a corpus was generated."""

from pathlib import Path
from typing import Literal

import pyarrow as pa

from pipeline_lib.config.corpora import Source, Synthetic
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.corpora.grammar_truth import positions
from pipeline_lib.corpora.paraphrase_truth import ParaphraseTruth
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.corpora.positional import positional_losses
from pipeline_lib.corpora.synthetic_truth import dialogue_losses
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.responses.baselines import without_likelihood
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.text.turns import last_turn

Exact = Literal["truth", "positions"]


def exact(kind: Exact, source: Source, examples: Path, split: str) -> pa.Table:
    """Score the responses of a generated corpus; no context is answered.

    Args:
        kind: ``truth``: log p(response | context) of the generator; ``positions``: log p(sentence) of the best
            distribution that knows only a word's position, which is what an inputless decoder without a latent
            variable can learn.
        examples: a file of `EXAMPLES`.
        split: the split that they are of.
    Returns:
        `RESPONSES` with likelihoods, the end token counted, in the order of ``examples``. The use of context is null:
        under another context a response has no probability, as it takes up what its own context names.
    Raises:
        PipelineError: the distribution is not known, or an example is not of the corpus.
    """
    texts = read_parquet(examples, EXAMPLES)
    if source.reader == "grammar" and source.grammar is not None:
        losses = _losses_of_sentences(kind, source.grammar, texts["response"].to_pylist())
    elif source.reader == "synthetic" and source.synthetic is not None and kind == "truth":
        losses = _losses_of_dialogues(source.synthetic, split, texts)
    elif source.reader == "personas" and kind == "truth":
        losses = _losses_of_users(texts)
    elif source.reader == "paraphrases" and kind == "truth":
        losses = _losses_of_paraphrases(texts)
    else:
        raise PipelineError(
            f"the distribution of a corpus with reader {source.reader!r} is not known",
            where=f"`baseline: {kind}` of a system",
            expected="a source with reader `grammar`"
            + (", `synthetic`, `personas` or `paraphrases`" if kind == "truth" else ""),
            remedy="leave the row out of the tables of this corpus: name their `systems:`",
        )
    table = without_likelihood(texts, pa.nulls(len(texts), pa.string()))
    # without a latent variable the bound is the likelihood itself
    likelihoods = dict.fromkeys(("nll", "bound", "nll_importance"), losses) | {"kl": [0.0] * len(losses)}
    for name, values in likelihoods.items():
        table = table.set_column(RESPONSES.get_field_index(name), RESPONSES.field(name), pa.array(values, pa.float32()))
    return table


def _losses_of_sentences(kind: Exact, settings: Grammar, texts: list[str]) -> list[float]:
    grammar, sentences = grammar_of(settings), [text.split(" ") for text in texts]
    if kind == "positions":
        return positional_losses(positions(grammar), sentences)
    parser = Parser(grammar)
    losses = [-parser.log_p(sentence) for sentence in sentences]
    if strange := [text for text, loss in zip(texts, losses, strict=True) if loss == float("inf")]:
        raise PipelineError(
            f"{len(strange)} of {len(sentences)} sentences are not of the grammar, the first: {strange[0]}",
            where=f"seed, topics and words_per_slot of `grammar:`, and `tokeniser: spaces`, {kind}",
            expected="the sentences as they were generated",
            remedy="delete the examples of this corpus and run the same command again",
        )
    return losses


def _losses_of_dialogues(settings: Synthetic, split: str, texts: pa.Table) -> list[float]:
    losses = dialogue_losses(settings, split, texts["context"].to_pylist(), texts["response"].to_pylist())
    return _possible(
        losses, texts, "one turn of context, words of `tokeniser: english`, as `synthetic:` generates them"
    )


def _losses_of_users(texts: pa.Table) -> list[float]:
    truth = PersonaTruth()
    rows = zip(texts["context"].to_pylist(), texts["response"].to_pylist(), texts["label"].to_pylist(), strict=True)
    losses = [-truth.log_p(last_turn(context), response, user) for context, response, user in rows]
    return _possible(losses, texts, "dialogues as reader `personas` generates them")


def _losses_of_paraphrases(texts: pa.Table) -> list[float]:
    truth = ParaphraseTruth()
    rows = zip(texts["context"].to_pylist(), texts["response"].to_pylist(), strict=True)
    losses = [-truth.log_p(context, response) for context, response in rows]
    return _possible(losses, texts, "questions as reader `paraphrases` generates them")


def _possible(losses: list[float], texts: pa.Table, expected: str) -> list[float]:
    """Return ``losses`` if all are finite."""
    if strange := [row for row, loss in enumerate(losses) if loss == float("inf")]:
        raise PipelineError(
            f"{len(strange)} of {len(losses)} responses do not follow from their contexts, the first: "
            f"{texts['context'][strange[0]]}, answered by {texts['response'][strange[0]]}",
            where="column 'response', `baseline: truth` of a system",
            expected=f"{expected}, none of their words replaced or dropped (`unknown: drop_example`)",
            remedy="leave the row out (`rows:`), or delete the examples of this corpus and run the same command again",
        )
    return losses
