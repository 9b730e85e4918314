"""Lost parts of a corpus: which are noted, which stop a run."""

from typing import Any

import pytest

from pipeline_lib.config.filtering import Filtering
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.lost import check_lost, notes_of
from pipeline_lib.schemas.dialogues import SPLITS

NOTHING = {"read": 100, "unknown_token": 0, "rare_token": 0, "unseen_token": 0}
NOTHING |= {"tokens": 1_000, "unknown_tokens": 0, "across_gap": 0}


def report(**changes: Any) -> dict[str, dict[str, int]]:
    """Counts of a corpus that lost nothing but what is said of a split."""
    return {split: NOTHING | changes.get(split, {}) for split in SPLITS}


LOSSES = {
    "examples dropped for an unknown token: 41.0 % of test (41 of 100)": {"unknown_token": 41, "unknown_tokens": 90},
    "tokens that are unknown, so replaced by `<unk>` or dropped: 9.0 % of test (90 of 1,000)": {"unknown_tokens": 90},
    "windows left out because they reach over a gap between turn numbers: 20.0 % of test (25 of 125)": {
        "across_gap": 25
    },
}


@pytest.mark.parametrize(("note", "counts"), list(LOSSES.items()))
def test_a_loss_is_noted_with_its_share_and_its_reason(counts: dict[str, int], note: str) -> None:
    assert notes_of(report(test=counts)) == [note]


def test_rare_unknown_and_unseen_tokens_are_one_loss() -> None:
    dropped = {"rare_token": 2, "unknown_token": 3, "unseen_token": 4}
    assert notes_of(report(test=dropped)) == ["examples dropped for an unknown token: 9.0 % of test (9 of 100)"]


def test_a_reason_is_one_note_with_every_split_that_lost_more_than_a_twentieth() -> None:
    [note] = notes_of(report(train={"across_gap": 5}, validation={"across_gap": 6}, test={"across_gap": 300}))
    assert note.endswith(": 5.7 % of validation (6 of 106), 75.0 % of test (300 of 400)")


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("counts", [{"unknown_token": 51}, {"unknown_tokens": 501}])
def test_a_held_out_split_that_loses_more_than_half_stops_the_run_with_remedies(
    split: str, counts: dict[str, int]
) -> None:
    with pytest.raises(PipelineError, match=rf"% of {split}") as caught:
        check_lost(report(**{split: counts}), Filtering(), "corpus mine")
    assert caught.value.where == "corpus mine"
    for setting in ("unknown: unk", "min_count", "vector file", "tokeniser: characters", "segment"):
        assert setting in caught.value.remedy


def test_half_of_a_split_and_any_part_of_training_pass_and_the_limit_can_be_set() -> None:
    half = {"unknown_token": 50, "unknown_tokens": 500}
    check_lost(report(train={"unknown_token": 90}, validation=half, test=half), Filtering(), "")
    check_lost(report(test={"unknown_token": 60}), Filtering(most_unknown=0.6), "")
    with pytest.raises(PipelineError, match=r"50.0 % of validation"):
        check_lost(report(validation=half), Filtering(most_unknown=0.4), "")
