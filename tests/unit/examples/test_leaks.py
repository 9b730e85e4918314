"""What a split by windows leaks of real scripts: test responses that are part of a training context."""

from collections import Counter

import pytest

from pipeline_lib.config.corpora import Source
from pipeline_lib.corpora import speakers, table
from pipeline_lib.examples.windows import LEAKED, extract_examples
from pipeline_lib.files.formats import parquet_writer
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS

SCENES = {
    "reader": "table",
    "label": "Scenes",
    "licence": "GPL-3.0",
    "bundles": [[{"name": "train_sent_emo.csv.gz"}, {"name": "dev_sent_emo.csv.gz"}, {"name": "test_sent_emo.csv.gz"}]],
    "columns": {"dialogue": "Dialogue_ID", "turn": None, "text": "Utterance", "speaker": "Speaker"},
}


@pytest.mark.parametrize(("split", "least", "most"), [("window", 0.8, 0.9), ("dialogue", 0.0, 0.0)])
def test_windows_divided_one_by_one_put_most_test_responses_into_training_contexts(
    real_data, tmp_path, caplog, split, least, most
):
    files = [real_data(f"meld_friends/{file['name']}") for file in SCENES["bundles"][0]]
    source = Source(**SCENES, window={"context": 2, "split": split})
    with parquet_writer(tmp_path / "dialogues.parquet", DIALOGUES) as writer:
        for batch in speakers.joined(table.read(files, source, Counter()), Counter()):
            writer.write_batch(batch)
    outputs = {name: tmp_path / f"{name}.parquet" for name in SPLITS}
    dialogues, tokens = tmp_path / "dialogues.parquet", tmp_path / "tokens.parquet"
    with caplog.at_level("INFO"):
        counts = extract_examples(dialogues, source.window, lambda texts: texts, outputs, tokens, source.division)[
            "test"
        ]
    assert least <= counts.get(LEAKED, 0) / counts["examples"] <= most
    if not most:
        assert "held-out responses that are part of a training context: 0" in caplog.text
