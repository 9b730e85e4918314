"""Draw the contexts of one corpus that human judges see, and blind the systems' responses to them."""

from pathlib import Path

from pipeline_lib.config.ratings import Questions, Study
from pipeline_lib.files.formats import write_text
from pipeline_lib.ratings.draw import draw
from pipeline_lib.ratings.history import histories
from pipeline_lib.stage.cli import run as run_stage


def main(
    corpus: str,
    systems: list[str],
    responses: list[Path],
    run: int,
    study: Study,
    questions: Questions,
    keep: Path,
    key: Path,
    examples: Path | None = None,
    train: Path | None = None,
) -> None:
    said = histories(examples, train, study.history, study.seed) if examples and train else None
    drawn = draw(corpus, dict(zip(systems, responses, strict=True)), run, study, questions, said)
    for path in (keep / f"{drawn.sheet}.json", key):
        write_text(path, drawn.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    run_stage(main)
