"""Files: whole or absent, and damage is named."""

import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_lib.errors import PipelineError
from pipeline_lib.files import formats
from pipeline_lib.files.atomic import atomic, keep
from pipeline_lib.files.checksums import intact, sha256
from pipeline_lib.files.disk import (
    check_temporary_folder,
    is_disk_full,
    report_full_disk,
    report_full_temporary_folder,
)
from pipeline_lib.files.formats import (
    iter_parquet,
    parquet_metadata,
    parquet_writer,
    read_json,
    read_parquet,
    read_text,
    write_json,
    write_parquet,
    write_text,
)

SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("text", pa.string())])
TABLE = pa.table({"id": list(range(5_000)), "text": [f"text number {row}" for row in range(5_000)]}, schema=SCHEMA)


@pytest.fixture
def old(tmp_path) -> Path:
    """A file with earlier results."""
    path = tmp_path / "table.parquet"
    write_parquet(path, TABLE.slice(0, 3), SCHEMA)
    return path


def only(path: Path) -> bool:
    """Whether there is nothing but ``path`` and the checksum that fits it."""
    return set(os.listdir(path.parent)) == {path.name, f".{path.name}.sha256"} and sums_agree(path.parent)


def sums_agree(folder: Path) -> bool:
    """What a person would find by hand."""
    sums = sorted(path.name for path in folder.glob(".*.sha256"))
    return subprocess.run(["sha256sum", "--check", "--strict", *sums], cwd=folder, capture_output=True).returncode == 0


def test_a_table_is_read_back_with_its_metadata_whole_or_in_batches(tmp_path):
    path = tmp_path / "made/on/demand/table.parquet"
    write_parquet(path, TABLE.select(["text", "id"]), SCHEMA, {"source": "here"})
    assert read_parquet(path, SCHEMA).equals(TABLE)
    batches = list(iter_parquet(path, SCHEMA, ["id"], batch_size=700))
    assert max(batch.num_rows for batch in batches) == 700
    assert [row for batch in batches for row in batch["id"].to_pylist()] == TABLE["id"].to_pylist()
    assert parquet_metadata(path)["source"] == "here"
    assert only(path)


def test_a_new_file_has_the_permissions_that_the_user_asks_for(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_json_is_read_back_and_is_the_same_bytes_for_the_same_value(tmp_path):
    write_json(tmp_path / "a.json", {"b": "é", "a": [1, None]})
    write_json(tmp_path / "b.json", {"a": [1, None], "b": "é"})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"b": "é", "a": [1, None]}
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["b"] == "é"


def test_an_error_while_writing_leaves_the_earlier_file_and_nothing_else(old):
    def write_half() -> None:
        with parquet_writer(old, SCHEMA) as writer:
            writer.write_table(TABLE)
            raise KeyError

    before = old.read_bytes()
    with pytest.raises(KeyError):
        write_half()
    assert old.read_bytes() == before
    assert only(old)


def test_a_killed_writer_leaves_the_earlier_file(old):
    before = old.read_bytes()
    code = f"""
import os, signal
from pathlib import Path
from pipeline_lib.files.atomic import atomic
with atomic(Path({str(old)!r})) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert old.read_bytes() == before
    assert len(list(old.parent.glob("*.tmp"))) == 1
    write_text(old, "the next writer clears what the killed one left")
    assert only(old)


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a disk of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def check_full(path: Path, before: bytes, error: PipelineError) -> None:
    assert "no space left" in str(error)
    assert error.where == str(path)
    assert "earlier results are untouched" in error.expected
    assert "results:" in error.remedy
    assert path.read_bytes() == before
    assert only(path)


def test_a_full_disk_leaves_the_earlier_table(full_disk):
    path = full_disk / "table.parquet"
    write_parquet(path, TABLE.slice(0, 3), SCHEMA)
    before = path.read_bytes()
    with pytest.raises(PipelineError) as caught:
        write_parquet(path, pa.concat_tables([TABLE] * 200), SCHEMA)
    check_full(path, before, caught.value)


def test_a_full_disk_leaves_the_earlier_text(full_disk):
    path = full_disk / "text"
    write_text(path, "earlier")
    with pytest.raises(PipelineError) as caught:
        write_text(path, "x" * 1_000_000)
    check_full(path, b"earlier", caught.value)


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "as the system says it"), OSError("Write failed: No space left on device")]
)
def test_a_disk_that_fills_up_at_the_last_moment_leaves_the_earlier_file(old, monkeypatch, fault):
    def fsync(_: int) -> None:
        raise fault

    before = old.read_bytes()
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(PipelineError) as caught:
        write_parquet(old, TABLE, SCHEMA)
    check_full(old, before, caught.value)


@pytest.mark.parametrize(
    ("fault", "full"),
    [
        (OSError(errno.ENOSPC, "as the system says it"), True),
        (OSError(errno.EDQUOT, "as the system says it"), True),
        (OSError("Write failed: Disk quota exceeded"), True),  # as Arrow says it
        (OSError(errno.EACCES, "no"), False),
    ],
)
def test_a_quota_that_is_used_up_counts_as_a_full_disk(fault, full):
    assert is_disk_full(fault) == full


def test_a_full_disk_is_told_even_where_no_log_could_tell_it(full_disk, capsys):
    report_full_disk(full_disk)
    assert not capsys.readouterr().err
    (full_disk / "ballast").write_bytes(bytes(200_000))
    report_full_disk(full_disk)
    told = capsys.readouterr().err
    assert "no space left on the disk" in told
    assert str(full_disk) in told
    assert [path.name for path in full_disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("variable", ["TMPDIR", "TMP"])
def test_a_full_temporary_folder_is_an_error_that_names_it_and_its_variable(full_disk, monkeypatch, capsys, variable):
    monkeypatch.delenv("TMP", raising=False)
    monkeypatch.setenv(variable, str(full_disk))
    check_temporary_folder()
    report_full_temporary_folder()
    assert not capsys.readouterr().err
    (full_disk / "ballast").write_bytes(bytes(200_000))
    with pytest.raises(PipelineError, match="no space left in the temporary folder") as caught:
        check_temporary_folder()
    assert caught.value.where == str(full_disk)
    assert f"the variable {variable} " in caught.value.remedy
    report_full_temporary_folder()
    assert capsys.readouterr().err == f"{caught.value}\n"


def test_a_temporary_folder_that_is_missing_or_unnamed_is_no_full_one(tmp_path, monkeypatch):
    monkeypatch.delenv("TMP", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    check_temporary_folder()
    monkeypatch.delenv("TMPDIR")
    check_temporary_folder()


def test_other_errors_of_the_system_are_not_called_a_full_disk(old, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no")))
    before = old.read_bytes()
    with pytest.raises(PermissionError):
        write_text(old, "text")
    assert old.read_bytes() == before
    assert os.listdir(old.parent) == [old.name]


def test_a_temporary_file_of_a_living_writer_is_left_alone(tmp_path):
    with atomic(tmp_path / "a") as first:
        first.write_text("first")
        write_text(tmp_path / "a", "second")
        assert first.read_text() == "first"
    assert (tmp_path / "a").read_text() == "first"
    assert only(tmp_path / "a")


@pytest.mark.parametrize("moment", range(1, 8))
def test_killed_at_any_step_of_publishing_no_wrong_checksum_lies_beside_a_file(tmp_path, moment):
    """No call of the system that publishing makes, from the first flush to the last renaming, is returned from."""
    path = tmp_path / "a"
    write_text(path, "earlier")
    code = f"""
import os, signal
from pathlib import Path
from pipeline_lib.files.formats import write_text
calls = 0
def counted(call):
    def wrapper(*arguments, **named):
        global calls
        calls += 1
        if calls == {moment}:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **named)
    return wrapper
for name in ("fsync", "replace", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
write_text(Path({str(path)!r}), "later")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert path.read_text() in ("earlier", "later")
    assert not (tmp_path / ".a.sha256").exists() or sums_agree(tmp_path)
    write_text(path, "last")
    assert only(path)


READERS = {
    "whole": lambda path: read_parquet(path, SCHEMA),
    "in batches": lambda path: list(iter_parquet(path, SCHEMA)),
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def names_the_file(error: PipelineError, path: Path) -> bool:
    return error.where == str(path) and bool(error.remedy)


@readers
def test_a_flipped_bit_in_a_page_is_detected_and_the_file_named(tmp_path, read):
    path = tmp_path / "table.parquet"
    write_parquet(path, TABLE, SCHEMA)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(PipelineError, match="changed since it was written") as caught:
        read(path)
    assert names_the_file(caught.value, path)
    (tmp_path / ".table.parquet.sha256").unlink()  # as when the file came from elsewhere
    with pytest.raises(PipelineError, match="damaged") as caught:
        read(path)
    assert names_the_file(caught.value, path)


@readers
@pytest.mark.parametrize("keep", [0, 10, -10], ids=["empty", "start only", "end cut off"])
def test_a_truncated_table_is_named(old, read, keep):
    old.write_bytes(old.read_bytes()[:keep])
    with pytest.raises(PipelineError, match="damaged") as caught:
        read(old)
    assert names_the_file(caught.value, old)


@readers
def test_a_missing_table_is_named(tmp_path, read):
    with pytest.raises(PipelineError, match="not found") as caught:
        read(tmp_path / "none.parquet")
    assert names_the_file(caught.value, tmp_path / "none.parquet")


@readers
@pytest.mark.parametrize(
    ("table", "found"),
    [
        (pa.table({"id": ["1"], "text": ["a"]}), "column 'id' is of type string"),
        (pa.table({"id": [1]}), "column 'text' is missing"),
    ],
)
def test_a_table_of_another_schema_names_column_and_type(tmp_path, read, table, found):
    path = tmp_path / "table.parquet"
    write_parquet(path, table, table.schema)
    with pytest.raises(PipelineError, match=found) as caught:
        read(path)
    assert names_the_file(caught.value, path)
    assert caught.value.expected in ("id: int64", "text: string")


@readers
def test_an_error_of_the_reader_is_not_called_damage(old, monkeypatch, read):
    def fail(*_, **__):
        raise ValueError("a fault in this program")

    monkeypatch.setattr(formats, "_check_schema", fail)
    with pytest.raises(ValueError, match="this program"):
        read(old)


def test_an_error_of_the_one_who_reads_batches_is_not_called_damage(old):
    def use() -> None:
        for _ in iter_parquet(old, SCHEMA):
            raise OSError("elsewhere")

    with pytest.raises(OSError, match="elsewhere"):
        use()


def test_every_bit_of_a_file_counts(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"steps": 12})
    content = path.read_bytes()
    for position in range(8 * len(content)):
        changed = bytearray(content)
        changed[position // 8] ^= 1 << position % 8
        path.write_bytes(changed)
        assert not intact(path)
        with pytest.raises(PipelineError, match="changed since it was written") as caught:
            read_json(path)
        assert names_the_file(caught.value, path)
    path.write_bytes(content)
    assert read_json(path) == {"steps": 12}


@pytest.mark.parametrize("content", [b"", b"\xff", b"0" * 64])
def test_a_damaged_checksum_names_the_file_that_it_belongs_to(tmp_path, content):
    write_text(tmp_path / "a", "text")
    (tmp_path / ".a.sha256").write_bytes(content)
    with pytest.raises(PipelineError, match=r"the checksum kept beside it, \.a\.sha256, is damaged") as caught:
        read_text(tmp_path / "a")
    assert names_the_file(caught.value, tmp_path / "a")
    assert "delete .a.sha256 beside it" in caught.value.remedy


def test_a_file_that_was_replaced_by_hand_is_read_once_the_checksum_that_the_remedy_names_is_deleted(tmp_path):
    write_text(tmp_path / "a", "made here")
    (tmp_path / "a").write_text("put there")
    with pytest.raises(PipelineError, match="changed since it was written") as caught:
        read_text(tmp_path / "a")
    (tmp_path / re.search(r"delete (\S+) beside it", caught.value.remedy)[1]).unlink()
    assert read_text(tmp_path / "a") == "put there"


def test_a_newer_object_in_the_place_of_snakemakes_local_copy_is_read(tmp_path):
    copy = tmp_path / ".snakemake/storage/s3/bucket/results/a"
    write_text(copy, "made here and uploaded")
    assert [path.name for path in copy.parent.iterdir()] == ["a"]
    (copy.parent / ".a.sha256").write_text("of an earlier version")
    copy.unlink()
    copy.write_text("made by another job and fetched")
    assert read_text(copy) == "made by another job and fetched"


def test_the_key_of_an_earlier_draw_is_to_be_restored_not_deleted(tmp_path):
    path = tmp_path / "ratings/keys/kept/sheet.json"
    write_text(path, "which response is whose")
    path.write_text("which response is who")
    with pytest.raises(PipelineError) as caught:
        read_text(path)
    assert caught.value.remedy.startswith("restore the file from a backup")


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match="JSON") as caught:
        read_json(path)
    assert names_the_file(caught.value, path)


def test_a_checksum_is_the_one_of_the_command_line_tool(old):
    tool = subprocess.run(["sha256sum", old], capture_output=True, text=True)
    assert sha256(old) == tool.stdout.split()[0]


def test_what_is_kept_outlives_the_next_write_and_its_damage_is_still_seen(tmp_path):
    write_text(tmp_path / "a", "one")
    write_text(tmp_path / "b", "zero")
    keep(tmp_path / "a", tmp_path / "b")
    assert read_text(tmp_path / "a") == "one"  # at no time is there none
    write_text(tmp_path / "a", "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.sha256", ".b.sha256", "a", "b"]
    assert (read_text(tmp_path / "a"), read_text(tmp_path / "b")) == ("two", "one")
    (tmp_path / "b").write_text("One")
    assert not intact(tmp_path / "b")
    assert intact(tmp_path / "a")
