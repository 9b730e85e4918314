"""GloVe files as text, gzip and zip against a parser of ten lines."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from fuzz_promise import Reader, refused_or
from fuzz_strategies import gunzipped, gzipped, perhaps_damaged, words, zipped
from hypothesis import strategies as st

from pipeline_lib.vectors.glove import select_vectors

WANTED = ["hello", "you", ".", "é"]
_Case = tuple[str, bytes, bytes, int | None, bool]


def naive_vectors(content: bytes, dimension: int | None) -> dict[str, list[np.float32]]:
    """Token -> numbers of the rows whose token is wanted and has no space; the first row of each counts."""
    vectors: dict[str, list[np.float32]] = {}
    for line in content.split(b"\n"):
        token, *numbers = line.rstrip(b" \r").split(b" ")
        dimension = dimension or len(numbers)
        word = token.decode("utf-8", "replace")
        if word in WANTED and word not in vectors and len(numbers) == dimension:
            vectors[word] = [np.float32(float(number)) for number in numbers]
    return vectors


def _check_glove(folder: Path, case: _Case) -> bool:
    kind, text, content, dimension, joined = case
    path = folder / f"glove.{kind}"
    path.write_bytes(content)
    found = refused_or(lambda: select_vectors(path, pa.array(WANTED), dimension))
    if found is None:
        return False
    assert not joined, "two rows that lost the line end between them were read"
    if kind == "gz":
        unpacked = gunzipped(content)
        assert unpacked is not None, "a damaged gzip stream was read"
        text = unpacked
    elif kind == "txt":
        text = content
    expected = naive_vectors(text, dimension)
    assert dict(zip(found.tokens.to_pylist(), found.vectors.tolist(), strict=True)) == {
        token: [float(number) for number in numbers] for token, numbers in expected.items()
    }
    assert np.isfinite(found.vectors).all()
    lines = text.removesuffix(b"\n").split(b"\n")
    if not any(line.startswith(b" ") for line in lines):  # an empty token or an empty line: both are passed over
        assert found.rows == sum(1 for line in lines if line.rstrip(b" \r"))
    return True


_number = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(["0", "-0.5", "1e-3", "nan", "inf", "1e39", "0x1", "1_0", "+1", ".5", "5.", "", "٣", "1,5"]),
)


@st.composite
def _joined_rows(draw: st.DrawFn, dimension: int) -> _Case:
    """Right rows, of which one has lost its line end to another byte."""
    tokens = draw(st.lists(st.sampled_from([*WANTED, "other", ". ."]), min_size=2, max_size=8))
    rows = [" ".join([token, *["0.5"] * dimension]).encode() for token in tokens]
    place = draw(st.integers(1, len(rows) - 1))
    end = draw(st.binary(max_size=1).filter(lambda byte: byte != b"\n"))
    text = b"\n".join(rows[:place]) + end + b"\n".join(rows[place:])
    return "txt", text, text, dimension, True


@st.composite
def _glove_files(draw: st.DrawFn) -> _Case:
    dimension = draw(st.integers(1, 4))
    if draw(st.integers(0, 9)) == 0:
        return draw(_joined_rows(dimension))
    rows = []
    for token in draw(st.lists(st.one_of(st.sampled_from([*WANTED, "other", ". ."]), words), max_size=8)):
        width = dimension + draw(st.sampled_from([0] * 12 + [-1, 1]))
        clean = draw(st.integers(0, 3))
        number = st.floats(-2, 2, width=32).map(str) if clean else _number
        rows.append(" ".join([token, *(draw(number) for _ in range(width))]))
    text = "\n".join(rows).encode("utf-8", "surrogatepass")
    kind = draw(st.sampled_from(["txt", "txt", "gz", "zip"]))
    if kind == "txt":
        text = draw(perhaps_damaged(st.just(text)))
        return kind, text, text, draw(st.sampled_from([None, dimension])), False
    packed = gzipped(text) if kind == "gz" else zipped({f"glove.6B.{dimension}d.txt": text})
    return kind, text, draw(perhaps_damaged(st.just(packed))), draw(st.sampled_from([None, dimension])), False


READERS = [Reader("GloVe files", _glove_files(), _check_glove)]
