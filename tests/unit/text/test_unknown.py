"""Unknown words of texts: found, numbered by first occurrence, and told from `<unk>` as it is written."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.ids import SPECIALS
from pipeline_lib.text.pieces import SPECIAL_PIECES, Pieces
from pipeline_lib.text.unknown import UnknownWords
from pipeline_lib.text.words import Words

TEXTS = pa.array(["a ö b ü ö", "a b", "<unk> ö a", ""])


def words() -> Words:
    tokens = [*SPECIALS, "a", "b"]
    columns = {"token_id": range(6), "token": tokens, "count": [1] * 6, "known": [True] * 6}
    return Words(pa.table(columns, schema=vocabulary_schema(None)))


UNITS = [words(), Pieces([*SPECIAL_PIECES, "a", "b", "##c"])]


@pytest.mark.parametrize("units", UNITS)
def test_each_unknown_word_is_listed_once_in_the_order_of_its_first_occurrence(units):
    unknown = UnknownWords(TEXTS, units)
    assert [unknown[text] for text in range(4)] == [["ö", "ü"], [], ["ö"], []]


@pytest.mark.parametrize("units", UNITS)
def test_places_tell_which_unknown_word_stands_there(units):
    unknown, encoded, rows = UnknownWords(TEXTS, units), units.encode(TEXTS), np.array([2, 0, 1])
    ids = encoded.padded(rows, units.ids.pad)
    assert unknown.numbered(rows, ids).tolist() == [[-1, 0, -1, -1, -1], [-1, 0, -1, 1, 0], [-1] * 5]
    assert unknown.numbered(rows[2:], ids[2:]) is None


def test_a_word_of_several_pieces_is_known_and_one_that_cannot_be_cut_is_unknown_as_a_whole():
    units = UNITS[1]
    unknown = UnknownWords(pa.array(["ac acd bc"]), units)
    assert unknown[0] == ["acd"]
    assert unknown.numbered(np.array([0]), units.encode(pa.array(["ac acd bc"])).padded(np.array([0]), 0)).tolist() == [
        [-1, -1, 0, -1, -1]
    ]
