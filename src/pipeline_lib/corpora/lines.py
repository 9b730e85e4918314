"""Lines of large text files as Arrow arrays, a few MiB at a time."""

import codecs
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.archives import blocks
from pipeline_lib.files.windows_1252 import MAPPED, mend

MOST_DAMAGED = 0.05  # share of lines above which a file is refused: not UTF-8 text, but something else
_FEW = 20  # damaged lines that no share refuses
_REPLACED = "\ufffd"


def subtitle_lines(
    path: Path, skipped: Counter[str], trim: Callable[[pa.Array], pa.Array] = pc.utf8_trim_whitespace
) -> Iterator[pa.Array]:
    """Yield trimmed lines, also empty ones; bytes that are not UTF-8 become U+FFFD, and such lines are counted.

    Args:
        skipped: counts what was mended.
        trim: trims lines; where tabs divide a line into places, those at its ends say that a place is empty.
    Raises:
        PipelineError: UTF-16, or, at the end, more than `MOST_DAMAGED` of the lines held such bytes or null characters.
    """
    damage = _Damage(path)
    for number, block in enumerate(blocks(path)):
        if not number:
            _check_marks(block, path)
        text = _decode_leniently(block, skipped, damage)
        yield trim(_split_lines(text if number else text.removeprefix("\ufeff")))
    damage.check()


def decode_strictly(content: bytes, where: str, skipped: Counter[str]) -> str:
    """Decode UTF-8 text without a byte order mark.

    Args:
        skipped: counts lines with control characters of windows-1252, which are replaced by the intended ones.
    Raises:
        PipelineError: names the line of the first byte that is not UTF-8.
    """
    try:
        text, mapped = mend(content.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PipelineError(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            where=f"{where}, line {line}",
            expected="UTF-8 text",
            remedy="convert the file to UTF-8, or fetch the original release",
        ) from error
    skipped.update({MAPPED: mapped} if mapped else {})
    return text


@dataclass
class _Damage:
    """How many of a file's lines were damaged so far."""

    path: Path
    lines: int = 0
    damaged: int = 0

    def add(self, lines: int, damaged: int) -> None:
        """Count the lines of a block."""
        self.lines += lines
        self.damaged += damaged

    def check(self) -> None:
        """Refuse a file with too many."""
        if self.damaged > max(_FEW, MOST_DAMAGED * self.lines):
            raise _not_text(self.path, f"{self.damaged:,} of {self.lines:,} lines have bytes that are not UTF-8 text")


def _check_marks(block: bytes, path: Path) -> None:
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _not_text(path, "the file begins with the byte order mark of UTF-16")


def _not_text(path: Path, problem: str) -> PipelineError:
    return PipelineError(
        problem,
        where=path,
        expected=f"UTF-8 text; at most {100 * MOST_DAMAGED:.0f} % of the lines may hold other bytes",
        remedy="convert the file, such as with `iconv -f UTF-16 -t UTF-8` (or -f WINDOWS-1252, GB18030, …); unpack an "
        "archive",
    )


def _decode_leniently(block: bytes, skipped: Counter[str], damage: _Damage) -> str:
    try:
        text = block.decode("utf-8")
        replaced = 0
    except UnicodeDecodeError:
        text = block.decode("utf-8", "replace")
        replaced = sum(_REPLACED in line for line in text.split("\n"))
        skipped["lines with bytes that are not UTF-8 (replaced by U+FFFD)"] += replaced
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    nulls = sum(b"\0" in line for line in block.split(b"\n")) if b"\0" in block else 0
    damage.add(lines, max(replaced, nulls))
    text, mapped = mend(text)
    skipped.update({MAPPED: mapped} if mapped else {})
    return text


def _split_lines(text: str) -> pa.Array:
    return pc.split_pattern(pa.array([text.removesuffix("\n")]), "\n").flatten()
