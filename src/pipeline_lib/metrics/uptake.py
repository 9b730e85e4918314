"""Uptake: whether a response speaks of what its context speaks of, told exactly on generated corpora.

BLEU against the one reference that an example has counts a right answer of another group as wrong, and the more so the
more answers a context has. In a generated corpus every answer to a context that names a thing (soup, ticket, ...)
names it too, whatever its group, unless it is generic. So this asks no reference.
"""

import json
from functools import cache
from importlib import resources

import pyarrow as pa


def uptake(contexts: pa.ChunkedArray, responses: pa.ChunkedArray) -> list[bool]:
    """Tell for each context that names a thing whether the response names one of the same.

    Args:
        contexts: (B,) texts of space-joined tokens, as are ``responses``.
    Returns:
        as many as there are such contexts: a generic reply names nothing that could be taken up.
    """
    named = [things().intersection(text.split()) for text in contexts.to_pylist()]
    answers = responses.to_pylist()
    return [not mine.isdisjoint(answer.split()) for mine, answer in zip(named, answers, strict=True) if mine]


@cache
def things() -> frozenset[str]:
    """List what the turns of generated dialogues hand on to one another, of all topics."""
    templates = resources.files("pipeline_lib").joinpath("corpora/templates.json").read_text(encoding="utf-8")
    return frozenset(thing for topic in json.loads(templates)["topics"].values() for thing in topic["things"])
