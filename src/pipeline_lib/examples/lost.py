"""Lost parts of a corpus, which a reader of its results has to know: warned of, noted below Table 1, or refused.

Tokens are known from the training split, so that it loses little where held-out splits may lose half.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from pipeline_lib.config.filtering import Filtering
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.filtering import TOKEN_RULES
from pipeline_lib.schemas.dialogues import SPLITS

NOTED = 0.05  # share of a split above which the lost part is noted

Counts = Mapping[str, Mapping[str, int]]  # of each split, as `filtered/<corpus>/report.json` has them


class _Lost(NamedTuple):
    """A part of a split that is lost."""

    what: str
    split: str
    part: int
    whole: int

    @property
    def share(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        return f"{100 * self.share:.1f} % of {self.split} ({self.part:,} of {self.whole:,})"


def notes_of(report: Counts) -> list[str]:
    """Describe what each split lost to unknown tokens or to gaps between turns, where it is more than `NOTED`."""
    found = [lost for lost in [*_unknown(report), *_gaps(report)] if lost.share > NOTED]
    return [f"{what}: {', '.join(map(str, parts))}" for what, parts in groupby(found, key=lambda lost: lost.what)]


def check_lost(report: Counts, settings: Filtering, where: str) -> None:
    """Refuse a corpus of which a held-out split loses more than ``settings.most_unknown`` to unknown tokens.

    Raises:
        PipelineError: says how much, and which settings would keep it.
    """
    for lost in _unknown(report):
        if lost.split != "train" and lost.share > settings.most_unknown:
            raise PipelineError(
                f"{lost.what}: {lost}",
                where=where,
                expected=f"{100 * settings.most_unknown:.0f} % at most (`filtering: {{most_unknown: …}}`); known "
                "are the tokens of the training split, or those among them that have a vector",
                remedy="for text without spaces between words, `tokeniser: characters`, or segment it into words; else "
                "`filtering: {unknown: unk}` in place of drop_example, a lower `min_count:`, or a vector file that "
                "covers the corpus",
            )


def _unknown(report: Counts) -> Iterator[_Lost]:
    dropped = {split: sum(report[split][rule] for rule in TOKEN_RULES) for split in SPLITS}
    for split in SPLITS:
        counts = report[split]
        if any(dropped.values()):
            yield _Lost("examples dropped for an unknown token", split, dropped[split], counts["read"])
        else:
            what = "tokens that are unknown, so replaced by `<unk>` or dropped"
            yield _Lost(what, split, counts["unknown_tokens"], counts["tokens"])


def _gaps(report: Counts) -> Iterator[_Lost]:
    for split in SPLITS:
        left_out = report[split]["across_gap"]
        what = "windows left out because they reach over a gap between turn numbers"
        yield _Lost(what, split, left_out, left_out + report[split]["read"])
