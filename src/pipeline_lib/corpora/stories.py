"""Stories of five sentences (Mostafazadeh et al. 2016), and stories whose two endings are labelled right and wrong."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora.labelled import wrong_line
from pipeline_lib.corpora.lines import decode_strictly
from pipeline_lib.corpora.pairs import DIFFERENT, TURNS_TO_DIFFERENT
from pipeline_lib.corpora.splits import hashed_split, splits_of_files
from pipeline_lib.files.archives import read_text
from pipeline_lib.schemas.dialogues import DIALOGUES

SENTENCES = 5
_STORY = [f"sentence{number}" for number in range(1, SENTENCES + 1)]
_CLOZE = [f"InputSentence{number}" for number in range(1, SENTENCES)]
_ENDINGS = ["RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"]
_RIGHT = "AnswerRightEnding"
_FORM = (
    f"a CSV with {_STORY[0]} to {_STORY[-1]}, or with {_CLOZE[0]} to {_CLOZE[-1]}, {', '.join(_ENDINGS)} and {_RIGHT}"
)


def read(files: list[Path], source: Source, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Read stories; a sentence is a turn, and a wrong ending a text that is labelled as different (`corpora.pairs`).

    Splits are those of the files, or else every story is assigned by a seeded hash.

    Args:
        files: CSV as released, plain or ``.gz``.
        source: ``bundles``, ``splits`` and ``split_seed`` are used.
        skipped: counts lines with control characters that were mended.
    Raises:
        PipelineError: other columns, an empty sentence, or an answer that is neither 1 nor 2; names the line.
    """
    told: Sequence[str | None] | None = splits_of_files(files, source)
    for path, split in zip(files, told or [None] * len(files), strict=True):
        file = path.name.removesuffix(".gz").removesuffix(".csv")
        text = decode_strictly(read_text(path), str(path), skipped)
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = rows.fieldnames = [name.strip() for name in _header(rows, path)]
        is_cloze = set([*_CLOZE, *_ENDINGS, _RIGHT]) <= set(columns)
        if not is_cloze and not set(_STORY) <= set(columns):
            raise wrong_line(path, 1, f"other columns: {', '.join(columns)}", _FORM)
        turns: list[dict[str, object]] = []
        for row in _rows(rows, path):
            number = rows.line_num
            story = f"{file}-{number:06d}"
            own = split or hashed_split(story, source.splits, source.split_seed)
            sentences, wrong = _cloze(row, path, number) if is_cloze else ([row[name] for name in _STORY], None)
            if not all(sentence and sentence.strip() for sentence in sentences):
                raise wrong_line(path, number, "an empty sentence", _FORM)
            turns += [_turn(story, turn, None, sentence, own) for turn, sentence in enumerate(sentences)]
            if wrong:
                turns.append(_turn(story, SENTENCES - 1 + TURNS_TO_DIFFERENT, DIFFERENT, wrong, own))
        yield pa.RecordBatch.from_pylist(turns, schema=DIALOGUES)


def _header(rows: "csv.DictReader[str]", path: Path) -> Sequence[str]:
    try:
        return rows.fieldnames or []
    except csv.Error as error:
        raise wrong_line(path, 1, str(error), _FORM) from error


def _rows(rows: "csv.DictReader[str]", path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise wrong_line(path, rows.reader.line_num, str(error), _FORM) from error


def _cloze(row: dict[str, str], path: Path, number: int) -> tuple[list[str], str]:
    """Return the story with its right ending, and the wrong one."""
    if row[_RIGHT] not in ("1", "2"):
        raise wrong_line(path, number, f"{_RIGHT} {row[_RIGHT]!r}", "1 or 2")
    right = int(row[_RIGHT]) - 1
    return [*(row[name] for name in _CLOZE), row[_ENDINGS[right]]], row[_ENDINGS[1 - right]]


def _turn(story: str, turn: int, speaker: str | None, text: str, split: str) -> dict[str, object]:
    return {
        "dialogue_id": story,
        "turn": turn,
        "speaker": speaker,
        "text": text.strip(),
        "split": split,
        "label": None,
    }
