"""Keep the held-out examples whose responder is an unknown user."""

from pathlib import Path

from pipeline_lib.examples.users import select_unknown
from pipeline_lib.stage.cli import run


def main(examples: Path, users: Path, out: Path) -> None:
    select_unknown(examples, users, out)


if __name__ == "__main__":
    run(main)
