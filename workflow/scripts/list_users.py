"""Number the users who respond, and mark the turns of each context that the same user spoke."""

import logging
from pathlib import Path

from pipeline_lib.config.users import Users
from pipeline_lib.examples.users import list_users
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.schemas.users import users_schema
from pipeline_lib.stage.cli import run


def main(dialogues: Path, train: Path, validation: Path, test: Path, turns: int, settings: Users, out: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    examples = {"train": train, "validation": validation, "test": test}
    write_parquet(out, list_users(dialogues, examples, turns, settings), users_schema(turns))


if __name__ == "__main__":
    run(main)
