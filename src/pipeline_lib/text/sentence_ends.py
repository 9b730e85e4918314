"""Sentences of English prose, by rules that need no trained model."""

import re
from collections.abc import Iterator

# a stop, the quotation marks and brackets that it closes, and what may begin a sentence after them
_STOP = re.compile(r"""[.!?]+["'”’)\]]*\s+(?=["'“‘(\[]*[A-Z])""")
_LAST_WORD = re.compile(r"(\w+)\.\s*\Z")
_TITLES = {
    "capt",
    "col",
    "dr",
    "gen",
    "hon",
    "lieut",
    "messrs",
    "mlle",
    "mme",
    "mr",
    "mrs",
    "prof",
    "rev",
    "sergt",
    "st",
}
_ABBREVIATIONS = frozenset(_TITLES | {"cf", "esq", "jr", "sr", "viz", "vol"})  # no "no.", which may end a sentence


def sentences_of(paragraph: str) -> Iterator[str]:
    """Cut a paragraph at stops that a capital letter follows, but not after an abbreviation or an initial.

    Runs of white space become one space. A quotation of several sentences is cut, so that its marks end up in different
    sentences. Before a lower-case letter nothing is cut, as after ``"Stop!" said he``.
    """
    text = " ".join(paragraph.split())
    start = 0
    for stop in _STOP.finditer(text):
        if not _abbreviates(text[start : stop.end()]):
            yield text[start : stop.end()].rstrip()
            start = stop.end()
    if start < len(text):
        yield text[start:]


def _abbreviates(text: str) -> bool:
    """Tell whether the full stop at the end of ``text`` belongs to its last word; ``I`` is a word, not an initial."""
    if not (found := _LAST_WORD.search(text)):
        return False
    word = found[1]
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")
