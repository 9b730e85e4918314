"""Texts as flat ids and offsets, against lists of lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.text.ragged import Ragged

TEXTS = st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=8)


def ragged(texts: list[list[int]], kind: type = np.int32) -> Ragged:
    return Ragged.of_lengths(
        np.array([one for text in texts for one in text], kind), np.array([len(text) for text in texts], np.int64)
    )


def lists(found: Ragged) -> list[list[int]]:
    return [found.ids[found.offsets[n] : found.offsets[n + 1]].tolist() for n in range(len(found))]


@given(TEXTS, st.data())
def test_every_view_of_the_texts_is_that_of_the_lists(texts: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=6))
    found = ragged(texts)
    assert lists(found) == texts
    assert found.lengths.tolist() == [len(text) for text in texts]
    assert found.lengths_of(np.array(rows)).tolist() == [len(texts[row]) for row in rows]
    assert found.text.tolist() == [n for n, text in enumerate(texts) for _ in text]
    assert lists(found.take(np.array(rows))) == [texts[row] for row in rows]
    low, high = sorted(rows)[0], sorted(rows)[-1]
    assert lists(found.take(slice(low, high))) == texts[low:high]
    even = found.ids % 2 == 0
    assert lists(found.keep(even)) == [[one for one in text if one % 2 == 0] for text in texts]
    longest = max(len(texts[row]) for row in rows)
    padded = found.padded(np.array(rows), pad=-1)
    assert padded.tolist() == [texts[row] + [-1] * (longest - len(texts[row])) for row in rows]
    assert padded.dtype == np.int64


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_ids_keep_their_kind(kind: type) -> None:
    found = ragged([[1, 2], [], [3]], kind)
    assert found.take(np.array([2, 0])).ids.dtype == found.keep(np.array([True, False, True])).ids.dtype == kind
    assert found.offsets.dtype == found.take(np.array([0])).offsets.dtype == np.int64
