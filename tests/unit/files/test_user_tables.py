"""Tables of users: Parquet in memory that its sizes bound, and texts that are mended."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files import user_tables
from pipeline_lib.files.user_tables import Cells, read_rows, texts_of


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


def read_lines(folder: Path, *rows: str, optional: tuple[str, ...] = ("note",)) -> dict[str, list[object]]:
    (folder / "a.jsonl").write_text("".join(f"{row}\n" for row in rows))
    return pa.Table.from_batches(read_rows(folder / "a.jsonl", {"turn": "t", "text": "x"}, optional)).to_pydict()


def test_json_lines_have_the_columns_of_all_rows_and_a_missing_value_is_null(tmp_path: Path) -> None:
    found = read_lines(tmp_path, '{"t": 0}', '{"t": null, "x": "a"}', '{"t": 2, "x": "b", "note": "n"}')
    assert found == {"t": [0, None, 2], "x": [None, "a", "b"], "note": [None, None, "n"]}


def test_whole_numbers_that_pandas_writes_with_a_decimal_are_whole_numbers(tmp_path: Path) -> None:
    assert read_lines(tmp_path, '{"t": 0.0, "x": "a"}', '{"t": 1, "x": "b"}')["t"] == [0, 1]
    for rows in (['{"t": 1.0, "x": "a"}', '{"t": 0.5, "x": "a"}'], ['{"t": "1", "x": "a"}', '{"t": 1, "x": "a"}']):
        with pytest.raises(PipelineError, match=r"t is (0\.5|1) in a column of (whole numbers|texts)") as caught:
            read_lines(tmp_path, *rows)
        assert caught.value.where.endswith("line 2")


def test_a_column_of_json_lines_that_no_row_has_or_a_late_one_has_is_an_error_with_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PipelineError, match="no column 'x'") as caught:
        read_lines(tmp_path, '{"t": 0}', '{"t": 1}')
    assert caught.value.where.endswith("a.jsonl, lines 1 to 2")
    monkeypatch.setattr(user_tables, "_ROWS", 2)
    with pytest.raises(PipelineError, match="'note' begins here") as caught:
        read_lines(tmp_path, *['{"t": 0, "x": "a"}'] * 2, '{"t": 0, "x": "a", "note": "n"}')
    assert caught.value.where.endswith("line 3")


@pytest.mark.parametrize("content", ["d;t;x\n1;0;a\n", "d,t\n1,0\n", 'd,t,text\n"1,0\n'])
def test_settings_of_a_source_are_named_for_its_own_tables_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    remedies = []
    for of_source in (False, True):
        with pytest.raises(PipelineError) as caught:
            list(read_rows(tmp_path / "a.csv", {"text": "text"}, cells=Cells(of_source=of_source)))
        remedies.append(caught.value.remedy)
    assert "source" not in remedies[0]
    assert "configuration" not in remedies[0]
    assert remedies[1].startswith(remedies[0])
    assert ("`columns:`" if "d,t\n" in content else "`separator:") in remedies[1]
    assert ('`separator: ";"`' in remedies[1]) == (";" in content)


def test_texts_of_users_lose_no_apostrophe_to_windows_1252(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = pa.table({"context": ["it\x92s", "so"]})
    with caplog.at_level("INFO"):
        assert texts_of(rows, "context", tmp_path / "a.csv").to_pylist() == ["it’s", "so"]
    assert "column context: 1 lines" in caplog.text
