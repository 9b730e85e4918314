"""The data that an analysis of a trained system may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.config.training import Training


@dataclass(frozen=True)
class Data:
    """The files of one corpus and one run of a system."""

    vocabulary: Path
    encoded: Mapping[str, Path]  # split -> examples as token ids, as training maps them
    examples: Mapping[str, Path]  # split -> the same in words
    reads: Mapping[str, Path]  # field of the batch -> side table
    continued: Path | None  # the result of the analysis that this one continues
    training: Training
    steps: int  # that the system was trained for
