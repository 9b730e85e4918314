"""Tables of users: Parquet in memory that its sizes bound, and texts that are mended."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files import user_tables
from pipeline_lib.files.user_tables import read_rows, texts_of


def test_long_texts_of_parquet_are_decoded_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{number} {'x' * 1_000}" for number in range(2_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", use_dictionary=False, compression="none")
    monkeypatch.setattr(user_tables, "_BATCH_BYTES", 20_000)
    batches = list(read_rows(tmp_path / "a.parquet", {"text": "text"}))
    assert max(batch.num_rows for batch in batches) <= 20
    assert [text for batch in batches for text in batch.column("text").to_pylist()] == texts


def test_parquet_that_expands_to_implausibly_more_than_its_size_is_refused(tmp_path: Path) -> None:
    texts = pa.array([f"{number}{'x' * 100_000}" for number in range(400)])
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", use_dictionary=False, compression="zstd")
    with pytest.raises(PipelineError, match="expands to more than 200 times its size"):
        list(read_rows(tmp_path / "a.parquet", {"text": "text"}))


def test_texts_of_users_lose_no_apostrophe_to_windows_1252(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = pa.table({"context": ["it\x92s", "so"]})
    with caplog.at_level("INFO"):
        assert texts_of(rows, "context", tmp_path / "a.csv").to_pylist() == ["it’s", "so"]
    assert "column context: 1 lines" in caplog.text
