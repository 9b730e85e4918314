"""The texts of a PDF that Chromium printed, as far as they lie on its pages.

It reads what this one writer makes: flate streams, and glyphs in hexadecimal with a table to Unicode for each font.
"""

import re
import zlib

_OBJECT = re.compile(rb"^(\d+) 0 obj\s(.*?)endobj", re.S | re.M)
_STREAM = re.compile(rb"^(.*?)stream\n(.*)endstream", re.S)
_TOKEN = re.compile(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)>|\b(BT|Tm)\b")


class Pdf:
    """A printed document: `texts`, of each page, a line for each run, and `sizes`, (width, height) in points."""

    def __init__(self, content: bytes) -> None:
        self._objects = {int(number): body for number, body in _OBJECT.findall(content)}
        pages = [body for body in self._objects.values() if re.search(rb"/Type /Page\b", body)]
        self.texts = [self._text(page) for page in pages]
        boxes = [re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page) for page in pages]
        self.sizes = [(float(box[1]), float(box[2])) for box in boxes if box]

    @property
    def text(self) -> str:
        """All pages."""
        return "\n".join(self.texts)

    def _text(self, page: bytes) -> str:
        fonts = {name: self._unicode(int(number)) for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", page)}
        content = re.search(rb"/Contents (\d+) 0 R", page)
        return _drawn(self._stream(int(content[1])), fonts) if content else ""

    def _stream(self, number: int) -> bytes:
        found = _STREAM.match(self._objects[number])
        assert found, f"object {number} has no stream"
        return zlib.decompressobj().decompress(found[2]) if b"/FlateDecode" in found[1] else found[2]

    def _unicode(self, font: int) -> dict[int, str]:
        """Read which glyph of a font is which text."""
        table = re.search(rb"/ToUnicode (\d+) 0 R", self._objects[font])
        found: dict[int, str] = {}
        for kind, block in re.findall(
            rb"beginbf(char|range)(.*?)endbf", self._stream(int(table[1])) if table else b"", re.S
        ):
            for line in block.strip().splitlines():
                *glyphs, text = re.findall(rb"<([0-9A-Fa-f]+)>", line)
                first, last = int(glyphs[0], 16), int(glyphs[-1], 16)
                character = bytes.fromhex(text.decode()).decode("utf-16-be")
                assert kind == b"char" or len(character) == 1
                found |= {
                    glyph: character if glyph == first else chr(ord(character) + glyph - first)
                    for glyph in range(first, last + 1)
                }
        return found


def _drawn(stream: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    text, font = "", {}
    for name, glyphs, _ in _TOKEN.findall(stream):
        if name:
            font = fonts.get(name, {})
        elif glyphs:
            text += "".join(font.get(int(glyphs[i : i + 4], 16), "\ufffd") for i in range(0, len(glyphs), 4))
        elif not text.endswith("\n"):
            text += "\n"
    return text
