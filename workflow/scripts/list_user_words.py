"""List the words that tell each user of a corpus best from the others."""

from pathlib import Path

from pipeline_lib.examples.users import WORDS, list_words
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.users import user_words_schema
from pipeline_lib.stage.cli import run
from pipeline_lib.text.words import Words


def main(users: Path, train: Path, vocabulary: Path, out: Path) -> None:
    write_parquet(out, list_words(users, train, Words.read(vocabulary)), user_words_schema(WORDS))


if __name__ == "__main__":
    run(main)
