"""Count a corpus's words, pairs, and how often one context has many responses or one response many contexts."""

from dataclasses import asdict
from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.corpora.counting import count_pairs
from pipeline_lib.storage import write_json
from pipeline_lib.text.vocabulary import SPECIALS, Vocabulary


def main(corpus: str, pairs: list[Path], vocabulary: Path, out: Path) -> None:
    scratch = out.with_name(f".{out.name}.duckdb")
    splits = {path.stem: asdict(count_pairs(path, scratch)) for path in pairs}
    words = len(Vocabulary.read(vocabulary)) - len(SPECIALS)
    write_json(out, {"corpus": corpus, "vocabulary": words, "splits": splits})


if __name__ == "__main__":
    run(main)
