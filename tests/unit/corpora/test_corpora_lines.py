"""Lines of text files: which are read, which are mended, and which file is not text at all."""

import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline_lib.corpora import lines
from pipeline_lib.errors import PipelineError
from pipeline_lib.files import archives

SPOKEN = [f"Line {number}, isn't it?" for number in range(1_000)]


def read(folder: Path, content: bytes) -> tuple[list[str], Counter[str]]:
    path = folder / "a.txt"
    path.write_bytes(content)
    skipped: Counter[str] = Counter()
    return [line for array in lines.subtitle_lines(path, skipped) for line in array.to_pylist()], skipped


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("\n".join(SPOKEN).encode("utf-16"), "byte order mark of UTF-16"),
        ("\n".join(SPOKEN).encode("utf-16-be"), "not UTF-8 text"),
        ("\n".join(SPOKEN).encode("utf-32-le"), "not UTF-8 text"),
        ("\n".join(["déjà vu"] * 1_000).encode("cp1252"), "1,000 of 1,000 lines"),
        ("\n".join(["你好吗"] * 1_000).encode("gb18030"), "1,000 of 1,000 lines"),
        (random.Random(1).randbytes(100_000), "not UTF-8 text"),
    ],
    ids=["utf-16", "utf-16 without mark", "utf-32", "windows-1252", "gb18030", "random bytes"],
)
def test_a_file_that_is_no_utf8_text_is_refused_with_a_remedy(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(PipelineError, match=problem) as caught:
        read(tmp_path, content)
    assert "iconv" in caught.value.remedy
    assert "5 %" in caught.value.expected


@pytest.mark.parametrize("block", [500, 4 << 20])
def test_a_few_damaged_lines_are_replaced_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(archives, "_BLOCK", block)
    damaged = [line.encode() + (b" \xe9" if number % 20 == 0 else b"") for number, line in enumerate(SPOKEN)]
    found, skipped = read(tmp_path, b"\n".join(damaged))
    assert len(found) == 1_000
    assert list(skipped.values()) == [50]
    with pytest.raises(PipelineError, match="not UTF-8 text"):
        read(tmp_path, b"\n".join([*damaged, *damaged[::20]]))


def test_control_characters_of_windows_1252_become_those_they_stand_for_and_are_counted(tmp_path: Path) -> None:
    found, skipped = read(tmp_path, "\x85and it\x92s over\nplain\n\x93Yes\x94\n".encode())
    assert found == ["…and it’s over", "plain", "“Yes”"]
    assert skipped == {lines.MAPPED: 2}
