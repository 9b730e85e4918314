"""Verdicts on decoded texts: how likely another model finds them, and whether the grammar of the corpus has them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch

from pipeline_lib.analyses.data import Data
from pipeline_lib.compute.device import seeded
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.corpora.grammar_parser import Parser
from pipeline_lib.corpora.grammar_rules import grammar_of
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.system import System
from pipeline_lib.schemas.decoded import DECODED
from pipeline_lib.text.units import Units

_BATCH = 128  # texts scored together
Row = dict[str, Any]  # of `DECODED`


def decoded_table(rows: Sequence[Row], references: Sequence[Sequence[str]], keep: float, data: Data) -> pa.Table:
    """Return ``rows`` as a `DECODED` table, with the verdicts on their texts.

    Args:
        rows: fields of `DECODED` without `keep` and the verdicts.
        references: for each row the texts with which its own should share a topic; none: nothing is expected.
        data: gives the judging model and the grammar, as far as there are any.
    """
    verdicts = verdicts_on([row["text"] for row in rows], references, data)
    complete = [{**row, "keep": keep, **verdict} for row, verdict in zip(rows, verdicts, strict=True)]
    return pa.Table.from_pylist(complete, DECODED)


def verdicts_on(texts: Sequence[str], references: Sequence[Sequence[str]], data: Data) -> list[Row]:
    """Return ``nll_lm``, ``grammatical`` and ``topic_agrees`` of each text, as far as there is who tells.

    Args:
        references: for each text those with which it should share a topic; none: nothing is expected.
        data: gives the judging model and the grammar.
    """
    verdicts: list[Row] = [{} for _ in texts]
    if data.judge is not None:
        losses = sentence_losses(data.judge.system, data.judge.units, texts)
        verdicts = [{"nll_lm": loss} for loss in losses]
    if data.grammar is not None:
        of_grammar = grammatical(data.grammar, texts, references)
        verdicts = [{**one, **other} for one, other in zip(verdicts, of_grammar, strict=True)]
    return verdicts


def sentence_losses(model: System, units: Units, texts: Sequence[str]) -> list[float]:
    """Return -log p of each text under a language model, nats, the end token counted."""
    dataset = ExampleDataset.of_sentences(texts, units)
    losses = [0.0] * len(texts)
    generator = seeded(model.device, 0)  # a language model draws nothing
    model.eval()
    with torch.no_grad():
        for rows in dataset.by_length(_BATCH):
            nll = model.likelihood(dataset.batch(rows).to(model.device), generator).nll
            for row, loss in zip(rows.tolist(), nll.tolist(), strict=True):
                losses[row] = loss
    return losses


def grammatical(settings: Grammar, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[Row]:
    """Tell of each text whether the grammar can give it, and whether it can share a topic with one of its references.

    Returns:
        ``grammatical`` and ``topic_agrees`` of `DECODED`.
    """
    parser = Parser(grammar_of(settings))
    found = []
    for text, others in zip(texts, references, strict=True):
        topics = parser.topics(text.split(" "))
        expected = set[str]().union(*(parser.topics(other.split(" ")) for other in others))
        agrees = bool(topics & expected) if topics and expected else None
        found.append({"grammatical": bool(topics), "topic_agrees": agrees})
    return found
