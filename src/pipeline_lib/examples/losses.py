"""Losses of a corpus that a reader of its results has to know: warned of, noted below Table 1, or refused.

Words are known from the training split, so that it loses little where held-out splits may lose half.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline_lib.config.filtering import Filtering
from pipeline_lib.errors import PipelineError
from pipeline_lib.schemas.dialogues import SPLITS

NOTED = 0.05  # share from which a loss is worth a note

Counts = Mapping[str, Mapping[str, int]]  # of each split, as `filtered/<corpus>/report.json` has them


class Loss(NamedTuple):
    """A share of a split that is not what the corpus had."""

    split: str
    part: int
    whole: int
    what: str  # they are, and why

    @property
    def share(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        return f"{self.share:.1%} of the {self.split} {self.what} ({self.part:,} of {self.whole:,})"


def losses_to_note(report: Counts) -> list[Loss]:
    """List the losses of every split above `NOTED`: to unknown tokens, and to gaps between turn numbers."""
    found = [*_unknown(report), *_gaps(report)]
    return [loss for loss in found if loss.share > NOTED]


def check_losses(report: Counts, settings: Filtering, where: str) -> None:
    """Refuse a corpus of which a held-out split loses more than ``settings.most_unknown`` to unknown tokens.

    Raises:
        PipelineError: says how much, and what would keep it.
    """
    for loss in _unknown(report):
        if loss.split != "train" and loss.share > settings.most_unknown:
            raise PipelineError(
                str(loss),
                where=where,
                expected=f"at the most {settings.most_unknown:.0%} (`filtering: {{most_unknown: …}}`); known are the "
                "tokens of the training split, those with a vector alone where vectors decide",
                remedy="for text without spaces between words `tokeniser: characters`, or segment it; else "
                "`filtering: {unknown: unk}` in place of drop_example, a lower `min_count:`, or a vector file that "
                "covers the corpus",
            )


def _unknown(report: Counts) -> Iterator[Loss]:
    for split in SPLITS:
        counts = report[split]
        if counts["unknown_token"]:
            what = "examples were dropped because a token is unknown"
            yield Loss(split, counts["unknown_token"], counts["read"], what)
        elif counts["unknown_tokens"]:
            what = "tokens are unknown, and so `<unk>` or dropped"
            yield Loss(split, counts["unknown_tokens"], counts["tokens"], what)


def _gaps(report: Counts) -> Iterator[Loss]:
    for split in SPLITS:
        gaps = report[split]["across_gap"]
        yield Loss(split, gaps, gaps + report[split]["read"], "windows reach over a gap between turns and are left out")
