"""What raters see of the one who responds: training utterances of the same user, and nobody else's."""

import pyarrow as pa
import pytest

from pipeline_lib.config.ratings import Questions
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.ratings.history import histories
from pipeline_lib.schemas.examples import EXAMPLES
from unit.ratings.rating_fixtures import rows_of, small_draw


def write(path, rows):
    """Examples of (id, user, response)."""
    columns = [
        {"example_id": i, "dialogue_id": "d", "turn": 0, "context": "c", "response": text, "user": user, "label": None}
        for i, user, text in rows
    ]
    write_parquet(path, pa.Table.from_pylist(columns, EXAMPLES), EXAMPLES)
    return path


def test_a_history_has_different_training_utterances_of_the_user_who_responds(tmp_path):
    spoken = [(i, "ann", f"ann says {i % 4}") for i in range(12)] + [(20, "ben", "ben says"), (21, None, "nobody says")]
    train = write(tmp_path / "train.parquet", spoken)
    asked = write(tmp_path / "test.parquet", [(50, "ann", "x"), (51, "ben", "x"), (52, "cy", "x"), (53, None, "x")])
    found = histories(asked, train, most=3, seed=1)
    assert len(set(found[50])) == 3
    assert set(found[50]) <= {f"ann says {i}" for i in range(4)}
    assert found[51] == ["ben says"]
    assert found[52] == found[53] == []


def test_a_draw_shows_them_and_is_another_sheet_than_one_without(tmp_path):
    plain, told = (small_draw(tmp_path, histories=each) for each in (None, {101: ["=1+1", "so"]}))
    assert plain.sheet != told.sheet
    assert "history" not in rows_of(plain)[0]
    shown = {row["context"]: row["history"] for row in rows_of(told)}
    assert shown == {"context 0": "", "context 1": "'=1+1\nso", "context 2": "", "context 3": ""}


def test_the_sheet_of_a_draw_without_histories_has_the_name_that_it_always_had(tmp_path):
    """Keys of sheets that are out must go on fitting."""
    drawn = small_draw(tmp_path)
    again = type(drawn).model_validate(
        {k: v for k, v in drawn.model_dump().items() if k != "scales"}
        | {"items": [{k: v for k, v in item.items() if k != "history"} for item in drawn.model_dump()["items"]]}
    )
    assert again.sheet == drawn.sheet


@pytest.mark.parametrize("aspects", [{"history": "?"}, {"fit": "?"}])
def test_scales_of_no_aspect_and_an_aspect_named_like_a_column_are_refused(aspects):
    scales = {"other": {"kind": "yes_no"}} if "fit" in aspects else {}
    with pytest.raises(ValueError, match=r"is no aspect|is a column"):
        Questions(aspects=aspects, scales=scales)
