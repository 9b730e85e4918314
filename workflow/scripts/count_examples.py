"""Count a corpus's words, examples, and how often one context has many responses or one response many contexts."""

from dataclasses import asdict
from pathlib import Path

from pipeline_lib.examples.counting import count_examples
from pipeline_lib.examples.losses import notes_of
from pipeline_lib.files.formats import read_json, write_json
from pipeline_lib.stage.cli import run
from pipeline_lib.text.ids import SPECIALS, TURN
from pipeline_lib.text.words import Words


def main(corpus: str, examples: list[Path], vocabulary: Path, report: Path, out: Path) -> None:
    scratch = out.with_name(f".{out.name}.duckdb")
    splits = {path.stem: asdict(count_examples(path, scratch)) for path in examples}
    words = len(set(Words.read(vocabulary).tokens) - {*SPECIALS, TURN})
    write_json(out, {"corpus": corpus, "vocabulary": words, "splits": splits, "lost": notes_of(read_json(report))})


if __name__ == "__main__":
    run(main)
