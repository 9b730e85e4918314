"""Lines of large text files as Arrow arrays, a few MiB at a time."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.errors import PipelineError
from pipeline_lib.files.archives import blocks


def subtitle_lines(path: Path, skipped: Counter[str]) -> Iterator[pa.Array]:
    """Yield trimmed lines, also empty ones; bytes that are not UTF-8 become U+FFFD, and such lines are counted."""
    for number, block in enumerate(blocks(path)):
        text = _decode_leniently(block, skipped)
        yield pc.utf8_trim_whitespace(_split_lines(text if number else text.removeprefix("\ufeff")))


def decode_strictly(content: bytes, where: str) -> str:
    """Decode UTF-8 text without a byte order mark.

    Raises:
        PipelineError: names the line of the first byte that is not UTF-8.
    """
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PipelineError(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            where=f"{where}, line {line}",
            expected="UTF-8 text",
            remedy="convert the file to UTF-8, or fetch the original release",
        ) from error


def _decode_leniently(block: bytes, skipped: Counter[str]) -> str:
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        text = block.decode("utf-8", "replace")
        damaged = sum("\ufffd" in line for line in text.split("\n"))
        skipped["lines with bytes that are not UTF-8 (replaced by U+FFFD)"] += damaged
        return text


def _split_lines(text: str) -> pa.Array:
    return pc.split_pattern(pa.array([text.removesuffix("\n")]), "\n").flatten()
