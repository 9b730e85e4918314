"""The GloVe reader: right rows, named faults, never a wrong row in silence."""

import gzip
import math
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import sha256
from pipeline_lib.files.formats import parquet_metadata, read_parquet
from pipeline_lib.schemas.vectors import vectors_schema as vectors_schema
from pipeline_lib.vectors.glove import select_vectors

PLAIN = "the 0.1 -0.2 3e-2\n, 1 2 3\n. . . 7 8 9\nThe 5 5 5\ncat 0.5 0.25 0.125\n"


def _file(folder: Path, text: str | bytes, name: str = "glove.txt") -> Path:
    path = folder / name
    content = text.encode() if isinstance(text, str) else text
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("glove.txt", content)
    else:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["glove.txt", "glove.txt.gz", "glove.zip"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n"])
def test_wanted_rows_are_read_from_text_gz_and_zip(tmp_path: Path, name: str, ending: str) -> None:
    path = _file(tmp_path, PLAIN.replace("\n", ending), name)
    found = select_vectors(path, pa.array(["cat", "the", ".", "absent"]))
    assert found.tokens.to_pylist() == ["the", "cat"]  # ". . ." is not ".", "The" is not "the"
    np.testing.assert_array_equal(found.vectors, np.array([[0.1, -0.2, 0.03], [0.5, 0.25, 0.125]], np.float32))
    assert found.rows == 5


@pytest.mark.parametrize("content", [PLAIN, "the 0.1 -0.2 3e-2", "t 1\n"])
def test_a_byte_order_mark_does_not_become_part_of_the_first_token(tmp_path: Path, content: str) -> None:
    wanted = pa.array(["the", "t", "cat"])
    with_mark = select_vectors(_file(tmp_path, content.encode("utf-8-sig"), "mark.txt"), wanted)
    without = select_vectors(_file(tmp_path, content, "plain.txt"), wanted)
    assert with_mark.tokens.to_pylist() == without.tokens.to_pylist()
    np.testing.assert_array_equal(with_mark.vectors, without.vectors)


def test_what_is_written_names_its_source(tmp_path: Path) -> None:
    path, out = _file(tmp_path, PLAIN), tmp_path / "vectors.parquet"
    select_vectors(path, pa.array(["cat"])).write(out)
    assert read_parquet(out, vectors_schema(3)).to_pylist() == [{"token": "cat", "vector": [0.5, 0.25, 0.125]}]
    assert parquet_metadata(out)["source"] == "glove.txt"
    assert parquet_metadata(out)["sha256"] == sha256(path)


def test_the_first_of_repeated_rows_is_kept_and_the_others_are_counted(tmp_path: Path, caplog) -> None:
    found = select_vectors(_file(tmp_path, "a 1 2\nb 3 4\na 5 6\n"), pa.array(["a"]))
    assert found.vectors.tolist() == [[1, 2]]
    assert found.duplicates == 1
    assert "1 repeated rows" in caplog.text


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a 1 2\nb 1\n", 2, "1 numbers"),
        ("a 1 2\nb 1 2 3\n", 2, "3 numbers"),
        ("a 1 2\nb  1 2\n", 2, "3 numbers"),
        ("a 1 2\nother 1\n", 2, "1 numbers"),
        ("a 1 2\nb 1 nan\n", 2, "'nan'"),
        ("a 1 2\nb -inf 1\n", 2, "'-inf'"),
        ("a 1 2\nb 1 1e99\n", 2, "'1e99'"),
        ("a 1 2\nb 1 1_0\n", 2, "'1_0'"),
        ("a 1 2\nb 1 0.1.2\n", 2, "'0.1.2'"),
        ("a 1 2\nb 1 \xff\n", 2, "number 2"),
        ("400000 2\na 1 2\n", 1, "header"),
        ("a\tb\n", 1, "0 numbers"),
    ],
)
def test_a_faulty_row_is_named_with_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(PipelineError) as caught:
        select_vectors(path, pa.array(["a", "b"]))
    assert problem in caught.value.problem
    assert caught.value.where == f"{path}, line {line}"
    assert caught.value.expected
    assert caught.value.remedy


def test_a_file_of_another_width_is_an_error(tmp_path: Path) -> None:
    for dimension in (2, 4):
        with pytest.raises(PipelineError, match="rows of 3 numbers"):
            select_vectors(_file(tmp_path, PLAIN), pa.array(["cat"]), dimension)


def test_damaged_archives_and_missing_files_are_named(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).random((500, 3))
    text = "".join(f"w{i} {a} {b} {c}\n" for i, (a, b, c) in enumerate(numbers))
    for name in ("glove.txt.gz", "glove.zip"):
        path = _file(tmp_path, text, name)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(PipelineError, match="damaged"):
            select_vectors(path, pa.array(["w1"]))
    with pytest.raises(PipelineError, match="not found"):
        select_vectors(tmp_path / "absent.txt", pa.array(["a"]))
    for empty in ("", "\n"):
        with pytest.raises(PipelineError):
            select_vectors(_file(tmp_path, empty), pa.array(["a"]))
    with pytest.raises(PipelineError, match="longer than"):
        select_vectors(_file(tmp_path, b"x" * (1 << 21)), pa.array(["a"]))


def test_a_zip_of_several_widths_needs_the_dimension(tmp_path: Path) -> None:
    path = tmp_path / "glove.6B.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("glove.6B.2d.txt", "a 1 2\n")
        archive.writestr("glove.6B.3d.txt", "a 1 2 3\n")
    assert select_vectors(path, pa.array(["a"]), 3).vectors.tolist() == [[1, 2, 3]]
    with pytest.raises(PipelineError, match=r"glove\.6B\.2d\.txt"):
        select_vectors(path, pa.array(["a"]))


FIELDS = st.one_of(
    st.floats(width=32).map(repr), st.sampled_from(["a", "b", "", "nan", "1_0", "0x1", "1e40", "\xff", "\t", "\r"])
)
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "c d", "A", ""]), st.lists(FIELDS, max_size=4)), max_size=6)


@given(ROWS, st.sampled_from([None, 2, 3]))
@settings(max_examples=300, deadline=None)
def test_whatever_the_file_holds_a_row_is_right_or_an_error(tmp_path_factory, rows, dimension) -> None:
    text = "\n".join(" ".join([token, *numbers]) for token, numbers in rows)
    path = _file(tmp_path_factory.mktemp("fuzz"), text)
    try:
        found = select_vectors(path, pa.array(["a", "b"]), dimension)
    except PipelineError:
        return
    if dimension:
        assert found.vectors.shape[1] == dimension
    width = found.vectors.shape[1]
    first: dict[str, list[float]] = {}
    for line in text.split("\n"):  # the plain reading of each row
        token, *fields = line.rstrip(" \r").split(" ")
        if token in {"a", "b"} and len(fields) == width and token not in first:  # a repeated row is never read
            first[token] = [float(field) for field in fields]
    assert dict(zip(found.tokens.to_pylist(), found.vectors.tolist(), strict=True)) == {
        token: np.array(values, np.float32).tolist() for token, values in first.items()
    }
    assert all(math.isfinite(value) for row in found.vectors.tolist() for value in row)


def test_unwanted_rows_are_passed_over_fast(tmp_path: Path) -> None:
    row = " ".join(f"{x:.5g}" for x in np.random.default_rng(1).normal(0, 0.4, 300))
    path = _file(tmp_path, "".join(f"w{i} {row}\n" for i in range(20_000)))
    start = time.process_time()
    assert len(select_vectors(path, pa.array(["w7", "w19999"])).tokens) == 2
    assert 20_000 / (time.process_time() - start) > 50_000  # above 200,000 rows/s on an idle core


def test_rows_of_the_real_release_have_their_published_values(real_data: Callable[[str], Path]) -> None:
    found = select_vectors(real_data("glove/glove.6B.50d.subset.txt.gz"), pa.array(["the", "n't"]), 50)
    assert found.rows == 13_097
    np.testing.assert_array_equal(found.vectors[0, :3], np.array([0.418, 0.24968, -0.41242], np.float32))
    cased = select_vectors(real_data("glove/glove.840B.300d.subset.txt.gz"), pa.array(["the"]), 300)
    np.testing.assert_array_equal(cased.vectors[0, :3], np.array([0.27204, -0.06203, -0.1884], np.float32))
