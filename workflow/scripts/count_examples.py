"""Count a corpus's words and examples, the repeated texts, and what filtering dropped, in every split."""

from pathlib import Path

from pipeline_lib.examples.counting import count_splits
from pipeline_lib.examples.lost import notes_of
from pipeline_lib.files.formats import read_json, write_json
from pipeline_lib.stage.cli import run
from pipeline_lib.text.ids import SPECIALS, TURN
from pipeline_lib.text.words import Words


def main(corpus: str, examples: list[Path], vocabulary: Path, report: Path, out: Path) -> None:
    filtered = read_json(report)
    splits = count_splits({path.stem: path for path in examples}, filtered, out.with_name(f".{out.name}.duckdb"))
    words = len(set(Words.read(vocabulary).tokens) - {*SPECIALS, TURN})
    write_json(out, {"corpus": corpus, "vocabulary": words, "splits": splits, "lost": notes_of(filtered)})


if __name__ == "__main__":
    run(main)
