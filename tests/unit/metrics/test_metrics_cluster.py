"""BLEU against all paraphrases of a cluster, by NLTK with several references."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu, sentence_bleu

from pipeline_lib.config.metrics import Metrics
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.metrics.cluster import ClusterBleu4, ClusterCorpusBleu, ClusterIBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.suite import Files, score_file
from pipeline_lib.schemas.references import REFERENCES
from pipeline_lib.schemas.responses import MEASURED, RESPONSES
from pipeline_lib.significance.outputs import read_outputs
from pipeline_lib.significance.statistics import competes, statistic_of

ONEHOT = Metrics(bleu_smoothing="current", bleu_weights="onehot")
NAMES = ["BLEU-1", "BLEU-4", "corpus-BLEU", "cluster-BLEU-1", "cluster-BLEU-4", "cluster-corpus-BLEU", "cluster-iBLEU"]


@pytest.fixture
def texts() -> tuple[list[str], list[list[str]], list[str]]:
    """Contexts, one to four references of each, and responses, of words drawn from a few."""
    rng = np.random.default_rng(4)

    def text() -> str:
        return " ".join(rng.choice(list("abc"), rng.integers(4, 12)))

    return (
        [text() for _ in range(60)],
        [[text() for _ in range(1 + i % 4)] for i in range(60)],
        [text() for _ in range(60)],
    )


def table_of(contexts: list[str], references: list[list[str]], responses: list[str]) -> pa.Table:
    columns = {
        "example_id": range(60),
        "sample": [0] * 60,
        "selection": ["none"] * 60,
        "context": contexts,
        "reference": [several[0] for several in references],
        "response": responses,
        "tokens": [5] * 60,
    }
    return pa.table(columns | {name: [None] * 60 for name in ("group", "label", *MEASURED)}, schema=RESPONSES)


def test_scores_against_a_cluster_stand_beside_those_against_one_reference_and_equal_nltk(
    tmp_path: Path, texts
) -> None:
    contexts, references, responses = texts
    write_parquet(tmp_path / "responses.parquet", table_of(*texts), RESPONSES)
    further = [(i, text) for i, several in enumerate(references) for text in several[1:]]
    columns = dict(zip(("example_id", "reference"), map(list, zip(*further, strict=True)), strict=True))
    write_parquet(tmp_path / "clusters.parquet", pa.table(columns, schema=REFERENCES), REFERENCES)
    rows, per_item = score_file(
        Files(tmp_path / "responses.parquet", clusters=tmp_path / "clusters.parquet"), NAMES, ONEHOT, 1
    )

    said, asked = [text.split() for text in responses], [text.split() for text in contexts]
    every = [[text.split() for text in several] for several in references]
    for order in (1, 4):
        weights = [float(n == order - 1) for n in range(4)]
        for name, given in ((f"cluster-BLEU-{order}", every), (f"BLEU-{order}", [several[:1] for several in every])):
            expected = [
                sentence_bleu(several, one, weights, SmoothingFunction().method7)
                for several, one in zip(given, said, strict=True)
            ]
            assert per_item[name].to_pylist() == pytest.approx(expected, abs=1e-12)
    found = {row["metric"]: row for row in rows}
    of_cluster = corpus_bleu(every, said)
    assert found["cluster-corpus-BLEU"]["value"] == pytest.approx(of_cluster, abs=1e-12)
    assert found["corpus-BLEU"]["value"] == pytest.approx(
        corpus_bleu([several[:1] for several in every], said), abs=1e-12
    )
    copied = corpus_bleu([[one] for one in asked], said)
    assert found["cluster-iBLEU"]["value"] == pytest.approx(0.8 * of_cluster - 0.2 * copied, abs=1e-12)
    assert found["cluster-iBLEU"]["low"] < found["cluster-iBLEU"]["value"] < found["cluster-iBLEU"]["high"]
    signature = found["BLEU-1"]["signature"]
    assert found["cluster-BLEU-1"]["signature"] == signature.replace("BLEU-1|", "cluster-BLEU-1|references:cluster|")


def test_a_corpus_without_clusters_of_paraphrases_has_no_such_scores(texts) -> None:
    contexts, references, responses = texts
    items = Items.of(contexts, references, responses)
    assert ClusterBleu4.make(ONEHOT, None, None)(items).mean is None
    for whole in (ClusterCorpusBleu(), ClusterIBleu()):
        assert whole(items).mean is None
        assert whole.parts(items) is None


def test_what_is_tested_between_systems_is_what_tables_print_with_all_references(tmp_path: Path, texts) -> None:
    _, references, _ = texts
    write_parquet(tmp_path / "responses.parquet", table_of(*texts), RESPONSES)
    further = [(i, text) for i, several in enumerate(references) for text in several[1:]]
    columns = dict(zip(("example_id", "reference"), map(list, zip(*further, strict=True)), strict=True))
    for name, part in (("references", slice(1, None)), ("clusters", slice(None))):
        table = pa.table({key: values[part] for key, values in columns.items()}, schema=REFERENCES)
        write_parquet(tmp_path / f"{name}.parquet", table, REFERENCES)
    names = [*NAMES, "iBLEU", "distinct-1"]

    def scored(**more: Path) -> dict[str, float]:
        rows, per_item = score_file(Files(tmp_path / "responses.parquet", **more), names, ONEHOT, 1)
        about = {"corpus": "c", "split": "test", "system": "a", "seed": "1"}
        write_parquet(tmp_path / "items.parquet", per_item, per_item.schema, about)
        [outputs] = read_outputs([tmp_path / "items.parquet"], ["a"], names)
        printed = {row["metric"]: row["value"] for row in rows if row["value"] is not None}
        for name in set(names) & set(printed):
            assert statistic_of(name, [outputs]).runs(0) == pytest.approx([printed[name]]), name
        assert [name for name in names if competes(outputs, name)] == [name for name in names if name in printed]
        return printed

    both = scored(references=tmp_path / "references.parquet", clusters=tmp_path / "clusters.parquet")
    alone = scored()
    assert alone.keys() == {"BLEU-1", "BLEU-4", "corpus-BLEU", "iBLEU", "distinct-1"} | (alone.keys() - set(names))
    assert both["corpus-BLEU"] > alone["corpus-BLEU"]
