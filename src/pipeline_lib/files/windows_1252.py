"""Control characters that were meant as typographic ones: bytes of windows-1252 in text that was taken for Latin-1.

Browsers read U+0080 to U+009F so (WHATWG Encoding Standard, index windows-1252): U+0092 is an apostrophe, U+0085 an
ellipsis. Deleted, they would make *its* of *it's*.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

# from U+0080 on; the five that windows-1252 leaves open stay as they are, in this table too
_WRITTEN = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"
_TABLE = {0x80 + place: character for place, character in enumerate(_WRITTEN)}
_MEANT = re.compile("[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]")
_MEANT_RE2 = r"[\x{80}\x{82}-\x{8c}\x{8e}\x{91}-\x{9c}\x{9e}\x{9f}]"

MAPPED = "lines with control characters of windows-1252 (replaced by the intended ones)"  # name of the count


def mend(text: str) -> tuple[str, int]:
    """Return the text with the characters that are meant, and the number of lines in which some were replaced."""
    if text.isascii() or not _MEANT.search(text):
        return text, 0
    return text.translate(_TABLE), sum(bool(_MEANT.search(line)) for line in text.split("\n"))


def mend_array(texts: pa.Array) -> tuple[pa.Array, int]:
    """Do the same with (N) texts, null staying null; the number is that of texts."""
    meant = pc.match_substring_regex(texts, _MEANT_RE2).fill_null(False)
    if not meant.true_count:
        return texts, 0
    mended = [text.translate(_TABLE) for text in texts.filter(meant).to_pylist()]
    return pc.replace_with_mask(texts, meant, pa.array(mended, texts.type)), len(mended)
