"""The data that an analysis of a trained system may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_lib.config.decoding import Decoding
from pipeline_lib.config.grammar import Grammar
from pipeline_lib.config.training import Training

if TYPE_CHECKING:  # planning a run imports this module, and torch would double the time of its start
    from pipeline_lib.models.system import System
    from pipeline_lib.text.units import Units


@dataclass(frozen=True)
class Judge:
    """A further trained system of the same corpus, with what it reads and writes."""

    system: "System"
    units: "Units"


@dataclass(frozen=True)
class Data:
    """The files of one corpus and one run of a system; ``examples`` may be of another corpus (`corpus:`)."""

    vocabulary: Path
    encoded: Mapping[str, Path]  # split -> examples as token ids, as training maps them
    examples: Mapping[str, Path]  # split -> the same in words
    reads: Mapping[str, Path]  # field of the batch -> side table
    continued: Path | None  # the result of the analysis that this one continues
    training: Training
    steps: int  # that the system was trained for
    grammar: Grammar | None = None  # that the examples were drawn from, if they were
    judge: Judge | None = None  # the system that `judge:` of the analysis names
    decoding: Decoding | None = None  # of the system, for an analysis in which it responds to contexts
