"""Files of the workflow's own kinds from a foreign hand: manifests, Parquet between stages, weights."""

import io
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fuzz_promise import Reader, refused_or
from fuzz_strategies import HAZARDS, damaged, perhaps_damaged, phrases
from hypothesis import strategies as st

from pipeline_lib.corpora.readers import verified_files
from pipeline_lib.files.formats import iter_parquet, parquet_metadata, read_parquet
from pipeline_lib.schemas.examples import EXAMPLES

# --- manifests of fetched files ------------------------------------------------------------------------------------


def _check_manifest(folder: Path, content: bytes) -> bool:
    raw = folder / "raw"
    raw.mkdir()
    (raw / "a.txt").write_bytes(b"a")
    (folder / "secret").write_bytes(b"a")
    (raw / "manifest.json").write_bytes(content)
    files = refused_or(lambda: verified_files(raw / "manifest.json"))
    assert files is None or all(file == raw / "a.txt" for file in files), "a file outside of the folder was taken"
    return files is not None


_SHA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # of b"a"
_entry = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a.txt", "a.txt", "../secret", "/etc/hostname", "./a.txt", "..", "", "a\x00b"]),
        "sha256": st.just(_SHA),
        "bytes": st.just(1),
    }
)
_odd = st.one_of(st.none(), st.integers(), phrases, st.lists(st.none(), max_size=2), st.just([[]] * 2))
_manifests = st.one_of(
    st.lists(_entry, max_size=2),
    st.lists(st.one_of(_entry, _odd, st.fixed_dictionaries({"name": _odd, "sha256": _odd})), max_size=2),
    _odd,
).map(lambda value: json.dumps(value).encode())
_manifest_files = perhaps_damaged(st.one_of(_manifests, st.just(b"[" * 100_000), st.just(b"9" * 5000)))

# --- Parquet between stages ----------------------------------------------------------------------------------------


@cache
def _table() -> pa.Table:
    n = 12
    columns = {
        "example_id": range(n),
        "dialogue_id": [f"d{i}" for i in range(n)],
        "turn": [0] * n,
        "context": [f"hello {i}" for i in range(n)],
        "response": ["fine ."] * n,
        "user": [None] * n,
        "label": [None] * n,
    }
    return pa.table({name: list(values) for name, values in columns.items()}).cast(EXAMPLES)


@cache
def _parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(_table(), buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


@cache
def _other_schema() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"example_id": [[1]], "context": [b"x"], "turn": [{"a": 1.0}]}), buffer)
    return buffer.getvalue()


def _check_parquet(folder: Path, content: bytes) -> bool:
    path = folder / "a.parquet"
    path.write_bytes(content)
    whole = refused_or(lambda: read_parquet(path, EXAMPLES))
    batches = refused_or(lambda: list(iter_parquet(path, EXAMPLES)))
    refused_or(lambda: parquet_metadata(path))
    for table in (whole, pa.Table.from_batches(batches, EXAMPLES) if batches else None):
        assert table is None or table.replace_schema_metadata(None).equals(_table()), "damage went unnoticed"
    return whole is not None


_parquet_files = st.one_of(
    st.builds(_parquet),
    damaged(st.builds(_parquet)),
    damaged(st.builds(_parquet)),
    perhaps_damaged(st.builds(_other_schema)),
)

# --- weights -------------------------------------------------------------------------------------------------------


def _check_weights(folder: Path, content: bytes) -> bool:
    from pipeline_lib.models.weights import load_tensors

    path = folder / "model.safetensors"
    path.write_bytes(content)
    found = refused_or(lambda: load_tensors(path))
    if found is None:
        return False
    size = struct.unpack("<Q", content[:8])[0]
    header: dict[str, Any] = json.loads(content[8 : 8 + size])
    tensors, metadata = found
    assert metadata == header.pop("__metadata__", {})
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {k: v["shape"] for k, v in header.items()}
    return True


@st.composite
def _weights(draw: st.DrawFn) -> bytes:
    header: dict[str, Any] = {}
    position = 0
    for name in draw(st.lists(st.one_of(st.sampled_from(["w", "b", *HAZARDS]), phrases), max_size=3, unique=True)):
        shape = draw(st.lists(st.sampled_from([0, 1, 2, 3]), max_size=3))
        size = 4
        for length in shape:
            size *= length
        kind = draw(st.sampled_from(["F32"] * 6 + ["F64", "I64", "BOOL", "X"]))
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    if draw(st.integers(0, 4)) == 0:
        header |= draw(st.dictionaries(phrases, st.one_of(st.none(), st.integers(), phrases), max_size=1))
    if draw(st.booleans()):
        header["__metadata__"] = draw(st.dictionaries(phrases, phrases, max_size=2))
    text = json.dumps(header).encode()
    length = draw(st.sampled_from([len(text)] * 8 + [0, 2**63, 2**64 - 1, len(text) + 9]))
    return draw(perhaps_damaged(st.just(struct.pack("<Q", length) + text + bytes(position))))


READERS = [
    Reader("manifests", _manifest_files, _check_manifest),
    Reader("Parquet between stages", _parquet_files, _check_parquet),
    Reader("weights", _weights(), _check_weights),
]
