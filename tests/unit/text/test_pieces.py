"""Word pieces: cut as in published examples and as by a regular expression, and put together again without loss."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.errors import PipelineError
from pipeline_lib.text.pieces import SPECIAL_PIECES, Pieces
from pipeline_lib.text.units import read_units

OF_AB = ["a", "b", "ab", "aab", "##a", "##b", "##ba", "##aba"]


def _pieces(*pieces: str) -> Pieces:
    return Pieces([*SPECIAL_PIECES, *pieces])


def _names(units: Pieces, text: str) -> list[str]:
    return [units.pieces[i] for i in units.encode(pa.array([text])).ids]


def test_tokens_are_cut_as_in_the_examples_of_berts_tokeniser() -> None:
    units = _pieces("want", "##want", "##ed", "wa", "un", "runn", "##ing", ",")
    assert _names(units, "unwanted running") == ["un", "##want", "##ed", "runn", "##ing"]
    assert _names(units, "unwantedX running") == ["[UNK]", "runn", "##ing"]


@given(st.lists(st.sampled_from(OF_AB), unique=True), st.text("ab", min_size=1, max_size=9))
@settings(max_examples=300, deadline=None)
def test_cuts_equal_those_of_a_regular_expression_that_takes_the_longest_piece_first(
    known: list[str], token: str
) -> None:
    def longest_first(pieces: list[str]) -> str:
        return "|".join(sorted(pieces, key=len, reverse=True)) or "(?!)"

    first = longest_first([piece for piece in known if not piece.startswith("##")])
    further = longest_first([piece.removeprefix("##") for piece in known if piece.startswith("##")])
    # atomic groups: a piece once taken is not given back for a shorter one
    whole = re.fullmatch(f"(?>{first})(?>{further})*+", token)
    expected = [re.match(first, token)[0]] if whole else ["[UNK]"]
    if whole:
        expected += [f"##{piece}" for piece in re.findall(further, token[len(expected[0]) :])]
    assert _names(_pieces(*known), token) == expected


@given(st.lists(st.lists(st.text("ab", min_size=1, max_size=5), max_size=4).map(" ".join), max_size=5))
@settings(max_examples=100, deadline=None)
def test_texts_of_known_pieces_come_back_as_they_were(texts: list[str]) -> None:
    units = _pieces(*OF_AB)
    encoded = units.encode(pa.chunked_array([pa.array(texts, pa.string())]))
    assert encoded.ids.dtype == np.int32
    assert [units.decode(encoded.ids[a:b]) for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)] == texts


def test_reserved_tokens_keep_their_meaning() -> None:
    plain, with_turn = _pieces("a", "##a"), _pieces("a", "<turn>")
    assert _names(plain, "a <turn> <unk> a") == ["a", "[SEP]", "[UNK]", "a"]
    assert _names(with_turn, "a <turn> a") == ["a", "<turn>", "a"]
    assert plain.decode([4, 5, 1, 5]) == "aa <unk>a"
    assert (plain.ids.pad, plain.ids.unknown, plain.ids.start, plain.ids.end) == (0, 1, 2, 3)


def test_ids_are_the_lines_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pieces.txt"
    path.write_text("a\n[SEP]\n[PAD]\n##b\n[CLS]\n[UNK]\n", encoding="utf-8")
    units = read_units(path)
    assert isinstance(units, Pieces)
    assert units.encode(pa.array(["ab c", "", "a"])).ids.tolist() == [0, 3, 5, 0]
    assert (units.ids.pad, units.ids.unknown, units.ids.start, units.ids.end) == (2, 5, 4, 1)
    assert len(units) == 6
    assert units.embeddings is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\na\n", "line 2 is 'a'"),
        ("a\n\nb\n", "line 2 is ''"),
        ("a 7\n", "line 1 is 'a 7'"),
        ("a\n[PAD]\n", r"no piece \[UNK\] and no \[CLS\] and no \[SEP\]"),
        ("", "line 1 is ''"),
    ],
)
def test_a_file_that_lists_no_pieces_is_an_error_that_names_the_line(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "pieces.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match=found):
        Pieces.read(path)
