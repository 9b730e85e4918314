"""Gather what each swept system made of one generated corpus."""

from pathlib import Path

from pipeline_lib.analyses.one_to_many import POINT, point
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.stage.cli import run


def main(
    scores: list[Path],
    expect: list[str],
    per_item: list[Path],
    grouped: list[str],
    latents: list[Path],
    counts: Path,
    out: Path,
) -> None:
    runs = len(latents) // len(grouped) if grouped else 0
    groups = {system: latents[i * runs : (i + 1) * runs] for i, system in enumerate(grouped)}
    write_parquet(out, point(scores, expect, per_item, groups, counts), POINT)


if __name__ == "__main__":
    run(main)
