"""The tokens that are not words, and the ids that a model, a batch and a decoding strategy agree on."""

from dataclasses import dataclass

PADDING, UNKNOWN, START, END = "<pad>", "<unk>", "<s>", "</s>"
SPECIALS = (PADDING, UNKNOWN, START, END)  # of a vocabulary of words, where their ids are those of `Ids()`
TURN = "<turn>"  # parts the utterances of a context; a token like any other


@dataclass(frozen=True)
class Ids:
    """Ids of the tokens that are not words; of these a response contains ``unknown`` and ``end`` alone."""

    pad: int = 0
    unknown: int = 1
    start: int = 2
    end: int = 3
