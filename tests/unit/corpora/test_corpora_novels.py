"""Novels as sentences: lines to paragraphs, paragraphs to sentences, and the real file where it is."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import novels
from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import DIALOGUES
from pipeline_lib.text.sentence_ends import sentences_of

SOURCE = Source(
    reader="novels", label="x", licence="none", bundles=[[{"name": "x"}]], splits={"validation": 0.2, "test": 0.2}
)
REAL = Path(__file__).parents[4] / "shared/data/english_novels/english_novels_1839_1885.txt.gz"


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("It rained. He left! Why? Nobody knew.", ["It rained.", "He left!", "Why?", "Nobody knew."]),
        ("Mr. Brown met Dr. J. Smith. They  spoke.", ["Mr. Brown met Dr. J. Smith.", "They spoke."]),
        ('"Stop!" said he. "Not I." And he went.', ['"Stop!" said he.', '"Not I."', "And he went."]),
        ("It is I. Open the door.", ["It is I.", "Open the door."]),
        (
            "He waited... and waited. 'Tis late (they say.) Go.",
            ["He waited... and waited.", "'Tis late (they say.)", "Go."],
        ),
        ("no stop at all", ["no stop at all"]),
        ("She said no. He took No. 5.", ["She said no.", "He took No. 5."]),
        ("", []),
    ],
)
def test_a_paragraph_is_cut_at_its_sentences_and_not_after_abbreviations_and_initials(paragraph, sentences):
    assert list(sentences_of(paragraph)) == sentences


def test_no_character_of_a_paragraph_is_lost_but_white_space():
    paragraph = 'He said: "No. 5 is mine!"  (Mrs. B. knew.) \n "Is it?"   ...Yes. e.g. this'
    assert "".join("".join(sentences_of(paragraph)).split()) == "".join(paragraph.split())


def wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


@pytest.mark.parametrize("between", [[], [""]], ids=["paragraphs without empty lines", "empty lines"])
@pytest.mark.parametrize("width", [40, 72])
def test_wrapped_lines_are_joined_to_the_paragraphs_that_were_wrapped(width, between):
    texts = []
    for n, length in enumerate((30, 3, 57, 88, 1, 41), 3):
        words = [f"word{n * k % 997}" for k in range(2, 2 + length)]
        while len(wrapped(" ".join(words) + ".", width)[-1]) > width / 2:  # a last line that is full tells nothing
            words.pop()
        texts.append(" ".join(words) + ".")
    lines = [line for text in texts for line in [*wrapped(text, width), *between]]
    assert max(map(len, lines)) <= width
    assert list(novels.paragraphs(lines)) == texts


def test_a_short_line_ends_a_paragraph_only_where_its_sentence_ends_or_a_heading():
    lines = [
        "CHAPTER I",
        "It was a long and very full line of words",
        "that went on for another line of as many,",
        "with",
        "a short one and many others.",
        "So.",
    ]
    assert list(novels.paragraphs(lines)) == ["CHAPTER I", " ".join(lines[1:5]), "So."]


def test_a_novel_with_a_line_longer_than_any_wrapped_one_has_a_paragraph_a_line():
    lines = ["Chapter one", "", "a" * 81, "short", ""]
    assert list(novels.paragraphs(lines)) == ["Chapter one", "a" * 81, "short"]
    assert list(novels.paragraphs([])) == []


def test_each_novel_of_a_file_is_read_in_its_own_form(tmp_path):
    long = "It was a long line, which no printer of the time would have set. " * 2
    text = f"=== A_One_1850.txt ===\n{long}\nIt ended.\n=== B_Two_1860.txt ===\nThis line is\nwrapped. So\nis it.\n"
    (tmp_path / "some.txt.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "alone.txt").write_text("Another novel.\n", encoding="utf-8")
    skipped: Counter[str] = Counter()
    batches = list(novels.read([tmp_path / "some.txt.gz", tmp_path / "alone.txt"], SOURCE, skipped))
    assert all(batch.schema == DIALOGUES for batch in batches)
    rows = [row for batch in batches for row in batch.to_pylist()]
    sentence = "It was a long line, which no printer of the time would have set."
    assert [row["text"] for row in rows] == [
        *[sentence, sentence, "It ended."],
        *["This line is wrapped.", "So is it."],
        "Another novel.",
    ]
    ids = [row["dialogue_id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert {name.rpartition("-")[0] for name in ids} == {"0-A_One_1850", "0-B_Two_1860", "1-alone"}
    assert len({row["split"] for row in rows if row["text"] == sentence}) == 1
    assert not skipped.total()


def test_text_in_utf_16_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes("A novel.".encode("utf-16"))
    with pytest.raises(PipelineError, match="UTF-16"):
        list(novels.read([tmp_path / "a.txt"], SOURCE, Counter()))


@pytest.mark.skipif(not REAL.exists(), reason="the novels are not on this machine")
def test_of_the_forty_novels_seventeen_are_wrapped_and_most_sentences_end_in_a_stop():
    found = [lines for _, lines in novels._novels(REAL, Counter()) if any(lines)]
    assert len(found) == 40
    assert sum(max(map(len, lines)) <= 80 for lines in found) == 17
    one = next(lines for lines in found if max(map(len, lines)) <= 80)
    sentences = [sentence for paragraph in novels.paragraphs(one) for sentence in sentences_of(paragraph)]
    assert sum(sentence.rstrip("\"')").endswith((".", "!", "?")) for sentence in sentences) > 0.9 * len(sentences)
