"""Text and bytes that have broken readers before, and small damage to valid files."""

import gzip
import io
import zipfile
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

# white space that is none to some parsers, quotes, markup, shells, formulas, numbers that are none, and long ones
HAZARDS = [
    *("", " ", "\t", "\r", "\x00", "\x0b", "\x1b[2J", "\x1e", "\x85", "\xa0", "\u2028", "\u200b", "\u202e", "\ufeff"),
    *("😀", "e\u0301", "ǅ", "İ", "\ufffd", '"', '""', "'", ",", ";", "\\", "\\'", "\\n", "{x}", "<script>", "=1+1"),
    *("$(touch x)", "`x`", "../x", "/etc/passwd", "NaN", "inf", "-1", "1.0", "1e999", "9" * 25, "0x10", "null", "٣"),
    *("__eou__", "train", "validation", "test", "x" * 300),
]
BYTES = [
    *(b"\x00", b"\n", b"\r\n", b"\n\n", b"\t", b" ", b'"', b",", b"\\", b"\xff", b"\xe9", b"\xed\xa0\x80", b"\xc0\x80"),
    *(b"\xef\xbb\xbf", b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"[" * 40, b"{"),
]

words = st.one_of(st.sampled_from(HAZARDS), st.text(max_size=6), st.sampled_from(["hello", "you", ".", "?"]))
phrases = st.lists(words, max_size=4).map(" ".join)
plain = st.text("abcdefgh .?", min_size=1, max_size=12).map(str.strip).filter(bool)


@st.composite
def damaged(draw: st.DrawFn, content: SearchStrategy[bytes]) -> bytes:
    """Mostly a few edits: bytes overwritten, put in, taken out or repeated, or the end cut off."""
    damage = bytearray(draw(content))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(damage)))
        length = draw(st.integers(0, 12))
        payload = draw(st.one_of(st.sampled_from(BYTES), st.binary(max_size=4)))
        match draw(st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut"])):
            case "overwrite":
                damage[start : start + len(payload)] = payload
            case "insert":
                damage[start:start] = payload
            case "delete":
                del damage[start : start + length]
            case "repeat":
                damage[start:start] = damage[start : start + length] * 3
            case _:
                del damage[start:]
    return bytes(damage)


def perhaps_damaged(content: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    return st.one_of(content, damaged(content))


def encoded(texts: SearchStrategy[str]) -> SearchStrategy[bytes]:
    return texts.map(lambda text: text.encode("utf-8", "surrogatepass"))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def gunzipped(content: bytes) -> bytes | None:
    """By the standard library at one go; None: it is damaged."""
    return attempt(lambda: gzip.decompress(content))


def attempt(parse: Callable[[], T]) -> T | None:
    """What an independent parser makes of it; None if it finds a fault of whatever kind."""
    try:
        return parse()
    except Exception:
        return None
