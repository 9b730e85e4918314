"""Control characters in place of windows-1252's, against the codec of Python, which knows the same table."""

import pyarrow as pa

from pipeline_lib.files.windows_1252 import mend, mend_array

OPEN = {0x81, 0x8D, 0x8F, 0x90, 0x9D}  # windows-1252 gives these no character
EVERY = "".join(map(chr, range(0x100)))


def test_every_character_is_the_one_that_its_byte_has_in_windows_1252():
    found, lines = mend(EVERY)
    expected = "".join(chr(byte) if byte in OPEN else bytes([byte]).decode("cp1252") for byte in range(0x100))
    assert found == expected
    assert lines == 1


def test_lines_are_counted_once_each_and_other_text_is_the_same_object():
    assert mend("it\x92s, isn\x92t it\nno\n\x85") == ("it’s, isn’t it\nno\n…", 2)
    for text in ("plain", "déjà vu", "open: \x81"):
        assert mend(text) == (text, 0)
        assert mend(text)[0] is text


def test_texts_of_a_column_are_mended_like_those_of_a_file_and_missing_ones_stay_missing():
    texts = ["it\x92s", None, "déjà", "\x81", EVERY]
    found, number = mend_array(pa.array(texts))
    assert found.to_pylist() == [text and mend(text)[0] for text in texts]
    assert number == 2
